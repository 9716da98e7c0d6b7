//! What callers and operators are promised over time, whatever goes wrong.

pub(super) mod blame;
pub(super) mod dated;
pub(super) mod honest_range;
pub(super) mod provenance;
pub(super) mod punctual;
pub(super) mod quiescence;
pub(super) mod recovery;
pub(super) mod stale;
pub(super) mod suspicion;
pub(super) mod vanish;
