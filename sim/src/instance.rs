//! The names of processes: a host's number, and the how-manieth process on it this is.

/// The name of a coordinator's process: one token of a subject.
pub(crate) fn coordinator(number: u8, incarnation: u32) -> String {
    format!("c{number}i{incarnation}")
}

/// The name of a worker's process.
pub(crate) fn worker(number: u8, incarnation: u32) -> String {
    format!("w{number}i{incarnation}")
}

/// What the subjects of a coordinator's own begin with.
pub(crate) fn coordinator_inbox(number: u8, incarnation: u32) -> String {
    format!("_INBOX.{}.", coordinator(number, incarnation))
}

/// The number that tells the random streams of processes apart.
pub(crate) fn stream(number: u8, incarnation: u32) -> u32 {
    (u32::from(number) << 16) | (incarnation & 0xffff)
}
