//! What feeds and durable requests promise, on the stage with a store.

pub(super) mod alone;
mod calm;
pub(super) mod chain;
mod excuses;
pub(super) mod fresh;
pub(super) mod moved;
pub(super) mod outcomes;
pub(super) mod prompt;
mod record;
pub(super) mod right;
pub(super) mod shown;
