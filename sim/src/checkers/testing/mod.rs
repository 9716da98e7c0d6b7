//! What the tests of checkers share.

pub(super) mod inputs;
pub(super) mod rig;
mod together;
