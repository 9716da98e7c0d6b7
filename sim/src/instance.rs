//! The names of processes: a host's number, and the number of the process on it.

use crate::random::Random;

/// The name of a coordinator's process: one token of a subject.
pub(crate) fn coordinator(number: u8, incarnation: u32) -> String {
    format!("c{number}i{incarnation}")
}

/// The name of a worker's process.
pub(crate) fn worker(number: u8, incarnation: u32) -> String {
    format!("w{number}i{incarnation}")
}

/// The secret token of a coordinator's reply subjects, drawn once per process. Only programs that get its tasks know
/// it.
pub(crate) fn secret(random: &mut Random) -> String {
    format!("s{:016x}", random.number())
}

/// Where workers reply to a coordinator's ping.
pub(crate) fn ping_subject(number: u8, incarnation: u32) -> String {
    format!("_INBOX.{}.ping", coordinator(number, incarnation))
}

/// The number that tells the random streams of processes apart.
pub(crate) fn stream(number: u8, incarnation: u32) -> u32 {
    (u32::from(number) << 16) | (incarnation & 0xffff)
}
