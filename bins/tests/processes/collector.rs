//! A collector of traces for one test: it accepts spans as OTLP over HTTP, and shows them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::until;

/// Attributes by name.
pub(crate) type Attributes = BTreeMap<String, String>;

/// A span that was received. Ids are hexadecimal.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) instance: String,
    pub(crate) name: String,
    pub(crate) kind: v1::span::SpanKind,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty if there is none.
    pub(crate) parent: String,
    pub(crate) attributes: Attributes,
    pub(crate) events: Vec<(String, Attributes)>,
    pub(crate) error: Option<String>,
    /// Start and end, in nanoseconds since 1970.
    pub(crate) times: (u64, u64),
}

/// A running collector. It stops when it is dropped.
pub(crate) struct Collector {
    pub(crate) url: String,
    taken: Taken,
    server: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Taken {
    spans: Arc<Mutex<Vec<Span>>>,
    /// The headers of the requests.
    requests: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0").await
    }

    /// Starts at an address where another one may have been before.
    pub(crate) async fn start_on(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let taken = Taken::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(taken.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, taken, server }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<HeaderMap> {
        self.taken.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.taken.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a trace has this many spans, and returns them in the order of their start.
    pub(crate) async fn trace(&self, trace: &str, count: usize) -> Vec<Span> {
        let spans = || {
            let mut spans: Vec<_> = self.spans().into_iter().filter(|span| span.trace == trace).collect();
            spans.sort_by_key(|span| span.times);
            spans
        };
        until(&format!("{count} spans of {trace}"), async || spans().len() >= count).await;
        let spans = spans();
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(taken): State<Taken>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).expect("a valid OTLP request");
    for of_resource in request.resource_spans {
        let resource = attributes(of_resource.resource.expect("a resource").attributes);
        let spans = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
        let spans = spans.map(|span| shown(&resource, span));
        taken.spans.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
    }
    taken.requests.lock().unwrap_or_else(PoisonError::into_inner).push(headers);
    StatusCode::OK
}

fn shown(resource: &Attributes, span: v1::Span) -> Span {
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    let status = span.status.clone().unwrap_or_default();
    Span {
        service: resource["service.name"].clone(),
        instance: resource["service.instance.id"].clone(),
        kind: span.kind(),
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        attributes: attributes(span.attributes),
        events: span.events.into_iter().map(|event| (event.name, attributes(event.attributes))).collect(),
        error: (status.code() == v1::status::StatusCode::Error).then_some(status.message),
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
    }
}

fn attributes(attributes: Vec<KeyValue>) -> Attributes {
    attributes.into_iter().map(|KeyValue { key, value, .. }| (key, value.map(text).unwrap_or_default())).collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::ArrayValue(array)) => array.values.into_iter().map(text).collect::<Vec<_>>().join(","),
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
