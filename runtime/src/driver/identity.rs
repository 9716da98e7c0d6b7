//! The identity of a worker, and the names that tell processes apart.

use std::io;
use std::time::SystemTime;

use quorate_core::id::WorkerId;

use crate::wire;

/// The identity of a worker.
#[derive(Clone, Debug)]
pub struct WorkerIdentity {
    /// The name in its results, which its replicas share.
    pub id: WorkerId,
    /// The name of this process: one token of a NATS subject that no other process uses.
    pub instance: String,
    /// Whether replicas share the name. If so, one of them answers each task.
    pub replicated: bool,
    /// When the process began.
    pub started: SystemTime,
}

impl WorkerIdentity {
    /// A worker without replicas, in a process that begins now.
    ///
    /// # Errors
    /// The operating system gives no random numbers, which the name of the process is made of.
    pub fn new(id: WorkerId) -> io::Result<Self> {
        Ok(Self { id, instance: draw_instance()?, replicated: false, started: SystemTime::now() })
    }

    /// The queue group that replicas share, so that each task goes to one of them. The worker's name is in hexadecimal,
    /// because it may have characters that subjects may not.
    pub(super) fn queue_group(&self) -> Option<String> {
        if !self.replicated {
            return None;
        }
        Some(format!("{}-{}", wire::SERVICE, wire::hex(self.id.as_str().as_bytes())))
    }
}

/// Draws a unique name for a process: one token of a NATS subject.
///
/// # Errors
/// The operating system gives no random numbers.
pub fn draw_instance() -> io::Result<String> {
    draw_token()
}

/// 128 random bits as one token of a NATS subject.
pub(super) fn draw_token() -> io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| io::Error::other(format!("the operating system provides no random numbers: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}

/// The seed of one process among those that share `seed`: the 64-bit FNV-1a hash of its name, with `seed` xored into
/// the offset basis, and then the finalizer of `SplitMix64`. It depends on nothing else.
pub(super) fn own_seed(seed: u64, instance: &str) -> u64 {
    let basis = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
    let hash = instance.bytes().fold(basis, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_process_has_a_seed_of_its_own_that_is_always_the_same() {
        let names = ["", "a", "b", "ab", "ba", "c1i1", "c1i2", "c2i1"];
        let seeds = [0, 1, 7, u64::MAX];
        let all: BTreeSet<u64> =
            seeds.iter().flat_map(|&seed| names.iter().map(move |name| own_seed(seed, name))).collect();
        assert_eq!(all.len(), names.len() * seeds.len());
        assert_eq!(own_seed(7, "c1i1"), own_seed(7, "c1i1"));
    }

    #[test]
    fn every_process_has_a_name_of_its_own_that_fits_into_a_subject() {
        let names = [(); 2].map(|()| draw_instance().expect("random numbers"));
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }
}
