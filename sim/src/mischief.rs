//! How a malicious worker tampers with its outgoing results.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::id::RequestId;
use quorate_core::value::{MAX_TEXT_BYTES, Value};
use rust_decimal::Decimal;

use crate::event::{Body, Message, WorkerResult};
use crate::host::Host;
use crate::instance;
use crate::random::{Random, Stream};
use crate::scenario::{FaultKind, Mischief, worker_name};

/// The most bytes of garbage in one message.
const MAX_GARBAGE: u64 = 64;

/// A message as a malicious worker or the adversary sends it. Its text may be longer than a value may be, which readers
/// treat as a failure of the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tampered {
    /// A well-formed message.
    Message(Message),
    /// Bytes that cannot be decoded.
    Garbage {
        /// The subject they are published on.
        subject: Arc<str>,
        /// The number of bytes.
        len: usize,
    },
}

/// Tampers with the results of one worker process, as often as the active faults say.
#[derive(Debug)]
pub(crate) struct Mischiefs {
    random: Random,
    lasting: Vec<(Mischief, u32)>,
    /// The request and the subject of the previous result, before it was tampered with.
    before: Option<(RequestId, Arc<str>)>,
    /// Results that are sent after the next one.
    held_back: Vec<Message>,
}

impl Mischiefs {
    pub(crate) fn new(seed: u64, number: u8, incarnation: u32) -> Self {
        let host = instance::stream(number, incarnation);
        let random = Random::new(seed, Stream::Mischief, host);
        Self { random, lasting: Vec::new(), before: None, held_back: Vec::new() }
    }

    /// What a worker does while these faults are active: each mischief with its share of results, in thousandths.
    pub(crate) fn of<'a>(worker: Host, lasting: impl IntoIterator<Item = &'a FaultKind>) -> Vec<(Mischief, u32)> {
        let mischief = |kind: &FaultKind| match kind {
            FaultKind::Mischief(host, mischief, permille) if *host == worker => Some((*mischief, *permille)),
            _ => None,
        };
        lasting.into_iter().filter_map(mischief).collect()
    }

    pub(crate) fn set(&mut self, lasting: Vec<(Mischief, u32)>) {
        self.lasting = lasting;
    }

    /// What is sent instead of `message`, and after how long. Messages other than results are sent unchanged.
    pub(crate) fn tamper(&mut self, message: Message) -> Vec<(Duration, Tampered)> {
        let Body::Result(result) = &message.body else { return vec![(Duration::ZERO, Tampered::Message(message))] };
        let before = self.before.replace((result.request.clone(), Arc::clone(&message.subject)));
        // Every mischief draws, so that choosing one does not change what the others draw.
        let drawn: Vec<bool> = self.lasting.iter().map(|(_, permille)| self.random.chance(*permille)).collect();
        let chosen = drawn.into_iter().position(|chosen| chosen).map(|place| self.lasting[place].0);
        if chosen == Some(Mischief::Reorder) {
            self.held_back.push(message);
            return Vec::new();
        }
        let mut sent = self.apply(chosen, message, before);
        sent.extend(self.held_back.drain(..).map(|message| (Duration::ZERO, Tampered::Message(message))));
        sent
    }

    fn apply(
        &mut self,
        chosen: Option<Mischief>,
        message: Message,
        before: Option<(RequestId, Arc<str>)>,
    ) -> Vec<(Duration, Tampered)> {
        let now = |message| (Duration::ZERO, Tampered::Message(message));
        let Some(chosen) = chosen else { return vec![now(message)] };
        match (chosen, before) {
            (Mischief::Duplicate, _) => vec![now(message.clone()), now(message)],
            (Mischief::Equivocate, _) => {
                let other = changed(&message, |result| result.observed = Ok(another(&result.observed)));
                vec![now(message), now(other)]
            }
            (Mischief::Delay(millis), _) => vec![(Duration::from_millis(millis), Tampered::Message(message))],
            (Mischief::Corrupt, _) => {
                let len = self.random.within(1..=MAX_GARBAGE) as usize;
                vec![(Duration::ZERO, Tampered::Garbage { subject: message.subject, len })]
            }
            (Mischief::Oversize, _) => {
                let text: Arc<str> = "x".repeat(MAX_TEXT_BYTES + 1).into();
                vec![now(changed(&message, |result| result.observed = Ok(Value::Text(text))))]
            }
            (Mischief::Impersonate(number), _) => {
                let other = changed(&message, |result| result.worker = worker_name(number));
                vec![now(message), now(other)]
            }
            (Mischief::Misattribute, Some((request, _))) => {
                vec![now(changed(&message, |result| result.request = request))]
            }
            (Mischief::Misdirect, Some((_, subject))) => vec![now(Message { subject, ..message })],
            (Mischief::Misattribute | Mischief::Misdirect, None) => vec![now(message)],
            (Mischief::Drop | Mischief::Reorder, _) => Vec::new(),
        }
    }
}

