//! Times of day in JSON.

use quorate_core::time::UnixTime;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};
use time::format_description::well_known::{Iso8601, Rfc3339};

/// Milliseconds, in UTC.
const FORMAT: EncodedConfig =
    Config::DEFAULT.set_time_precision(TimePrecision::Second { decimal_digits: std::num::NonZeroU8::new(3) }).encode();
/// The length of what the format writes, in bytes.
const LENGTH: usize = "2026-11-29T20:20:46.123Z".len();

/// A time of day that serializes as RFC 3339 writes it, in UTC and in milliseconds, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonTime(pub UnixTime);

impl Serialize for JsonTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = OffsetDateTime::from_unix_timestamp_nanos(self.0.as_nanos().into()).map_err(S::Error::custom)?;
        let mut text = [0; LENGTH];
        time.format_into(&mut &mut text[..], &Iso8601::<FORMAT>).map_err(S::Error::custom)?;
        serializer.serialize_str(std::str::from_utf8(&text).map_err(S::Error::custom)?)
    }
}

/// Reads a time of day as RFC 3339 writes it. A time before 1970 or after 2554 is none.
pub(crate) fn read_time(text: &str) -> Option<UnixTime> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos()).ok().map(UnixTime::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_and_in_milliseconds() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_790_000_000_123_999_999, "2026-09-21T14:13:20.123Z"),
            (u64::MAX, "2554-07-21T23:34:33.709Z"),
        ] {
            let json = serde_json::to_string(&JsonTime(UnixTime::from_nanos(nanos))).expect("a time");
            assert_eq!(json, format!("{text:?}"));
        }
    }
    #[test]
    fn a_time_is_read_in_any_zone_and_nothing_else_is() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-09-21T16:13:20.123999999+02:00", Some(1_790_000_000_123_999_999)),
            ("1969-12-31T23:59:59Z", None),
            ("2555-01-01T00:00:00Z", None),
            ("2026-09-21", None),
            ("", None),
        ] {
            assert_eq!(read_time(text).map(UnixTime::as_nanos), nanos, "{text}");
        }
    }
}
