//! What a machine does after each input, judged by its inputs and outputs alone.

pub(super) mod bounds;
pub(super) mod conformance;
