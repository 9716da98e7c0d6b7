//! Outcomes as they are stored: what `POST /request` answered, in both forms of numbers.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use quorate_core::id::RequestId;
use quorate_core::query::Query;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::driver::AskError;
use crate::http::ApiError;
use crate::store::BODY_BYTES;
use crate::wire::{EncodedOutcome, Numbers, encode, encode_outcome};

/// A stored outcome.
#[derive(Clone, Debug)]
pub struct StoredOutcome {
    pub(crate) request: RequestId,
    pub(crate) query: Query,
    /// The status with which `POST /request` answers it.
    pub(crate) status: StatusCode,
    /// Whether it is part of the history.
    pub(crate) is_listed: bool,
    /// The body of that answer.
    body: Bytes,
    /// The same with its numbers as strings, if that is different.
    strings: Option<Bytes>,
}

#[derive(Serialize)]
struct StoredOut<'a> {
    request: &'a str,
    query: &'a str,
    coordinator: &'a str,
    listed: bool,
    code: u16,
    body: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strings: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StoredIn<'a> {
    #[serde(borrow)]
    request: Cow<'a, str>,
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(default)]
    listed: bool,
    code: u16,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(borrow, default)]
    strings: Option<&'a RawValue>,
}

impl StoredOutcome {
    /// How a request ended.
    pub(crate) fn of(told: &EncodedOutcome, is_listed: bool) -> Self {
        let outcome = &told.outcome;
        let status = match outcome.verdict {
            Ok(_) => StatusCode::OK,
            Err(failure) => ApiError::failed(failure, told.clone()).status(),
        };
        let strings = encode_outcome(outcome, Numbers::String);
        let strings = Some(strings).filter(|strings| *strings != told.body);
        let (request, query) = (outcome.request.clone(), outcome.query.clone());
        Self { request, query, status, is_listed, body: told.body.clone(), strings }
    }

    /// A request that cannot be asked.
    pub(super) fn refused(request: RequestId, query: Query, error: AskError) -> Self {
        Self::error(request, query, &error.into())
    }

    fn error(request: RequestId, query: Query, error: &ApiError) -> Self {
        Self { request, query, status: error.status(), is_listed: true, body: error.body(), strings: None }
    }

    /// The body in the form that a caller wants.
    pub fn body(&self, numbers: Numbers) -> Bytes {
        match (numbers, &self.strings) {
            (Numbers::String, Some(strings)) => strings.clone(),
            _ => self.body.clone(),
        }
    }

    /// Writes the entry, in the name of a coordinator. An outcome that is too long is replaced by an error that says so.
    pub(super) fn encode(&self, coordinator: &str) -> Bytes {
        let raw = |body: &Bytes| serde_json::from_slice::<Box<RawValue>>(body).expect("a body is JSON");
        let (body, strings) = (raw(&self.body), self.strings.as_ref().map(raw));
        let entry = encode(&StoredOut {
            request: self.request.as_str(),
            query: self.query.as_str(),
            coordinator,
            listed: self.is_listed,
            code: self.status.as_u16(),
            body: &body,
            strings: strings.as_deref(),
        });
        if entry.len() <= BODY_BYTES {
            return entry;
        }
        let error = ApiError::too_long_to_store();
        Self { is_listed: self.is_listed, ..Self::error(self.request.clone(), self.query.clone(), &error) }
            .encode(coordinator)
    }

    /// Reads the entry of a request; `None` if it is none. Anybody who may publish there can have written it.
    pub(super) fn decode(id: &RequestId, entry: &Bytes) -> Option<Self> {
        let stored: StoredIn = serde_json::from_slice(entry).ok()?;
        let status = StatusCode::from_u16(stored.code).ok()?;
        let is_answer = status == StatusCode::OK || status.is_client_error() || status.is_server_error();
        let is_object = |raw: &RawValue| raw.get().starts_with('{');
        let are_objects = is_object(stored.body) && stored.strings.is_none_or(is_object);
        if stored.request != id.as_str() || !is_answer || !are_objects {
            return None;
        }
        let part = |raw: &RawValue| entry.slice_ref(raw.get().as_bytes());
        Some(Self {
            request: id.clone(),
            query: Query::new(&stored.query).ok()?,
            status,
            is_listed: stored.listed,
            body: part(stored.body),
            strings: stored.strings.map(part),
        })
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::Refusal;
    use quorate_core::outcome::{Failure, Outcome};

    use super::*;
    use crate::http::example;

    fn read(stored: &StoredOutcome) -> StoredOutcome {
        StoredOutcome::decode(&stored.request, &stored.encode("c1")).expect("an entry")
    }

    #[test]
    fn a_stored_outcome_is_answered_byte_for_byte_in_both_forms_of_numbers() {
        let answered = EncodedOutcome::new(example::answered().into());
        let disputed = example::failed(Failure::Disputed { agreeing: 1, used: 2 });
        for (told, code) in [(answered, 200), (disputed, 409)] {
            let stored = read(&StoredOutcome::of(&told, true));
            assert_eq!((stored.status.as_u16(), stored.is_listed), (code, true));
            assert_eq!(stored.query, told.outcome.query);
            for numbers in Numbers::ALL {
                assert_eq!(stored.body(numbers), encode_outcome(&told.outcome, numbers));
            }
        }
    }

    #[test]
    fn a_refusal_is_stored_as_the_error_that_it_is() {
        let Outcome { request, query, .. } = example::answered();
        let stored = read(&StoredOutcome::refused(request, query, AskError::Refused(Refusal::UnknownQuery)));
        assert_eq!(stored.status, 404);
        let body = String::from_utf8(stored.body(Numbers::String).to_vec()).expect("a text");
        assert!(body.contains("unknown_query"), "{body}");
    }

    #[test]
    fn an_outcome_that_is_too_long_is_replaced_by_an_error() {
        let mut outcome = example::answered();
        outcome.observations[0].observed = Err("x".repeat(BODY_BYTES / 2).into());
        let stored = read(&StoredOutcome::of(&EncodedOutcome::new(outcome.into()), true));
        assert_eq!(stored.status, 413);
    }

    #[test]
    fn what_is_no_outcome_of_the_request_is_none() {
        let id = RequestId::new("r").expect("an id");
        let good = r#"{"request":"r","query":"q","coordinator":"c","listed":true,"code":200,"body":{},"strings":{}}"#;
        let decode = |text: &str| StoredOutcome::decode(&id, &Bytes::copy_from_slice(text.as_bytes()));
        assert!(decode(good).is_some());
        for (part, other) in [
            ("\"r\"", "\"s\""),
            ("\"q\"", "\"\""),
            ("200", "204"),
            ("200", "99"),
            ("200", "70000"),
            ("\"body\":{}", "\"body\":7"),
            ("\"strings\":{}", "\"strings\":[]"),
            ("}", ""),
        ] {
            assert!(decode(&good.replacen(part, other, 1)).is_none(), "{other}");
        }
        for bad in ["", "null", "[]", "{}"] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }
}
