//! Decodes a fuzzer's bytes into cases. A small change of the bytes is a small change of the case.

use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Arbitrary as _, Result, Unstructured};
use quorate_core::aggregate::{Millionths, OutlierRule, Rule, Strategy};
use quorate_core::coordinator::{Config, Expected, Policies, PresenceState, QueryPolicy, Score, UndeliveredCause};
use quorate_core::pattern::Pattern;
use quorate_core::policy::{OnDispute, Overrides, Policy};
use quorate_core::time::UnixTime;
use quorate_core::value::Value;
use rust_decimal::Decimal;

use super::aggregation::{MAX_MANTISSA, Sent};
use super::clock::Clock;
use super::steps::{Step, Subject, TimedStep, worker};

/// The most steps or values in a case.
const MOST: usize = 300;

type Bytes<'a> = Unstructured<'a>;

/// A rule and values; `None` if there are too few bytes.
pub fn aggregation(data: &[u8]) -> Option<(Rule, Vec<Sent>)> {
    let mut bytes = Unstructured::new(data);
    let rule = rule(&mut bytes).ok()?;
    let sent = all(&mut bytes, |bytes| {
        let age = optional(bytes, |bytes| Ok(Duration::from_secs(bytes.int_in_range(0..=5)?)))?;
        Ok(Sent { value: value(bytes)?, weight: factor(bytes)?, age })
    });
    Some((rule, sent))
}

/// A coordinator's configuration, its seed and its steps; `None` if there are too few bytes.
pub fn coordinator(data: &[u8]) -> Option<(Config, u64, Vec<TimedStep>)> {
    let mut bytes = Unstructured::new(data);
    let config = config(&mut bytes).ok()?;
    let seed = u64::arbitrary(&mut bytes).ok()?;
    let steps = all(&mut bytes, |bytes| Ok(TimedStep(clock(bytes)?, step(bytes)?)));
    Some((config, seed, steps))
}

/// As many items as there are bytes for, up to [`MOST`].
fn all<T>(bytes: &mut Bytes<'_>, mut one: impl FnMut(&mut Bytes<'_>) -> Result<T>) -> Vec<T> {
    let mut all = Vec::new();
    while !bytes.is_empty() && all.len() < MOST {
        match one(bytes) {
            Ok(item) => all.push(item),
            Err(_) => break,
        }
    }
    all
}

fn optional<T>(bytes: &mut Bytes<'_>, some: impl FnOnce(&mut Bytes<'_>) -> Result<T>) -> Result<Option<T>> {
    if bytes.ratio(1_u8, 2)? { some(bytes).map(Some) } else { Ok(None) }
}

fn millis(bytes: &mut Bytes<'_>, most: u64) -> Result<Duration> {
    Ok(Duration::from_millis(bytes.int_in_range(0..=most)?))
}

fn decimal(bytes: &mut Bytes<'_>) -> Result<Decimal> {
    let mantissa = match bytes.int_in_range(0..=3)? {
        0 => i128::arbitrary(bytes)? % (MAX_MANTISSA + 1),
        1 => MAX_MANTISSA - bytes.int_in_range(0..=3)?,
        2 => -MAX_MANTISSA + bytes.int_in_range(0..=3)?,
        _ => bytes.int_in_range(-40..=40)?,
    };
    Ok(Decimal::from_i128_with_scale(mantissa, bytes.int_in_range(0..=28)?))
}

fn value(bytes: &mut Bytes<'_>) -> Result<Value> {
    Ok(match bytes.int_in_range(0..=5)? {
        0 => Value::Text(decimal(bytes)?.to_string().into()),
        1 => Value::text(bytes.choose(&["red", "blue", "1.0", "é", ""])?).expect("short"),
        _ => Value::Number(decimal(bytes)?),
    })
}

fn factor(bytes: &mut Bytes<'_>) -> Result<Millionths> {
    let millionths = if bytes.arbitrary()? {
        bytes.int_in_range(0..=8)? * 500_000
    } else {
        bytes.int_in_range(0..=Millionths::MAX.get())?
    };
    Ok(Millionths::new(millionths))
}

fn outliers(bytes: &mut Bytes<'_>) -> Result<OutlierRule> {
    Ok(match bytes.int_in_range(0..=4)? {
        0 => OutlierRule::Mad(factor(bytes)?),
        1 => OutlierRule::Iqr(factor(bytes)?),
        2 => OutlierRule::Relative(decimal(bytes)?),
        3 => OutlierRule::None,
        _ => OutlierRule::Relative(Decimal::new(bytes.int_in_range(0..=100)?, 2)),
    })
}

