//! Who a worker is, and how its process is told from all others.

use std::fmt::Write as _;
use std::io;
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
    /// A worker without replicas, in a process that begins now.
    ///
    /// # Errors
    /// The operating system gives no random numbers, of which the name of the process is made.
    pub fn new(id: WorkerId) -> io::Result<Self> {
        Ok(Self { id, instance: draw_instance()?, replicated: false, started: SystemTime::now() })
    }

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

/// Draws a name for a process that no other has: one token of a NATS subject.
///
/// # Errors
/// The operating system gives no random numbers.
pub fn draw_instance() -> io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| io::Error::other(format!("the operating system gives no random number: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_a_name_of_its_own_that_fits_into_a_subject() {
        let names = [(); 2].map(|()| draw_instance().expect("random numbers"));
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }
}
