//! The drivers over a bus within the process: what they take first under load, which subjects they use, and what a
//! worker reports about itself.

mod coordinator;
mod support;
mod worker;
