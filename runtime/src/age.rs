//! How old a value is, as results and sources state it: an age, or the time of the observation.
//!
//! A time becomes an age by the reader's wall clock, so a wrong clock distorts it. An age needs no clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_core::value::Value;
use rust_decimal::prelude::{Decimal, ToPrimitive as _};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The age in `age_ms`, or else the time from `observed_at` to `now`. `None` if both are absent. Both are checked.
///
/// # Errors
/// A message for people if either cannot be read.
pub(crate) fn stated(
    age_ms: Option<&RawValue>,
    observed_at: Option<&RawValue>,
    now: SystemTime,
) -> Result<Option<Duration>, &'static str> {
    let age = age_ms.map(millis).transpose()?;
    let since = observed_at.map(|text| rfc3339_text(text).map(|at| since(at, now))).transpose()?;
    Ok(age.or(since))
}

/// A whole number of milliseconds.
fn millis(json: &RawValue) -> Result<Duration, &'static str> {
    let whole = match Value::number(json.get()) {
        Ok(Value::Number(number)) if number.is_integer() => number.to_u64(),
        _ => None,
    };
    whole.map(Duration::from_millis).ok_or("age_ms must be a whole number of milliseconds, 0 or more")
}

fn rfc3339_text(json: &RawValue) -> Result<StatedTime, &'static str> {
    let text = serde_json::from_str::<String>(json.get()).ok();
    text.and_then(|text| StatedTime::rfc3339(&text))
        .ok_or("observed_at must be an RFC 3339 time such as \"2024-05-01T12:00:00Z\"")
}

/// How long before `now` the moment `at` was. Zero if it is later, as it can be when the clocks of hosts differ.
pub(crate) fn since(at: StatedTime, now: SystemTime) -> Duration {
    let nanos = StatedTime::from(now).0.saturating_sub(at.0).max(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A time that a worker or a source states: nanoseconds since the beginning of 1970, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatedTime(i128);

impl StatedTime {
    /// Reads a time as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) writes it, with its offset from UTC.
    pub(crate) fn rfc3339(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(|at| Self(at.unix_timestamp_nanos()))
    }

    /// Reads seconds, or milliseconds from 10^11 on: as seconds those would lie beyond the year 5100, and as
    /// milliseconds they begin in 1973. `None` if the number is negative or too large.
    pub(crate) fn from_number(number: Decimal) -> Option<Self> {
        let first_millis = Decimal::from(100_000_000_000_u64);
        let nanos_each = if number < first_millis { 1_000_000_000_u64 } else { 1_000_000 };
        let nanos = number.checked_mul(Decimal::from(nanos_each))?;
        if number < Decimal::ZERO { None } else { nanos.to_u64().map(|nanos| Self(nanos.into())) }
    }
}

impl From<SystemTime> for StatedTime {
    fn from(at: SystemTime) -> Self {
        let nanos = |span: Duration| i128::try_from(span.as_nanos()).unwrap_or(i128::MAX);
        Self(at.duration_since(UNIX_EPOCH).map_or_else(|before| -nanos(before.duration()), nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(age_ms: Option<&str>, observed_at: Option<&str>, now_ms: u64) -> Result<Option<u128>, &'static str> {
        let [age_ms, observed_at] =
            [age_ms, observed_at].map(|json| json.map(|json| RawValue::from_string(json.to_owned()).expect("JSON")));
        let now = UNIX_EPOCH + Duration::from_millis(now_ms);
        stated(age_ms.as_deref(), observed_at.as_deref(), now).map(|age| age.map(|age| age.as_millis()))
    }

    #[test]
    fn an_age_is_a_whole_number_of_milliseconds() {
        for (json, millis) in
            [("0", 0), ("-0", 0), ("1500", 1500), ("1e3", 1000), ("5.0", 5), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(read(Some(json), None, 0), Ok(Some(millis.into())), "{json}");
        }
        for json in ["-1", "0.5", "1e-3", "18446744073709551616", "1e99", "\"5\"", "true", "[5]", "{}"] {
            let error = read(Some(json), None, 0).expect_err(json);
            assert!(error.starts_with("age_ms must be"), "{json}: {error}");
        }
        assert_eq!(read(None, None, 0), Ok(None));
    }

    #[test]
    fn a_time_becomes_an_age_by_the_clock_of_the_reader() {
        for (json, millis) in [
            (r#""1970-01-01T00:00:10Z""#, 10_000),
            (r#""1970-01-01t00:00:19.75z""#, 250),
            (r#""1970-01-01T02:00:10+02:00""#, 10_000),
            (r#""1969-12-31T23:59:59Z""#, 21_000),
            // A time in the future counts as an age of zero.
            (r#""1970-01-01T00:00:20Z""#, 0),
            (r#""2970-01-01T00:00:00Z""#, 0),
            (r#""0000-01-01T00:00:00Z""#, u128::from(u64::MAX) / 1_000_000),
        ] {
            assert_eq!(read(None, Some(json), 20_000), Ok(Some(millis)), "{json}");
        }
        for json in [
            r#""""#,
            r#""yesterday""#,
            r#""1970-01-01""#,
            r#""1970-01-01T00:00:10""#,
            r#""1970-02-30T00:00:10Z""#,
            r#"" 1970-01-01T00:00:10Z""#,
            r#""10""#,
            "10",
            "false",
            r#"["1970-01-01T00:00:10Z"]"#,
        ] {
            let error = read(None, Some(json), 20_000).expect_err(json);
            assert!(error.starts_with("observed_at must be"), "{json}: {error}");
        }
    }

    #[test]
    fn an_age_takes_precedence_over_a_time_but_both_must_be_valid() {
        assert_eq!(read(Some("7"), Some(r#""1970-01-01T00:00:10Z""#), 20_000), Ok(Some(7)));
        assert!(read(Some("7"), Some("10"), 20_000).is_err());
        assert!(read(Some("-7"), Some(r#""1970-01-01T00:00:10Z""#), 20_000).is_err());
    }

    #[test]
    fn a_number_is_a_time_in_seconds_or_in_milliseconds() {
        for (number, millis) in [
            ("0", Some(0)),
            ("1700000000", Some(1_700_000_000_000)),
            ("1700000000.25", Some(1_700_000_000_250)),
            ("1700000000250", Some(1_700_000_000_250)),
            ("100000000000", Some(100_000_000_000)),
            ("99999999999", None),
            ("9999999999", Some(9_999_999_999_000)),
            ("-1", None),
            ("1e28", None),
        ] {
            let Ok(Value::Number(decimal)) = Value::number(number) else { panic!("{number} is a number") };
            let time = StatedTime::from_number(decimal).map(|time| time.0);
            assert_eq!(time, millis.map(|millis: i128| millis * 1_000_000), "{number}");
        }
    }
}
