//! What a worker's source returns, and after how long.

use std::time::Duration;

use quorate_core::value::Value;
use quorate_runtime::source::{Reading, SourceError};
use rust_decimal::Decimal;

use crate::host::Host;
use crate::instance;
use crate::random::{Random, Stream};
use crate::scenario::{FaultKind, QUERIES, Truth, Worker};

/// The value that liars report where the truth is a text.
const LIE: &str = "dog";

/// The failure that a driver reports for a source that panicked. On the machines stage, which has no drivers, such a
/// source fails with the same text.
pub(crate) const PANICKED: &str = "the source panicked";

/// What is wrong with the source of one worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceFaults {
    /// How much longer an observation takes.
    pub(crate) slow: Duration,
    /// The least share of observations that fail, in thousandths; the worker's own share counts if it is larger.
    pub(crate) fail_permille: u32,
    /// The share of observations that panic, in thousandths.
    pub(crate) panic_permille: u32,
    /// How far its values are above the truth, in thousandths of the truth.
    pub(crate) lie_permille: Option<i64>,
    /// How much older its values are.
    pub(crate) stale: Option<Duration>,
    /// All faults have ended: the source is as quick as it can be, never fails or lies, and its values are fresh.
    pub(crate) healed: bool,
}

impl SourceFaults {
    /// What the active faults do to the source of a worker. If there are two lies, the later in the schedule counts.
    pub(crate) fn of<'a>(worker: Host, lasting: impl IntoIterator<Item = &'a FaultKind>) -> Self {
        let mut faults = Self::default();
        for kind in lasting {
            match kind {
                FaultKind::SlowSource(host, millis) if *host == worker => faults.slow += Duration::from_millis(*millis),
                FaultKind::FailSource(host, permille) if *host == worker => {
                    faults.fail_permille = faults.fail_permille.max(*permille);
                }
                FaultKind::PanicSource(host, permille) if *host == worker => {
                    faults.panic_permille = faults.panic_permille.max(*permille);
                }
                FaultKind::StaleSource(host, millis) if *host == worker => {
                    faults.stale = Some(faults.stale.unwrap_or_default() + Duration::from_millis(*millis));
                }
                FaultKind::Lie(hosts, permille) if hosts.contains(&worker) => faults.lie_permille = Some(*permille),
                _ => {}
            }
        }
        faults
    }
}

/// The source of one worker process.
#[derive(Debug)]
pub(crate) struct Observer {
    random: Random,
    /// How long an observation takes, from and to, in milliseconds.
    takes: (u64, u64),
    fail_permille: u32,
    dated_permille: u32,
    /// The age of dated values, from and to, in milliseconds.
    age: (u64, u64),
}

impl Observer {
    pub(crate) fn new(seed: u64, worker: &Worker, incarnation: u32) -> Self {
        let host = instance::stream(worker.number, incarnation);
        Self {
            random: Random::new(seed, Stream::Worker, host),
            takes: worker.observe_ms,
            fail_permille: worker.fail_permille,
            dated_permille: worker.dated_permille,
            age: worker.age_ms,
        }
    }

    /// How long an observation takes, and its result. The number of random numbers drawn does not depend on the faults,
    /// so that a fault changes only the observations it affects.
    pub(crate) fn observe(&mut self, query: &str, faults: &SourceFaults) -> (Duration, Result<Reading, String>) {
        let takes = Duration::from_millis(self.random.within(self.takes.0..=self.takes.1));
        let luck = self.random.below(1000);
        let question = QUERIES.iter().find(|question| question.text == query);
        let noise = match question.map(|question| question.truth) {
            Some(Truth::Number { noise, .. }) => noise,
            Some(Truth::Text(_)) | None => 0,
        };
        let offset = i128::from(self.random.below(2 * noise + 1)) - i128::from(noise);
        let dated = self.age();
        let Some(question) = question else {
            return (Duration::ZERO, Err(SourceError::UnknownQuery(query.to_owned()).to_string()));
        };
        if faults.healed {
            let value = honest(question.truth, offset);
            return (Duration::from_millis(self.takes.0), Ok(Reading { value, age: dated.map(|_| Duration::ZERO) }));
        }
        let takes = takes + faults.slow;
        if luck < u64::from(self.fail_permille.max(faults.fail_permille)) {
            return (takes, Err("the source does not answer".to_owned()));
        }
        if luck >= u64::from(1000_u32.saturating_sub(faults.panic_permille)) {
            return (takes, Err(PANICKED.to_owned()));
        }
        let value = match faults.lie_permille {
            Some(permille) => lie(question.truth, permille),
            None => honest(question.truth, offset),
        };
        let age = match faults.stale {
            Some(stale) => Some(dated.unwrap_or_default() + stale),
            None => dated,
        };
        (takes, Ok(Reading { value, age }))
    }

