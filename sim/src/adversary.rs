//! A malicious participant on the bus: it hears the tasks, and can write every message that others write.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{Presence, PresenceState};
use quorate_core::id::{RequestId, TaskId, WorkerId};
use quorate_core::query::Query;
use quorate_core::value::Value;
use quorate_runtime::wire;
use rust_decimal::Decimal;

use crate::event::{Body, Message, Task, WorkerResult};
use crate::mischief::Tampered;
use crate::random::{Random, Stream};
use crate::scenario::{Flood, Forgery, QUERIES, worker_name};

/// The most tasks that it remembers.
const MAX_HEARD: usize = 8;

/// Decides what the adversary sends.
#[derive(Debug)]
pub(crate) struct Adversary {
    random: Random,
    /// The last tasks, latest last.
    heard: VecDeque<Heard>,
    /// The worker in whose name it answers the next task.
    lurks_as: Option<u8>,
    forged: u32,
}

/// What it needs to answer a task.
#[derive(Clone, Debug)]
struct Heard {
    request: RequestId,
    reply: Arc<str>,
    packed: Option<TaskId>,
}

impl Adversary {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, Stream::Adversary, 0), heard: VecDeque::new(), lurks_as: None, forged: 0 }
    }

    /// Hears a message on the subject of tasks. Returns what it sends in response.
    pub(crate) fn hear(&mut self, message: &Message) -> Vec<Tampered> {
        let (Body::Task(task), Some(reply)) = (&message.body, &message.reply) else { return Vec::new() };
        if self.heard.len() == MAX_HEARD {
            self.heard.pop_front();
        }
        let heard = Heard { request: task.request.clone(), reply: Arc::clone(reply), packed: task.packed };
        self.heard.push_back(heard.clone());
        match self.lurks_as.take() {
            Some(number) => vec![self.answer(heard, worker_name(number))],
            None => Vec::new(),
        }
    }

    /// What it sends for a forgery: nothing if that needs a task to answer and it has heard none.
    pub(crate) fn forge(&mut self, forgery: Forgery) -> Vec<Tampered> {
        self.forged += 1;
        match forgery {
            Forgery::UnknownRequest => {
                let request = self.own_request();
                vec![self.answer_shared(worker_name(1), request)]
            }
            Forgery::Answer(number) => {
                let Some(heard) = self.heard.back().cloned() else { return Vec::new() };
                vec![self.answer(heard, worker_name(number))]
            }
            Forgery::AnswerShared(number) => {
                let Some(Heard { request, .. }) = self.heard.back().cloned() else { return Vec::new() };
                vec![self.answer_shared(worker_name(number), request)]
            }
            Forgery::Live(number) => vec![presence(number, PresenceState::Live)],
            Forgery::Left(number) => vec![presence(number, PresenceState::Left)],
            Forgery::Draining(number) => vec![presence(number, PresenceState::Draining)],
            Forgery::NoResponders => {
                let Some(Heard { reply, .. }) = self.heard.back().cloned() else { return Vec::new() };
                vec![Tampered::Message(Message { subject: reply, reply: None, body: Body::NoResponders })]
            }
            Forgery::First(number) => {
                self.lurks_as = Some(number);
                Vec::new()
            }
            Forgery::Repeats(number, count) => {
                let Some(heard) = self.heard.back().cloned() else { return Vec::new() };
                let repeat = |_| self.answer(heard.clone(), worker_name(number));
                (0..count).map(repeat).collect()
            }
            Forgery::Flood(flood, names) => self.flood(flood, names),
            Forgery::Garbage => {
                let shared = [wire::TASKS, wire::PACKS, wire::RESULTS, wire::PRESENCE].map(Arc::from);
                let heard = self.heard.back().into_iter().map(|heard| Arc::clone(&heard.reply));
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
                        packed: None,
                    }),
                })]
            }
        }
    }

    /// Sends the same kind of message under many names, which are the same each time.
    fn flood(&mut self, flood: Flood, names: u16) -> Vec<Tampered> {
        let about = if flood == Flood::Ended { self.heard.front() } else { self.heard.back() };
        let about = about.cloned();
        let mut forged = Vec::new();
        for number in 0..names {
            let name = invented_name(number);
            forged.push(match (flood, &about) {
                (Flood::Live, _) => announcement(name, PresenceState::Live),
                (Flood::Answers, Some(heard)) => self.answer(heard.clone(), name),
                (Flood::Shared | Flood::Ended, Some(heard)) => self.answer_shared(name, heard.request.clone()),
                (_, None) => return forged,
            });
        }
        forged
    }

    /// The id of a request that nobody made.
    fn own_request(&self) -> RequestId {
        RequestId::new(&format!("forged-{}", self.forged)).expect("letters and digits are an identifier")
    }

    /// Answers a task on its reply subject.
    fn answer(&mut self, heard: Heard, worker: WorkerId) -> Tampered {
        let Heard { request, reply: subject, packed } = heard;
        let value = Decimal::from(self.random.below(10_000));
        let result = WorkerResult::new(worker, request, Ok(Value::Number(value)));
        Tampered::Message(Message { subject, reply: None, body: Body::Result(WorkerResult { packed, ..result }) })
    }

    /// Answers a request on the subject that all coordinators share.
    fn answer_shared(&mut self, worker: WorkerId, request: RequestId) -> Tampered {
        self.answer(Heard { request, reply: wire::RESULTS.into(), packed: None }, worker)
    }
}

/// A name that no worker has.
fn invented_name(number: u16) -> WorkerId {
    WorkerId::new(&format!("nobody-{number}")).expect("letters and digits are an identifier")
}

fn presence(number: u8, state: PresenceState) -> Tampered {
    announcement(worker_name(number), state)
}

fn announcement(worker: WorkerId, state: PresenceState) -> Tampered {
    let presence = Presence::new(worker, "adversary".into(), state);
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
                packed: None,
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
        assert_eq!(adversary.forge(Forgery::Garbage).len(), 5);
        assert_eq!(adversary.forge(Forgery::Repeats(1, 7)).len(), 7);
        let about = |forged: &Tampered| match forged {
            Tampered::Message(Message { body: Body::Result(result), .. }) => result.request.to_string(),
            other => panic!("{other:?}"),
        };
        for (flood, request) in [(Flood::Answers, "two"), (Flood::Shared, "two"), (Flood::Ended, "one")] {
            let forged = adversary.forge(Forgery::Flood(flood, 9));
            assert!(forged.len() == 9 && forged.iter().all(|forged| about(forged) == request), "{forged:?}");
        }
        assert_eq!(adversary.forge(Forgery::First(2)), []);
        let first = adversary.hear(&task("three"));
        assert!(first.len() == 1 && about(&first[0]) == "three", "{first:?}");
        assert_eq!(adversary.hear(&task("four")), []);
    }
}
