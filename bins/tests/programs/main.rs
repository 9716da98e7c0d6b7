//! The programs as their users meet them: command lines, and what they do with the answers of a server.

mod args;
mod binary;
mod client;
mod exit_codes;
mod generate;
mod load;
mod server;
mod watch;
