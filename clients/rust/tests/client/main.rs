//! The client against servers that answer correctly, wrongly, in part, or not at all. `bins/tests/processes` has it
//! against real coordinators.

mod asking;
mod feeds;
mod following;
mod server;