fn rule(bytes: &mut Bytes<'_>) -> Result<Rule> {
    Ok(Rule {
        strategy: *bytes.choose(Strategy::ALL)?,
        precision: bytes.int_in_range(0..=28)?,
        trim_share: factor(bytes)?,
        max_deviation: outliers(bytes)?,
        tolerance: optional(bytes, decimal)?,
        min_agreement: optional(bytes, factor)?,
        max_age: optional(bytes, |bytes| millis(bytes, 5_000))?,
    })
}

fn on_dispute(bytes: &mut Bytes<'_>) -> Result<OnDispute> {
    bytes.choose(&OnDispute::ALL).copied()
}

/// Overrides that are not always within the limits.
fn overrides(bytes: &mut Bytes<'_>) -> Result<Overrides> {
    let Rule { strategy, precision, trim_share, max_deviation, tolerance, min_agreement, max_age } = rule(bytes)?;
    Ok(Overrides {
        strategy: Some(strategy),
        precision: Some(precision + bytes.int_in_range(0..=1)?),
        trim_share: Some(trim_share),
        max_deviation: Some(max_deviation),
        tolerance,
        min_agreement,
        max_age,
        on_dispute: optional(bytes, on_dispute)?,
        min_responses: optional(bytes, |bytes| bytes.int_in_range(0..=3))?,
        quorum: optional(bytes, |bytes| bytes.int_in_range(0..=4))?,
        timeout: optional(bytes, |bytes| millis(bytes, 2_000))?,
        decimals: optional(bytes, |bytes| bytes.int_in_range(0..=29))?,
    })
}

/// A policy within the limits.
fn policy(bytes: &mut Bytes<'_>) -> Result<Policy> {
    let mut rule = rule(bytes)?;
    rule.trim_share = Millionths::new(rule.trim_share.get() % 500_000);
    rule.tolerance = rule.tolerance.map(|tolerance| tolerance.abs());
    rule.min_agreement = rule.min_agreement.map(|share| share.min(Millionths::ONE));
    if let OutlierRule::Relative(fraction) = rule.max_deviation {
        rule.max_deviation = OutlierRule::Relative(fraction.abs());
    }
    Ok(Policy {
        rule,
        min_responses: bytes.int_in_range(1..=2)?,
        quorum: optional(bytes, |bytes| bytes.int_in_range(2..=3))?,
        timeout: Duration::from_secs(1),
        on_dispute: on_dispute(bytes)?,
        decimals: optional(bytes, |bytes| bytes.int_in_range(0..=28))?,
    })
}

fn expected(bytes: &mut Bytes<'_>) -> Result<Expected> {
    let workers = (0..bytes.int_in_range(0..=2)?).map(|_| bytes.int_in_range(0..=7).map(worker));
    Ok(Expected { workers: workers.collect::<Result<_>>()?, least: bytes.int_in_range(0..=4)? })
}

fn config(bytes: &mut Bytes<'_>) -> Result<Config> {
    let mut config = Config {
        policy: policy(bytes)?,
        expected: expected(bytes)?,
        suspect_after: optional(bytes, |bytes| millis(bytes, 200))?,
        usual_samples: bytes.int_in_range(0..=3)?,
        single_every: millis(bytes, 2_000)?,
        max_in_flight: bytes.int_in_range(0..=8)?,
        max_waiting: bytes.int_in_range(0..=4)?,
        max_remembered: bytes.int_in_range(0..=16)?,
        presence: millis(bytes, 60_000)?,
        max_lag: millis(bytes, 2_000)?,
        max_newcomers: bytes.int_in_range(0..=3)?,
        admit_every: millis(bytes, 200)?,
        admit_burst: bytes.int_in_range(0..=4)?,
        keep_gone: millis(bytes, 2_000)?,
        kept_queries: bytes.int_in_range(0..=2)?,
        stall: millis(bytes, 500)?,
        redispatch_permille: bytes.int_in_range(0..=1_500)?,
        remember: millis(bytes, 5_000)?,
        max_instances: *bytes.choose(&[0, 1, 2, 64])?,
        response_times: *bytes.choose(&[1, 2, 5, 128])?,
        reconnect_grace: millis(bytes, 250)?,
        quarantine_below: optional(bytes, |bytes| bytes.int_in_range(0..=1_000_000).map(Score::from_millionths))?,
        events: true,
        ..Config::default()
    };
    config.limits.max_workers = bytes.int_in_range(0..=8)?;
    let names = optional(bytes, |bytes| {
        let count: usize = bytes.int_in_range(0..=6)?;
        (0..count).map(|_| bytes.int_in_range(0..=5).map(worker)).collect::<Result<_>>()
    })?;
    config.admitted = names;
    let Policies { policies, weights } = policies(bytes)?;
    Ok(Config { policies, weights, ..config })
}

