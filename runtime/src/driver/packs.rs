//! Sending packs, and which tasks a coordinator has packed together, so that a notice that a pack reached nobody can be
//! passed on for its tasks.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::Bytes;
use quorate_core::id::TaskId;

use crate::bus::PublishError;

/// The letter before the number of a pack in the last token of its reply subject. Numbers of tasks have none.
const LETTER: char = 'p';
/// The packs whose tasks are known: more than are sent within a round trip to the bus, after which a notice comes.
const KEPT: usize = 256;

/// Sends a pack of the first of these elements, in at most `most` bytes. The server may take only shorter messages; then
/// `most` becomes less for this pack and those after it. Returns how many elements the pack had, and whether it was sent.
pub(super) fn send_pack<T>(
    elements: &[T],
    most: &mut usize,
    encode: impl Fn(&[T], usize) -> (Bytes, usize),
    publish: impl Fn(Bytes) -> Result<(), PublishError>,
) -> (usize, Result<(), PublishError>) {
    loop {
        let (body, count) = encode(elements, *most);
        let bytes = body.len();
        match publish(body) {
            Err(PublishError::Refused) if count > 1 => *most = bytes / 2,
            sent => return (count, sent),
        }
    }
}

/// The latest packs.
#[derive(Debug, Default)]
pub(super) struct Packs {
    /// The number of the next pack.
    next: u64,
    /// The tasks of the latest packs, oldest first.
    sent: VecDeque<Box<[TaskId]>>,
}

impl Packs {
    /// Turns the prefix of an inbox into the reply subject of the next pack.
    pub(super) fn write_subject(&self, inbox: &mut String) {
        write!(inbox, "{LETTER}{}", self.next).expect("a string takes every text");
    }

    /// Notes that the next pack was sent, with these tasks.
    pub(super) fn sent(&mut self, tasks: impl Iterator<Item = TaskId>) {
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(tasks.collect());
        self.next += 1;
    }

    /// The number of the pack that the last token of a reply subject names.
    pub(super) fn number(token: &str) -> Option<u64> {
        token.strip_prefix(LETTER)?.parse().ok()
    }

    /// The tasks of a pack that reached nobody. Each pack has them once, since any client that knows the subject can
    /// send notices.
    pub(super) fn take(&mut self, number: u64) -> Box<[TaskId]> {
        let oldest = self.next - self.sent.len() as u64;
        let at = number.checked_sub(oldest).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.sent.get_mut(at)).map(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_passed_on_once_for_the_tasks_of_a_known_pack() {
        let mut packs = Packs::default();
        for number in 0..1000 {
            let mut subject = "_INBOX.s3cret.".to_owned();
            packs.write_subject(&mut subject);
            assert_eq!(subject, format!("_INBOX.s3cret.p{number}"));
            assert_eq!(Packs::number(subject.rsplit('.').next().expect("a token")), Some(number));
            packs.sent([2 * number, 2 * number + 1].map(TaskId).into_iter());
        }
        assert_eq!(*packs.take(999), [1998, 1999].map(TaskId));
        assert_eq!(*packs.take(744), [1488, 1489].map(TaskId));
        for number in [999, 744, 743, 0, 1000, u64::MAX] {
            assert!(packs.take(number).is_empty(), "{number}");
        }
        for token in ["", "p", "7", "p-1", "q7", "p7x", "p18446744073709551616"] {
            assert_eq!(Packs::number(token), None, "{token}");
        }
    }
}
