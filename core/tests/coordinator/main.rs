//! The coordinator: one file per kind of input, two for what time does (deadlines, forgetting), two for what a request
//! asks for and what its answer rests on, two for the records and scores of workers, and one for events.

mod bus;
mod cancel;
mod drain;
mod events;
mod judging;
mod memory;
mod policy;
mod presence;
mod result;
mod standing;
mod submit;
mod support;
mod timeout;
mod trust;
