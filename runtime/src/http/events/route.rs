//! The route: reads what a client subscribes to, and streams it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, Uri};
use quorate_core::id::RequestId;
use quorate_core::pattern::Pattern;
use quorate_core::query::Query;
use utoipa::IntoResponses;

use super::SubscribeError;
use super::resume::Resume;
use crate::driver::AskError;
use crate::http::answers::{Answers, STATE, answers, success, text};
use crate::http::api::Api;
use crate::http::client_address::Peer;
use crate::http::error::ApiError;
use crate::http::sse::{errors, last_event_id, streamed};
use crate::wire::schema::{Id, QueryText};

/// What a client subscribes to.
#[derive(Debug, PartialEq, Eq)]
struct Subscription {
    resume: Resume,
    queries: Option<Pattern>,
    watched: Option<RequestId>,
}

impl Subscription {
    /// Reads the parameters of the address, of which unknown ones are ignored, and the headers.
    fn parse(uri: &Uri, headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut subscription = Self { resume: Resume::Now, queries: None, watched: None };
        let (mut recent, mut after) = (None, None);
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "request_id" => {
                    let id =
                        RequestId::new(&value).map_err(|error| ApiError::invalid(format!("request_id {error}")))?;
                    subscription.watched = Some(id);
                }
                "query" => {
                    let queries = Query::new(&value).map_err(|error| ApiError::invalid(error.to_string()))?;
                    subscription.queries = Some(Pattern::new(queries.as_str()));
                }
                "recent" => {
                    let count = value.parse().map_err(|_| ApiError::invalid("recent must be a whole number"))?;
                    recent = Some(Resume::Recent(count));
                }
                "last_event_id" => after = Some(value.into_owned()),
                _ => {}
            }
        }
        let after = last_event_id(headers, after).map(Resume::After);
        if let Some(resume) = after.or(recent) {
            subscription.resume = resume;
        }
        Ok(subscription)
    }
}

/// The responses of `GET /events`.
struct AnsweringEvents;

impl IntoResponses for AnsweringEvents {
    fn responses() -> Answers {
        let events = text("retry: 1000\n\nid: 5d1f0c3a-17\nevent: missed\ndata: {\"count\":12}\n\n");
        answers(success("The events.", "text/event-stream", events), errors("recent must be a whole number"))
    }
}

/// A stream of events
///
/// Server-sent events, until the client goes away or the coordinator stops. `outcome`: a request ended; the data is an
/// Outcome or an AskedError. `worker`: a worker is new, or its state has changed; the data is a WorkerRecord.
/// `observation`: the watched request accepted a worker's result; the data is a WorkerResponse. `missed`: events were
/// left out here; the data is `{"count": 12}`, or null if the number is unknown.
#[utoipa::path(
    get,
    path = "/events",
    tag = STATE,
    params(
        ("Last-Event-ID" = Option<String>, Header,
         description = "Continue after the event with this id. Browsers send it when they reconnect."),
        ("last_event_id" = Option<String>, Query,
         description = "The same for clients that cannot set headers. The header takes precedence."),
        ("recent" = Option<u64>, Query, description = "Otherwise, begin with this many of the last events."),
        ("query" = Option<QueryText>, Query,
         description = "Send only the outcomes of this query; `*` stands for any characters. Then `recent` counts these."),
        ("request_id" = Option<Id>, Query,
         description = "Also report each result that the request with this id accepts, as soon as it does."),
    ),
    responses(AnsweringEvents)
)]
pub(in crate::http) async fn events(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Subscription { resume, queries, watched } = Subscription::parse(&uri, &headers)?;
    let subscriber = api.events.subscribe(api.client(peer, &headers), api.clock, &resume, queries, watched)?;
    let texts = stream::unfold(subscriber, |mut subscriber| async {
        subscriber.next().await.map(|text| (Ok::<_, Infallible>(text), subscriber))
    });
    Ok(streamed(texts))
}

impl From<SubscribeError> for ApiError {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::FullForClient { max_subscribers } => Self::too_many_of_client(max_subscribers),
            SubscribeError::Full { max_subscribers } => Self::too_many_subscribers(max_subscribers),
            SubscribeError::Closed => AskError::Stopped.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::http::sse::LAST_EVENT_ID;

    fn parse(uri: &str, header: Option<&'static str>) -> Result<Subscription, ApiError> {
        let mut headers = HeaderMap::new();
        headers.extend(header.map(|id| (LAST_EVENT_ID, HeaderValue::from_static(id))));
        Subscription::parse(&uri.parse().expect("an address"), &headers)
    }

    #[test]
    fn a_subscription_is_read_from_the_address_and_the_headers() {
        let after = |id: &str| Resume::After(id.to_owned());
        for (uri, header, resume, queries, watched) in [
            ("/events", None, Resume::Now, None, None),
            ("/events?", None, Resume::Now, None, None),
            ("/events?more=1", None, Resume::Now, None, None),
            ("/events?recent=20", None, Resume::Recent(20), None, None),
            ("/events?recent=20&last_event_id=c1-7", None, after("c1-7"), None, None),
            ("/events?recent=20&last_event_id=c1-7", Some("c1-9"), after("c1-9"), None, None),
            ("/events?last_event_id=", None, after(""), None, None),
            ("/events?request_id=a%20b%26c", None, Resume::Now, None, Some("a b&c")),
            ("/events?query=BTC%2F*&recent=2", None, Resume::Recent(2), Some("BTC/*"), None),
        ] {
            let queries = queries.map(Pattern::new);
            let watched = watched.map(|id| RequestId::new(id).expect("an id"));
            assert_eq!(
                parse(uri, header).expect("it is understood"),
                Subscription { resume, queries, watched },
                "{uri}"
            );
        }
    }

    #[test]
    fn invalid_ids_and_numbers_are_refused() {
        for uri in [
            "/events?request_id=",
            "/events?request_id=%00",
            "/events?recent=-1",
            "/events?recent=",
            "/events?query=",
            "/events?query=%0A",
        ] {
            assert!(parse(uri, None).is_err(), "{uri}");
        }
    }
}