/// A copy of the message whose result is changed.
fn changed(message: &Message, change: impl FnOnce(&mut WorkerResult)) -> Message {
    let mut message = message.clone();
    if let Body::Result(result) = &mut message.body {
        change(result);
    }
    message
}

/// A value that differs from what was observed.
fn another(observed: &Result<Value, Arc<str>>) -> Value {
    match observed {
        Ok(value) => match value.as_number() {
            Some(number) => Value::Number(number + Decimal::ONE),
            None => Value::Text(format!("not {value}").into()),
        },
        Err(_) => Value::Number(Decimal::ONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(request: &str) -> Message {
        let subject = format!("_INBOX.c1i1.{request}").into();
        let request = RequestId::new(request).expect("an id");
        let body = Body::Result(WorkerResult::new(worker_name(1), request, Ok(Value::Text("cat".into()))));
        Message { subject, reply: None, body }
    }

    /// What is sent for the second of two results if the worker always does this.
    fn second(mischief: Mischief) -> Vec<(Duration, Tampered)> {
        let mut mischiefs = Mischiefs::new(1, 1, 1);
        let honest = Tampered::Message(result("one"));
        assert_eq!(mischiefs.tamper(result("one")), [(Duration::ZERO, honest)]);
        mischiefs.set(vec![(mischief, 1000)]);
        mischiefs.tamper(result("two"))
    }

    fn said(sent: &[(Duration, Tampered)]) -> Vec<(String, String, String, String)> {
        sent.iter()
            .map(|(_, sent)| match sent {
                Tampered::Message(Message { subject, body: Body::Result(result), .. }) => {
                    let value = result.observed.as_ref().expect("a value").to_string();
                    (subject.to_string(), result.worker.to_string(), result.request.to_string(), value)
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_mischief_does_what_it_says() {
        let line = |task: &str, worker: &str, request: &str, value: &str| {
            (format!("_INBOX.c1i1.{task}"), worker.to_owned(), request.to_owned(), value.to_owned())
        };
        let honest = line("two", "w1", "two", "cat");
        for (mischief, expected) in [
            (Mischief::Duplicate, vec![honest.clone(), honest.clone()]),
            (Mischief::Equivocate, vec![honest.clone(), line("two", "w1", "two", "not cat")]),
            (Mischief::Impersonate(7), vec![honest.clone(), line("two", "w7", "two", "cat")]),
            (Mischief::Misattribute, vec![line("two", "w1", "one", "cat")]),
            (Mischief::Misdirect, vec![line("one", "w1", "two", "cat")]),
            (Mischief::Delay(30), vec![honest]),
            (Mischief::Drop, vec![]),
            (Mischief::Reorder, vec![]),
        ] {
            assert_eq!(said(&second(mischief)), expected, "{mischief:?}");
        }
        assert_eq!(second(Mischief::Delay(30))[0].0, Duration::from_millis(30));
        assert_eq!(said(&second(Mischief::Oversize))[0].3.len(), MAX_TEXT_BYTES + 1);
        assert!(matches!(second(Mischief::Corrupt)[..], [(_, Tampered::Garbage { len: 1.., .. })]));
    }

    #[test]
    fn a_result_held_back_follows_the_next() {
        let mut mischiefs = Mischiefs::new(1, 1, 1);
        mischiefs.set(vec![(Mischief::Reorder, 1000)]);
        assert_eq!(mischiefs.tamper(result("one")), []);
        mischiefs.set(Vec::new());
        let sent = said(&mischiefs.tamper(result("two")));
        assert_eq!(sent.iter().map(|said| said.2.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    }
}