    /// The age that the source states for its next value. A source that never states one draws no random numbers.
    fn age(&mut self) -> Option<Duration> {
        if self.dated_permille == 0 {
            return None;
        }
        let is_dated = self.random.chance(self.dated_permille);
        let age = self.random.within(self.age.0..=self.age.1);
        is_dated.then(|| Duration::from_millis(age))
    }
}

/// The truth, off by `offset` units of its mantissa.
fn honest(truth: Truth, offset: i128) -> Value {
    match truth {
        Truth::Number { mantissa, scale, as_text, .. } => number(i128::from(mantissa) + offset, scale, as_text),
        Truth::Text(text) => Value::Text(text.into()),
    }
}

/// The value that a liar reports. It depends only on the truth, so that all liars agree.
fn lie(truth: Truth, permille: i64) -> Value {
    match truth {
        Truth::Number { mantissa, scale, as_text, .. } => {
            number(i128::from(mantissa) * (1000 + i128::from(permille)), scale + 3, as_text)
        }
        Truth::Text(_) => Value::Text(LIE.into()),
    }
}

fn number(mantissa: i128, scale: u32, as_text: bool) -> Value {
    let number = Decimal::from_i128_with_scale(mantissa, scale);
    if as_text { Value::Text(number.to_string().into()) } else { Value::Number(number) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn worker() -> Worker {
        Worker { observe_ms: (5, 20), ..Scenario::quiet().cluster.workers[0].clone() }
    }

    #[test]
    fn an_honest_observation_is_near_the_truth_and_in_time() {
        let mut observer = Observer::new(1, &worker(), 1);
        let (mut low, mut high) = (Decimal::MAX, Decimal::MIN);
        for _ in 0..1000 {
            let (takes, value) = observer.observe("BTC/USD", &SourceFaults::default());
            assert!((5..=20).contains(&takes.as_millis()));
            let number = value.expect("a value").value.as_number().expect("a number");
            low = low.min(number);
            high = high.max(number);
        }
        assert!(low >= Decimal::new(4_179_000, 2) && high <= Decimal::new(4_221_000, 2), "{low} {high}");
        assert!(high - low > Decimal::from(300), "{low} {high}");
        assert_eq!(
            observer.observe("ETH/USD as text", &SourceFaults::default()).1.map(|v| v.value.to_string().len()),
            Ok(7)
        );
    }

    #[test]
    fn liars_agree_and_a_healed_source_is_honest() {
        let host = Host::Worker(1);
        let faults = [
            FaultKind::Lie(vec![host], 50),
            FaultKind::SlowSource(host, 100),
            FaultKind::FailSource(Host::Worker(2), 1000),
        ];
        let lying = SourceFaults::of(host, &faults);
        for incarnation in 1..3 {
            let mut observer = Observer::new(1, &worker(), incarnation);
            let (takes, value) = observer.observe("BTC/USD", &lying);
            assert!(takes.as_millis() >= 105);
            assert_eq!(value, Ok(Value::number("44100.00000").expect("a number").into()));
            assert_eq!(observer.observe("label/cat.jpg", &lying).1, Ok(Value::Text("dog".into()).into()));
            let healed = SourceFaults { healed: true, ..lying };
            assert_eq!(
                observer.observe("label/cat.jpg", &healed),
                (Duration::from_millis(5), Ok(Value::Text("cat".into()).into()))
            );
        }
        assert_eq!(SourceFaults::of(Host::Worker(2), &faults).fail_permille, 1000);
    }

    #[test]
    fn a_source_states_ages_as_often_as_its_settings_say() {
        let dated = Worker { dated_permille: 500, age_ms: (100, 200), ..worker() };
        let stale = FaultKind::StaleSource(Host::Worker(1), 1000);
        let ages = |faults: SourceFaults| {
            let mut observer = Observer::new(1, &dated, 1);
            let ages = (0..1000).map(|_| observer.observe("BTC/USD", &faults).1.expect("a value").age);
            ages.map(|age| age.map(|age| age.as_millis())).collect::<Vec<_>>()
        };
        let (of_itself, older) = (ages(SourceFaults::default()), ages(SourceFaults::of(Host::Worker(1), [&stale])));
        assert!((400..600).contains(&of_itself.iter().flatten().count()));
        assert!(of_itself.iter().flatten().all(|age| (100..=200).contains(age)));
        assert!(of_itself.iter().zip(&older).all(|(age, older)| *older == Some(age.unwrap_or(0) + 1000)));
        let healed = SourceFaults { healed: true, ..SourceFaults::of(Host::Worker(1), [&stale]) };
        assert!(ages(healed).iter().flatten().all(|age| *age == 0));
    }

    #[test]
    fn an_unknown_query_fails_at_once() {
        let (takes, observed) = Observer::new(1, &worker(), 1).observe("x", &SourceFaults::default());
        assert_eq!((takes, observed), (Duration::ZERO, Err(r#"no source for query "x""#.to_owned())));
    }
}
