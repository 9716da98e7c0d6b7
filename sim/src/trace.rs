//! The trace of a run: a hash that two equal runs share, and lines that show where two runs differ.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::event::{Event, Reply, What};

/// A hash over events, the same on every machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> Self {
        // The first 64 bits of the fractional part of pi: an arbitrary constant.
        Self(0x243f_6a88_85a3_08d3)
    }
}

impl TraceHash {
    pub(crate) fn event(&mut self, event: &Event<'_>) {
        event.at.hash(self);
        event.host.hash(self);
        match event.what {
            What::Started { incarnation } => (0_u8, incarnation).hash(self),
            What::Crashed => 1_u8.hash(self),
            What::Stopping => 2_u8.hash(self),
            What::Stopped => 3_u8.hash(self),
            What::CoordinatorInput(now, input) => (4_u8, now, input).hash(self),
            What::CoordinatorWoken(now) => (5_u8, now).hash(self),
            What::CoordinatorOutput(now, output) => (6_u8, now, output).hash(self),
            What::CoordinatorSettled(now, machine) => (7_u8, now, machine.poll_timeout()).hash(self),
            What::WorkerInput(now, input) => (8_u8, now, input).hash(self),
            What::WorkerWoken(now) => (9_u8, now).hash(self),
            What::WorkerOutput(now, output) => (10_u8, now, output).hash(self),
            What::WorkerSettled(now, machine) => (11_u8, now, machine.poll_timeout()).hash(self),
            What::Sent(message) => (12_u8, message).hash(self),
            What::Unsent(message, error) => (13_u8, message, error as u8).hash(self),
            What::Received(message) => (14_u8, message).hash(self),
            What::Asked(asked) => (15_u8, asked.number, asked.coordinator).hash(self),
            What::Replied(number, reply) => {
                (16_u8, number).hash(self);
                match reply {
                    Reply::Ended(reply) => reply.hash(self),
                    Reply::Http { status, retry_after, body } => (status, retry_after, body).hash(self),
                    Reply::Lost => {}
                }
            }
            What::Vanished(number) => (17_u8, number).hash(self),
            What::FaultBegan(place, _) => (18_u8, place).hash(self),
            What::FaultEnded(place, _) => (19_u8, place).hash(self),
            What::Healed => 20_u8.hash(self),
            What::Ended => 21_u8.hash(self),
            What::Panicked(text) => (22_u8, text).hash(self),
            What::Visited(place, visit) => (24_u8, place, visit).hash(self),
            What::VisitEnded(place, read) => (25_u8, place, read.map(|read| read.status)).hash(self),
            What::Edge(edge) => (23_u8, edge).hash(self),
            What::Store(event) => (26_u8, event).hash(self),
        }
    }

    fn mix(&mut self, word: u64) {
        // One round of a multiply-and-fold hash, as in wyhash: fast, and good enough to tell traces apart.
        let wide = u128::from(self.0 ^ word) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        self.0 = (wide as u64) ^ ((wide >> 64) as u64) ^ word.rotate_left(29);
    }
}

impl Hasher for TraceHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.mix(u64::from_le_bytes(chunk.try_into().expect("a chunk has eight bytes")));
        }
        self.mix(little_endian(chunks.remainder()) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.mix(number.cast_unsigned() as u64);
    }
}

/// Fewer than eight bytes as a number, in at most three reads: copying a variable length would call `memcpy`.
fn little_endian(bytes: &[u8]) -> u64 {
    let (mut number, mut bits, mut rest) = (0, 0, bytes);
    if let Some((four, after)) = rest.split_first_chunk() {
        (number, bits, rest) = (u64::from(u32::from_le_bytes(*four)), 32, after);
    }
    if let Some((two, after)) = rest.split_first_chunk() {
        number |= u64::from(u16::from_le_bytes(*two)) << bits;
        (bits, rest) = (bits + 16, after);
    }
    if let [one, ..] = rest {
        number |= u64::from(*one) << bits;
    }
    number
}

/// An event as one line of a trace, with all its details.
#[derive(Debug)]
pub struct Line<'a>(pub &'a Event<'a>);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { at, host, what } = self.0;
        write!(f, "{}.{:09} {host} ", at / 1_000_000_000, at % 1_000_000_000)?;
        match what {
            What::CoordinatorSettled(now, machine) => {
                write!(f, "CoordinatorSettled({now:?}, {:?}, {:?})", machine.poll_timeout(), machine.counters())
            }
            What::WorkerSettled(now, machine) => {
                write!(f, "WorkerSettled({now:?}, {:?}, {:?})", machine.poll_timeout(), machine.counters())
            }
            what => write!(f, "{what:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_of_a_text_are_one_number() {
        let bytes = [1, 2, 3, 4, 5, 6, 7];
        for length in 0..=bytes.len() {
            let mut padded = [0; 8];
            padded[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(little_endian(&bytes[..length]), u64::from_le_bytes(padded), "{length}");
        }
    }
}
