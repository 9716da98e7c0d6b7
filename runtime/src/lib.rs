//! The adapters of Quorate: they move bytes between the network and the state machines of `quorate-core`, and decide
//! nothing themselves.
#![warn(missing_docs)]

mod age;
pub mod bus;
pub mod clock;
pub mod config_file;
pub mod driver;
pub mod http;
pub mod metrics;
pub mod node;
pub mod policies;
pub mod source;
pub mod spans;
pub mod wire;
