//! The names of processes. Each is made of the number of the host and the incarnation of the process on it.

use crate::random::Random;

/// The name of a coordinator process: a single token of a subject.
pub(crate) fn coordinator(number: u8, incarnation: u32) -> String {
    format!("c{number}i{incarnation}")
}

/// The name of a worker process.
pub(crate) fn worker(number: u8, incarnation: u32) -> String {
    format!("w{number}i{incarnation}")
}

/// The secret token in a coordinator's reply subjects, drawn once per process. Only those that receive its tasks know
/// it.
pub(crate) fn secret(random: &mut Random) -> String {
    format!("s{:016x}", random.number())
}

/// The subject on which workers reply to a coordinator's ping.
pub(crate) fn ping_subject(number: u8, incarnation: u32) -> String {
    format!("_INBOX.{}.ping", coordinator(number, incarnation))
}

/// A number per process that separates their random streams.
pub(crate) fn stream(number: u8, incarnation: u32) -> u32 {
    (u32::from(number) << 16) | (incarnation & 0xffff)
}