/// The policies of some queries, and the weights of some workers.
fn policies(bytes: &mut Bytes<'_>) -> Result<Policies> {
    let mut all = Policies::default();
    for _ in 0..bytes.int_in_range(0..=2)? {
        let pattern = bytes.choose(&["*", "*/USD", "BTC/*", "ETH/USD"]).copied().map(Pattern::new)?;
        let (policy, expected) = (policy(bytes)?, expected(bytes)?);
        all.policies.push(QueryPolicy { pattern, policy, expected }.into());
    }
    for _ in 0..bytes.int_in_range(0..=3)? {
        Arc::make_mut(&mut all.weights).insert(worker(bytes.int_in_range(0..=5)?), factor(bytes)?);
    }
    Ok(all)
}

fn clock(bytes: &mut Bytes<'_>) -> Result<Clock> {
    Ok(match bytes.int_in_range(0..=31)? {
        0 => Clock::Jump(millis(bytes, 2_000)?),
        1 => Clock::Back(Duration::from_nanos(u32::arbitrary(bytes)?.into())),
        2 => Clock::To(bytes.arbitrary()?),
        3 => Clock::BeforeTheEnd(millis(bytes, 3_000)?),
        4..=7 => Clock::Wait(millis(bytes, 10_000)?),
        8..=15 => Clock::Wait(millis(bytes, 200)?),
        _ => Clock::Wait(Duration::ZERO),
    })
}

fn step(bytes: &mut Bytes<'_>) -> Result<Step> {
    Ok(match bytes.int_in_range(0..=49)? {
        0..=9 => Step::Submit {
            id: optional(bytes, |bytes| bytes.int_in_range(0..=3))?,
            query: bytes.int_in_range(0..=1)?,
            overrides: optional(bytes, overrides)?.unwrap_or_default(),
        },
        10..=11 => Step::Cancel { ticket: bytes.arbitrary()? },
        12..=29 => {
            let (worker, task) = (bytes.int_in_range(0..=5)?, bytes.arbitrary()?);
            let subjects = [Subject::Own, Subject::Own, Subject::Own, Subject::Shared, Subject::Other];
            let subject = *bytes.choose(&subjects)?;
            let kind = bytes.int_in_range(0..=7)?;
            let observed = if kind % 2 == 0 { Ok(value(bytes)?) } else { Err(()) };
            let age = optional(bytes, |bytes| millis(bytes, 4))?;
            Step::Result { worker, task, subject, observed, overloaded: kind >= 4, age }
        }
        30..=31 => Step::Repeat,
        32 => Step::Unknown { worker: bytes.int_in_range(0..=5)? },
        33..=34 => Step::Undelivered {
            task: bytes.arbitrary()?,
            cause: *bytes.choose(&[
                UndeliveredCause::NoResponders,
                UndeliveredCause::Disconnected,
                UndeliveredCause::QueueFull,
            ])?,
        },
        35..=40 => Step::Presence {
            worker: bytes.int_in_range(0..=5)?,
            instance: bytes.int_in_range(0..=2)?,
            state: *bytes.choose(&[
                PresenceState::Live,
                PresenceState::Live,
                PresenceState::Draining,
                PresenceState::Left,
            ])?,
            replicated: bytes.arbitrary()?,
            offer: bytes.int_in_range(0..=7)?,
            packs: bytes.ratio(4, 5)?,
        },
        41 => Step::Crowd {
            worker: bytes.int_in_range(0..=5)?,
            come: bytes.int_in_range(62..=66)?,
            leave: bytes.int_in_range(60..=66)?,
        },
        42..=44 => Step::BusUp,
        45 => Step::BusDown,
        46 => Step::Drain,
        47 => Step::WallClock(UnixTime::from_nanos(bytes.arbitrary()?)),
        48 => Step::Policies(policies(bytes)?),
        _ => Step::Idle,
    })
}
