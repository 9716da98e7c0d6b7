//! What the tests of checkers share.

pub(super) mod rig;
mod together;
