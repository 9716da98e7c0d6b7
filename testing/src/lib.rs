//! What the tests of several crates share. Nothing here is part of a program.
#![warn(missing_docs)]

mod nats_server;

pub use nats_server::NatsServer;
