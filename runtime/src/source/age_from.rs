//! Where the age of a value is found in an HTTP response.

use std::time::{Duration, SystemTime};

use reqwest::header::{AGE, DATE, HeaderMap};
use serde_json::value::RawValue;

use super::json::{Pointer, read_time};
use crate::age::since;

/// Where the age of a value is found. If one of these is configured and has no age, the source fails: its value could
/// be of any age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AgeFrom {
    /// Nowhere: the values have no age.
    #[default]
    Nowhere,
    /// In the body: the time of the observation, as an RFC 3339 text, or as a number of seconds since 1970, or of
    /// milliseconds from 10^11 on.
    Body(Pointer),
    /// In the header `Age`, in whole seconds, or else in `Date`, the time at which the server made the response.
    Headers,
}

impl AgeFrom {
    /// The age of the value in a response, at the time `now`.
    ///
    /// # Errors
    /// A message that says why there is none.
    pub(super) fn find(
        &self,
        body: &RawValue,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Option<Duration>, String> {
        match self {
            Self::Nowhere => Ok(None),
            Self::Body(pointer) => {
                let at = pointer.find(body).and_then(read_time).map_err(|problem| format!("the time {problem}"))?;
                Ok(Some(since(at, now)))
            }
            Self::Headers => from_headers(headers, now).map(Some).ok_or_else(|| "the answer has no Date".into()),
        }
    }
}

/// An `Age` that is not a number of seconds is ignored, as RFC 9111 asks; of several, the first counts.
fn from_headers(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let seconds = text(AGE).and_then(|age| age.split(',').next()).map(str::trim);
    let seconds = seconds.filter(|age| !age.is_empty() && age.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(seconds) = seconds {
        // A number too large to represent is replaced by the largest.
        return Some(Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(since(date.into(), now))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::json::parse;
    use super::*;

    /// Reads at 1704448830 seconds since 1970: Fri, 05 Jan 2024 10:00:30 GMT.
    fn find(from: &AgeFrom, body: &str, headers: &[(&'static str, &str)]) -> Result<Option<Duration>, String> {
        let now = UNIX_EPOCH + Duration::from_secs(1_704_448_830);
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), value.parse().expect("a header value"))
        });
        from.find(parse(body.as_bytes()).expect("JSON"), &headers.collect(), now)
    }

    #[test]
    fn the_time_is_where_the_pointer_points() {
        let from = AgeFrom::Body(Pointer::parse("/t").expect("a pointer"));
        for (time, millis) in [
            (r#""2024-01-05T10:00:00.123Z""#, 29_877),
            (r#""2024-01-05T12:00:00+02:00""#, 30_000),
            ("1704448800", 30_000),
            ("1704448800.5", 29_500),
            (r#""1704448800""#, 30_000),
            ("1704448800123", 29_877),
            ("1704448900", 0),
        ] {
            let body = format!(r#"{{"t":{time}}}"#);
            assert_eq!(find(&from, &body, &[]), Ok(Some(Duration::from_millis(millis))), "{time}");
        }
        for (body, says) in [
            ("{}", "no member"),
            (r#"{"t":"noon"}"#, "neither an RFC 3339 time"),
            (r#"{"t":-1}"#, "neither an RFC 3339 time"),
            (r#"{"t":null}"#, "not a value"),
            (r#"{"t":[1704448800]}"#, "an array"),
        ] {
            let error = find(&from, body, &[("age", "1")]).expect_err(body);
            assert!(error.starts_with("the time ") && error.contains(says), "{body}: {error}");
        }
    }

    #[test]
    fn the_headers_say_the_age_or_when_the_answer_was_made() {
        let date = ("date", "Fri, 05 Jan 2024 10:00:00 GMT");
        for (headers, seconds) in [
            (&[date][..], 30),
            (&[("date", "Friday, 05-Jan-24 10:00:00 GMT")], 30),
            (&[("date", "Fri, 05 Jan 2024 11:00:00 GMT")], 0),
            (&[date, ("age", "7")], 7),
            (&[("age", " 7 , 9")], 7),
            (&[date, ("age", "-7")], 30),
            (&[date, ("age", "new")], 30),
            (&[date, ("age", "99999999999999999999")], u64::MAX),
        ] {
            let age = Some(Duration::from_secs(seconds));
            assert_eq!(find(&AgeFrom::Headers, "1", headers), Ok(age), "{headers:?}");
        }
        for headers in [&[][..], &[("date", "today")], &[("age", "")]] {
            assert!(find(&AgeFrom::Headers, "1", headers).is_err(), "{headers:?}");
        }
        assert_eq!(find(&AgeFrom::Nowhere, r#"{"t":1}"#, &[date, ("age", "7")]), Ok(None));
    }
}
