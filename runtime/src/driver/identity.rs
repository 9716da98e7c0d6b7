//! Who a worker is.

use std::fmt::Write as _;
use std::time::SystemTime;

use quorate_core::id::WorkerId;

use crate::wire;

/// Who a worker is.
#[derive(Clone, Debug)]
pub struct WorkerIdentity {
    /// The name its results carry; its replicas share it.
    pub id: WorkerId,
    /// The name of this process: one token of a NATS subject that no other process uses.
    pub instance: String,
    /// Whether replicas share the name, so that one of them answers each task.
    pub replicated: bool,
    /// When the process began.
    pub started: SystemTime,
}

impl WorkerIdentity {
    /// The queue group that replicas share, so that each task goes to one of them. Worker names may have characters
    /// that subjects may not.
    pub(super) fn queue_group(&self) -> Option<String> {
        if !self.replicated {
            return None;
        }
        let mut name = format!("{}-", wire::SERVICE);
        for byte in self.id.as_str().bytes() {
            write!(name, "{byte:02x}").expect("a string takes every text");
        }
        Some(name)
    }
}
