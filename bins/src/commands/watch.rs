//! Watching: when a question is repeated, and when that ends.

use std::time::SystemTime;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::args::WatchArgs;
use crate::render::json;
use crate::signals::Stop;

/// The questions of a watch, and the signals that end it.
#[derive(Debug)]
pub(super) struct Watch {
    ticks: Interval,
    left: Option<u64>,
    stop: Stop,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask.
    Now,
    /// End: the requested number of questions was asked.
    Over,
    /// End: the user has stopped the watch.
    Stopped,
}

impl Watch {
    /// A watch that begins now.
    pub(super) fn new(args: &WatchArgs) -> Self {
        let mut ticks = interval(args.interval);
        // An answer that takes longer than the interval delays the next question; missed questions are not made up for.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, left: args.count, stop: Stop::listen() }
    }

    /// Waits until the next question is due.
    pub(super) async fn due(&mut self) -> Due {
        match &mut self.left {
            Some(0) => return Due::Over,
            Some(left) => *left -= 1,
            None => {}
        }
        tokio::select! {
            biased;
            _ = self.stop.told() => Due::Stopped,
            _ = self.ticks.tick() => Due::Now,
        }
    }

    /// The result of `work`; `None` if the user stops the watch first.
    pub(super) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.stop.told() => None,
            done = work => Some(done),
        }
    }
}

/// The time at which an answer came, in UTC as in the logs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp(OffsetDateTime);

impl Stamp {
    /// Now.
    pub(super) fn now() -> Self {
        Self(OffsetDateTime::from(SystemTime::now()).to_offset(UtcOffset::UTC))
    }

    /// This time.
    pub(super) fn of(time: OffsetDateTime) -> Self {
        Self(time.to_offset(UtcOffset::UTC))
    }

    /// The time of day to the second, as in `14:03:07Z`.
    pub(super) fn clock(self) -> String {
        let (hour, minute, second) = self.0.to_hms();
        format!("{hour:02}:{minute:02}:{second:02}Z")
    }

    /// Date and time to the second, in RFC 3339.
    pub(super) fn second(self) -> String {
        rfc3339(self.0.replace_nanosecond(0).unwrap_or(self.0))
    }

    /// Date and time to the millisecond, in RFC 3339.
    pub(super) fn milli(self) -> String {
        let whole = self.0.nanosecond() / 1_000_000 * 1_000_000;
        rfc3339(self.0.replace_nanosecond(whole).unwrap_or(self.0))
    }

    /// The JSON object `text` on one line, with the time and further `fields` before its own.
    pub(super) fn json(self, fields: &str, text: &str) -> String {
        let line = json(text);
        let time = self.milli();
        match line.trim().strip_prefix('{').map(str::trim_start) {
            Some("}") => format!("{{\"time\":\"{time}\"{fields}}}"),
            Some(rest) => format!("{{\"time\":\"{time}\"{fields},{rest}"),
            // Not an object, which a coordinator never answers.
            None => format!("{{\"time\":\"{time}\"{fields},\"answer\":{line}}}"),
        }
    }
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_written_in_utc() {
        let stamp = Stamp(OffsetDateTime::from(SystemTime::UNIX_EPOCH + Duration::from_millis(1_714_564_987_654)));
        assert_eq!(stamp.clock(), "12:03:07Z");
        assert_eq!(stamp.second(), "2024-05-01T12:03:07Z");
        assert_eq!(stamp.milli(), "2024-05-01T12:03:07.654Z");
    }

    #[test]
    fn the_time_is_the_first_field_of_an_answer_on_one_line() {
        let stamp = Stamp(OffsetDateTime::UNIX_EPOCH);
        let time = r#"{"time":"1970-01-01T00:00:00Z""#;
        for (text, expected) in [
            ("{\n\"a\": 1.50\n}\n", format!(r#"{time},"c":1,"a": 1.50 }}"#)),
            ("{ }", format!(r#"{time},"c":1}}"#)),
            ("[1]", format!(r#"{time},"c":1,"answer":[1]}}"#)),
        ] {
            assert_eq!(stamp.json(",\"c\":1", text), expected);
            serde_json::from_str::<serde_json::Value>(&expected).expect("JSON");
        }
    }
}
