//! The drivers over a bus within the process: what they take first under load, what their subjects are made of, and
//! what a worker says of itself.

mod coordinator;
mod support;
mod worker;
