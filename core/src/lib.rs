//! The decisions of Quorate: two state machines and the aggregation, with no networking code, no threads, no async
//! runtime, no clock and no entropy of its own.
//!
//! An adapter feeds a machine inputs with their times and carries out its outputs.
#![warn(missing_docs)]

pub mod aggregate;
pub mod coordinator;
pub mod id;
pub mod machine;
pub mod outcome;
pub mod pattern;
pub mod policy;
pub mod query;
pub mod time;
pub mod trace;
pub mod value;
pub mod worker;

pub use coordinator::Coordinator;
pub use machine::Machine;
pub use worker::Worker;
