//! One request that ended in different ways, for examples.

use std::time::Duration;

use quorate_core::aggregate::{Spread, Strategy};
use quorate_core::feed::{Definition, FeedName, Link, Reason, Record, Report};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::outcome::{Answer, Cause, Failure, Observation, Observed, Outcome, Status};
use quorate_core::query::Query;
use quorate_core::time::UnixTime;
use quorate_core::value::Value;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value as Json;

use super::feeds::history::HistoryBody;
use super::feeds::latest::{LatestBody, LatestState};
use super::feeds::list::FeedsBody;
use crate::feeds::Latest;
use crate::wire::{EncodedOutcome, JsonTime, RecordBody, decode_record, encode_record};

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

/// A report of the request as a round of a feed.
fn round() -> Record {
    Record {
        feed: FeedName::new("BTC-USD").expect("a name"),
        round: 4711,
        reported: Some(Reason::Deviation),
        last_report: Some(Report { round: 4710, value: number("41730.5"), answered_at: NOON }),
        outcome: answered().into(),
        previous: Some(Link { sequence: 90_211, digest: [0x5f; 32] }),
        lease: 17,
    }
}

/// The record of a feed.
pub(super) fn record() -> Json {
    serde_json::from_slice(&encode_record(&round(), "c1f2")).expect("a record is JSON")
}

/// The last report of a feed.
pub(super) fn feed() -> Json {
    let at = answered().answered_at;
    let state = LatestState {
        age_ms: 1200,
        stale: false,
        newest_round: 4711,
        newest_status: "partial",
        newest_at: JsonTime(at),
    };
    let round = round();
    let outcome = serde_json::value::to_raw_value(&record()["outcome"]).expect("JSON");
    json(&LatestBody { state, record: RecordBody::of(&round, "c1f2", Some(&outcome)) })
}

/// All feeds.
pub(super) fn feeds() -> Json {
    let (name, query) = (FeedName::new("BTC-USD").expect("a name"), Query::new("BTC/USD").expect("a query"));
    let definition = Definition {
        deviation: Some(Decimal::new(5, 3)),
        min_interval: Duration::from_secs(1),
        ..Definition::new(name.clone(), query, Duration::from_secs(10))
    };
    let record = decode_record(&name, 90_212, &encode_record(&round(), "c1f2")).expect("a record");
    let latest = Latest::new(definition.into(), record);
    json(&FeedsBody::of(&[latest.into()], answered().answered_at.after(Duration::from_millis(1200))))
}

/// A page of a feed's history.
pub(super) fn feed_history() -> Json {
    let record = serde_json::value::to_raw_value(&record()).expect("JSON");
    json(&HistoryBody { feed: "BTC-USD", reports: vec![&record], next: Some(4712) })
}

fn json(body: &impl Serialize) -> Json {
    serde_json::to_value(body).expect("a body is serializable")
}

fn number(text: &str) -> Value {
    Value::number(text).expect("a number")
}

fn worker_id(text: &str) -> WorkerId {
    WorkerId::new(text).expect("an id")
}
