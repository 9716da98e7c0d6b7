//! One request that ended in different ways, for examples.

use std::time::Duration;

use quorate_core::aggregate::{Spread, Strategy};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::outcome::{Answer, Cause, Failure, Observation, Observed, Outcome, Status};
use quorate_core::query::Query;
use quorate_core::time::UnixTime;
use quorate_core::value::Value;
use rust_decimal::Decimal;

use crate::wire::EncodedOutcome;

/// Noon of a day in 2026, when the request was submitted.
const NOON: UnixTime = UnixTime::from_nanos(1_790_251_200_000_000_000);

/// Two of three workers returned a value, and one failed.
pub(crate) fn answered() -> Outcome {
    let answer = Answer {
        value: number("41945.375"),
        exact: None,
        used: 2,
        agreeing: 2,
        tie: false,
        spread: Some(Spread {
            min: Decimal::new(4_189_025, 2),
            max: Decimal::new(420_005, 1),
            interquartile: Some(Decimal::new(55_125, 3)),
            mad: Decimal::new(55_125, 3),
        }),
        status: Status::Partial,
    };
    let observation = |worker, observed, millis| Observation {
        response_time: Duration::from_millis(millis),
        ..Observation::new(worker_id(worker), observed)
    };
    Outcome {
        request: RequestId::new("order-7781-price").expect("an id"),
        query: Query::new("BTC/USD").expect("a query"),
        strategy: Strategy::Median,
        observations: vec![
            observation("bitstamp", Err("www.bitstamp.net: answered 502 Bad Gateway".into()), 92),
            observation("coinbase", Ok(number("42000.5")), 183),
            observation("kraken", Ok(number("41890.25")), 240),
        ],
        missing: Vec::new(),
        suspects: Vec::new(),
        absent: Vec::new(),
        unnamed: 0,
        succeeded: 2,
        elapsed: Duration::from_millis(241),
        answered_at: NOON.after(Duration::from_millis(241)),
        observed: Some(Observed {
            oldest: NOON.after(Duration::from_millis(183)),
            newest: NOON.after(Duration::from_millis(240)),
        }),
        cause: Cause::AllAnswered,
        verdict: Ok(answer),
    }
}

/// The same request without an answer.
pub(crate) fn failed(failure: Failure) -> EncodedOutcome {
    let mut outcome = answered();
    let silent = matches!(failure, Failure::DeadlineExceeded | Failure::NoWorkers | Failure::BusDown);
    if silent {
        outcome.observations.clear();
        outcome.succeeded = 0;
        outcome.observed = None;
    }
    if failure == Failure::DeadlineExceeded {
        outcome.missing = ["bitstamp", "coinbase", "kraken"].map(worker_id).into();
        outcome.elapsed = Duration::from_secs(5);
        outcome.answered_at = NOON.after(Duration::from_secs(5));
        outcome.cause = Cause::DeadlinePassed;
    }
    outcome.verdict = Err(failure);
    EncodedOutcome::new(outcome.into())
}

fn number(text: &str) -> Value {
    Value::number(text).expect("a number")
}

fn worker_id(text: &str) -> WorkerId {
    WorkerId::new(text).expect("an id")
}
