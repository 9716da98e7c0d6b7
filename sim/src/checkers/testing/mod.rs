//! What the tests of the checkers share.

pub(super) mod inputs;
pub(super) mod rig;
mod together;
