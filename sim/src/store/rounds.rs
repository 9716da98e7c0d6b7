//! What the workers answer: each query has a value that walks at random, and a round takes its time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_core::coordinator::Refusal;
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::outcome::{Answer, Cause, Failure, Observation, Observed, Outcome, Status};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::value::Value;
use quorate_runtime::clock::Clock;
use quorate_runtime::driver::{AskError, Asks};
use quorate_runtime::wire::{EncodedOutcome, Numbers, encode_outcome};
use rust_decimal::Decimal;

use super::event::StoreEvent;
use super::stage::Stage;
use crate::host::Host;
use crate::instance;
use crate::random::{Random, Stream};
use crate::scenario::{Feed, StoreFaultKind};

/// The decimal places of a value.
const SCALE: u32 = 2;

/// Asks the rounds of one process.
#[derive(Clone)]
pub(super) struct Rounds {
    stage: Arc<Stage>,
    host: Host,
    clock: Clock,
    random: Arc<Mutex<Random>>,
}

/// How a round ends.
#[derive(Clone, Copy)]
enum End {
    Agreed,
    Disputed,
    Rejected,
    Failed,
    BusDown,
}

impl Rounds {
    pub(super) fn new(stage: Arc<Stage>, number: u8, incarnation: u32, clock: Clock) -> Self {
        let random = Random::new(stage.seed, Stream::Rounds, instance::stream(number, incarnation));
        Self { stage, host: Host::Coordinator(number), clock, random: Arc::new(Mutex::new(random)) }
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The round of a feed.
    async fn round(&self, number: u64, query: Query, feed: &Feed) -> Result<Arc<Outcome>, AskError> {
        let (time, refused, end) = self.draw(|random| {
            let time = random.within(feed.round_ms.0..=feed.round_ms.1);
            let refused = random.chance(feed.refused_permille);
            let end = match () {
                () if random.chance(feed.failed_permille) => End::Failed,
                () if random.chance(feed.disputed_permille) => random.pick(&[End::Disputed, End::Rejected]),
                () => End::Agreed,
            };
            (time, refused, end)
        });
        if refused {
            return Err(AskError::Refused(Refusal::Overloaded));
        }
        let slow = self.stage.lasting(|kind| match kind {
            StoreFaultKind::SlowRounds(number, ms) if number == feed.number => Some(ms),
            _ => None,
        });
        let time = Duration::from_millis(time + slow.unwrap_or(0));
        tokio::time::sleep(time).await;
        let fails = self.stage.lasting(|kind| (kind == StoreFaultKind::FailRounds(feed.number)).then_some(()));
        let end = if fails.is_some() { End::Failed } else { end };
        let id = format!("r{number}");
        Ok(Arc::new(self.outcome(&id, query, value(self.stage.seed, feed, self.stage.now()), time, end)))
    }

    /// The answer to a durable request. Each has another value, so that no two outcomes are the same.
    async fn durable(&self, number: u64, id: RequestId, query: Query) -> Result<Arc<Outcome>, AskError> {
        let (low, high) = self.stage.round_ms(&id);
        let (time, refused, end) = self.draw(|random| {
            let refused = random.chance(50);
            let end = random.pick(&[End::Agreed, End::Agreed, End::Agreed, End::Rejected, End::Failed, End::BusDown]);
            (Duration::from_millis(random.within(low..=high)), refused, end)
        });
        if refused {
            return Err(AskError::Refused(Refusal::Overloaded));
        }
        tokio::time::sleep(time).await;
        Ok(Arc::new(self.outcome(id.as_str(), query, Decimal::from(number), time, end)))
    }

    fn outcome(&self, id: &str, query: Query, value: Decimal, elapsed: Duration, end: End) -> Outcome {
        let answered_at = self.clock.unix_time();
        let observed = answered_at.before(elapsed / 2);
        let status = match end {
            End::Agreed => Status::Complete,
            End::Disputed | End::Rejected | End::Failed | End::BusDown => Status::Disputed,
        };
        let value = Value::Number(value);
        let answer =
            Answer { value: value.clone(), exact: None, used: 2, agreeing: 2, tie: false, spread: None, status };
        let verdict = match end {
            End::Agreed | End::Disputed => Ok(answer),
            End::Rejected => Err(Failure::Disputed { agreeing: 1, used: 2 }),
            End::BusDown => Err(Failure::BusDown),
            End::Failed => Err(Failure::InsufficientResponses { usable: 1, required: 2 }),
        };
        let worker = |name| WorkerId::new(name).expect("a name");
        let observation = |name| Observation::new(worker(name), Ok(value.clone()));
        Outcome {
            observations: vec![observation("w1"), observation("w2")],
            succeeded: 2,
            elapsed,
            answered_at,
            observed: Some(Observed { oldest: observed, newest: observed }),
            cause: Cause::AllAnswered,
            verdict,
            ..Outcome::unanswered(RequestId::new(id).expect("an id"), query)
        }
    }
}

impl Asks for Rounds {
    async fn ask(&self, id: Option<RequestId>, query: Query, _: Overrides) -> Result<EncodedOutcome, AskError> {
        let number = self.stage.number();
        self.stage.tell(self.host, &StoreEvent::Asked(number, query.clone(), id.clone()));
        let answered = if let Some(id) = id {
            self.durable(number, id, query).await
        } else {
            let feed = self.stage.feed(query.as_str()).expect("the query of a feed").clone();
            self.round(number, query, &feed).await
        };
        self.stage.tell(self.host, &StoreEvent::Answered(number, answered.as_ref().ok().cloned()));
        answered.map(|outcome| EncodedOutcome { body: encode_outcome(&outcome, Numbers::Number), outcome })
    }
}

/// The value of a feed at a time since the run began: it changes with every second.
fn value(seed: u64, feed: &Feed, now: Duration) -> Decimal {
    let mut walk = Random::new(seed, Stream::Rounds, u32::from(feed.number));
    let step = i64::from(feed.step);
    let steps = (0..now.as_secs()).map(|_| walk.within(0..=2 * u64::from(feed.step)).cast_signed() - step);
    Decimal::new(feed.start.saturating_add(steps.sum()), SCALE)
}
