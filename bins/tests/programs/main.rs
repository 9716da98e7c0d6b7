//! The programs as users see them: command lines, and how they handle the answers of a server.

mod args;
mod binary;
mod contexts;
mod effects;
mod exit_codes;
mod generate;
mod load;
mod server;
mod watch;
