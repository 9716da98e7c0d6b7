//! Times on the command line: with a unit, as in `500ms`, `2s` or `1h30m`, or a number in the unit of the flag.

use std::borrow::Cow;
use std::time::Duration;

/// The longest time that is accepted.
const LONGEST: Duration = Duration::from_hours(720);

/// The shortest interval of a watch: nobody reads faster, and `quorate load` is there to measure.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The shortest time for which JetStream keeps something.
const SHORTEST_KEPT: Duration = Duration::from_millis(100);

const NANOS_PER_MILLI: u32 = 1_000_000;

/// The unit of a flag: that of a number without one.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    fn times(self, number: u64) -> Duration {
        match self {
            Self::Milliseconds => Duration::from_millis(number),
            Self::Seconds => Duration::from_secs(number),
        }
    }
}

/// A time with its unit, or a number of seconds; at most 30 days.
///
/// # Errors
/// Says what is expected if the text is not such a time.
pub fn duration(text: &str) -> Result<Duration, String> {
    let time = parse(text, Unit::Seconds)?;
    if time > LONGEST { Err(too_long()) } else { Ok(time) }
}

/// How long a store keeps something.
pub(super) fn kept(text: &str) -> Result<Duration, String> {
    at_least(SHORTEST_KEPT, text)
}

/// The interval of a watch.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    at_least(SHORTEST_INTERVAL, text)
}

fn at_least(shortest: Duration, text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < shortest { Err(format!("the shortest time is {}ms", shortest.as_millis())) } else { Ok(time) }
}

/// A time with its unit, or a number of milliseconds: at least 1 ms, at most 30 days.
pub(super) fn millis(text: &str) -> Result<u64, String> {
    match millis_from_zero(text)? {
        0 => Err("the shortest time is 1ms".to_owned()),
        millis if Duration::from_millis(millis) > LONGEST => Err(too_long()),
        millis => Ok(millis),
    }
}

/// A time with its unit, or a number of milliseconds, which may be 0.
pub(super) fn millis_from_zero(text: &str) -> Result<u64, String> {
    let time = parse(text, Unit::Milliseconds)?;
    if !time.subsec_nanos().is_multiple_of(NANOS_PER_MILLI) {
        return Err("the time must be a whole number of milliseconds".to_owned());
    }
    u64::try_from(time.as_millis()).map_err(|_| too_long())
}

fn parse(text: &str, unit: Unit) -> Result<Duration, String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(text) {
        return text.parse().map(|number| unit.times(number)).map_err(|_| too_long());
    }
    let is_number = text.split_once('.').is_some_and(|(whole, fraction)| digits(whole) && digits(fraction));
    let with_unit = if is_number { Cow::from(format!("{text}{}", unit.suffix())) } else { Cow::from(text) };
    humantime::parse_duration(&with_unit).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => "the time is too long, or finer than a nanosecond".to_owned(),
        _ => format!("expected a time such as 500ms, 2s, 1m or 1h30m, or a number of {}", unit.name()),
    })
}

fn too_long() -> String {
    "the longest time is 30 days (720h)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_a_number_of_seconds() {
        let cases = [
            ("10s", Some(Duration::from_secs(10))),
            ("500ms", Some(Duration::from_millis(500))),
            ("250us", Some(Duration::from_micros(250))),
            ("1.5m", Some(Duration::from_secs(90))),
            ("0.1s", Some(Duration::from_millis(100))),
            ("2h", Some(Duration::from_hours(2))),
            ("1h30m", Some(Duration::from_mins(90))),
            ("1m 30s", Some(Duration::from_secs(90))),
            ("1d", Some(Duration::from_hours(24))),
            ("0s", Some(Duration::ZERO)),
            ("10 s", Some(Duration::from_secs(10))),
            ("720h", Some(LONGEST)),
            ("10", Some(Duration::from_secs(10))),
            ("1.5", Some(Duration::from_millis(1500))),
            ("0", Some(Duration::ZERO)),
            ("721h", None),
            ("1M", None),
            ("2592001", None),
            ("99999999999999999999", None),
            ("99999999999999999999999999999h", None),
            ("0.1ns", None),
            ("s", None),
            ("", None),
            (".5", None),
            ("1.", None),
            ("-1s", None),
            ("+1s", None),
            ("-1", None),
            ("1e3s", None),
            ("1e3", None),
            ("NaNs", None),
            ("1h30", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_flag_in_milliseconds_takes_whole_ones() {
        for (text, expected) in [
            ("500", Ok(500)),
            ("500ms", Ok(500)),
            ("1.5s", Ok(1500)),
            ("1m", Ok(60_000)),
            ("1h30m", Ok(5_400_000)),
            ("2000us", Ok(2)),
            ("2.0", Ok(2)),
            ("720h", Ok(2_592_000_000)),
            ("721h", Err("the longest time is 30 days (720h)")),
            ("0", Err("the shortest time is 1ms")),
            ("0s", Err("the shortest time is 1ms")),
            ("1.5", Err("the time must be a whole number of milliseconds")),
            ("1500us", Err("the time must be a whole number of milliseconds")),
            ("99999999999999999999", Err("the longest time is 30 days (720h)")),
            ("99999999999999999999h", Err("the time is too long, or finer than a nanosecond")),
            ("-5", Err("expected a time such as 500ms, 2s, 1m or 1h30m, or a number of milliseconds")),
            ("2 fortnights", Err("expected a time such as 500ms, 2s, 1m or 1h30m, or a number of milliseconds")),
        ] {
            assert_eq!(millis(text), expected.map_err(str::to_owned), "{text:?}");
        }
        assert_eq!(millis_from_zero("0"), Ok(0));
        assert_eq!(millis_from_zero(&u64::MAX.to_string()), Ok(u64::MAX));
    }

    #[test]
    fn a_watch_has_a_shortest_interval() {
        assert_eq!(interval("10ms"), Ok(SHORTEST_INTERVAL));
        assert_eq!(interval("5"), Ok(Duration::from_secs(5)));
        assert_eq!(interval("9ms"), Err("the shortest time is 10ms".to_owned()));
    }
}
