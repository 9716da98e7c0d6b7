//! What a machine does after each input, judged by its inputs, its outputs and the state that it shows.

pub(super) mod bounds;
pub(super) mod conformance;
