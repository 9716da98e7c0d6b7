//! Somebody on the bus who means no good: it has heard the last task and knows how to write what others write.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{Presence, PresenceState};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::query::Query;
use quorate_core::value::Value;
use quorate_runtime::wire;
use rust_decimal::Decimal;

use crate::event::{Body, Message, Task, WorkerResult};
use crate::mischief::Tampered;
use crate::random::{Random, Stream};
use crate::scenario::{Forgery, QUERIES, worker_name};

/// Makes what the adversary sends.
#[derive(Debug)]
pub(crate) struct Adversary {
    random: Random,
    /// The last task that was heard, and where its answers go.
    heard: Option<(RequestId, Arc<str>)>,
    forged: u32,
}

impl Adversary {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, Stream::Adversary, 0), heard: None, forged: 0 }
    }

    /// Hears a message on the subject of tasks.
    pub(crate) fn hear(&mut self, message: &Message) {
        if let (Body::Task(task), Some(reply)) = (&message.body, &message.reply) {
            self.heard = Some((task.request.clone(), Arc::clone(reply)));
        }
    }

    /// What it sends; nothing if it would have to answer and has heard no task.
    pub(crate) fn forge(&mut self, forgery: Forgery) -> Vec<Tampered> {
        self.forged += 1;
        match forgery {
            Forgery::UnknownRequest => {
                let request = self.own_request();
                vec![self.answer(wire::RESULTS.into(), worker_name(1), request)]
            }
            Forgery::Answer(number) => {
                let Some((request, reply)) = self.heard.clone() else { return Vec::new() };
                vec![self.answer(reply, worker_name(number), request)]
            }
            Forgery::AnswerShared(number) => {
                let Some((request, _)) = self.heard.clone() else { return Vec::new() };
                vec![self.answer(wire::RESULTS.into(), worker_name(number), request)]
            }
            Forgery::Live(number) => vec![presence(number, PresenceState::Live)],
            Forgery::Left(number) => vec![presence(number, PresenceState::Left)],
            Forgery::Garbage => {
                let shared = [wire::TASKS, wire::RESULTS, wire::PRESENCE].map(Arc::from);
                let heard = self.heard.iter().map(|(_, reply)| Arc::clone(reply));
                let subjects: Vec<Arc<str>> = shared.into_iter().chain(heard).collect();
                let garbage = |subject| Tampered::Garbage { subject, len: self.random.within(0..=64) as usize };
                subjects.into_iter().map(garbage).collect()
            }
            Forgery::Task => {
                let question = self.random.pick(&QUERIES);
                vec![Tampered::Message(Message {
                    subject: wire::TASKS.into(),
                    reply: Some(format!("_INBOX.adversary.{}", self.forged).into()),
                    body: Body::Task(Task {
                        request: self.own_request(),
                        query: Query::new(question.text).expect("every question is a query"),
                        ttl: Duration::from_secs(1),
                        attempt: 1,
                    }),
                })]
            }
        }
    }

    /// The id of a request that nobody made.
    fn own_request(&self) -> RequestId {
        RequestId::new(&format!("forged-{}", self.forged)).expect("letters and digits are an identifier")
    }

    fn answer(&mut self, subject: Arc<str>, worker: WorkerId, request: RequestId) -> Tampered {
        let value = Decimal::from(self.random.below(10_000));
        let result = WorkerResult {
            worker,
            request,
            observed: Ok(Value::Number(value)),
            response_time: Duration::from_nanos(1),
            age: None,
        };
        Tampered::Message(Message { subject, reply: None, body: Body::Result(result) })
    }
}

fn presence(number: u8, state: PresenceState) -> Tampered {
    let presence = Presence { worker: worker_name(number), instance: "adversary".into(), state, replicated: false };
    Tampered::Message(Message { subject: wire::PRESENCE.into(), reply: None, body: Body::Presence(presence) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_forged_for_the_last_task_that_was_heard() {
        let mut adversary = Adversary::new(1);
        assert_eq!(adversary.forge(Forgery::Answer(2)), []);
        let task = |request: &str| Message {
            subject: wire::TASKS.into(),
            reply: Some(format!("_INBOX.c1i1.{request}").into()),
            body: Body::Task(Task {
                request: RequestId::new(request).expect("an id"),
                query: Query::new("BTC/USD").expect("a query"),
                ttl: Duration::from_secs(1),
                attempt: 1,
            }),
        };
        adversary.hear(&task("one"));
        adversary.hear(&task("two"));
        for (forgery, expected) in [(Forgery::Answer(2), "_INBOX.c1i1.two"), (Forgery::AnswerShared(2), wire::RESULTS)]
        {
            match &adversary.forge(forgery)[..] {
                [Tampered::Message(Message { subject, body: Body::Result(result), .. })] => {
                    assert_eq!((&**subject, result.request.as_str(), result.worker.as_str()), (expected, "two", "w2"));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(adversary.forge(Forgery::Garbage).len(), 4);
    }
}
