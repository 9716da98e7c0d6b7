//! How a route describes its responses: its success, and the errors that it can have.
//!
//! The status, word, headers and example of an error come from the [`ApiError`] that the route returns. The description
//! adds when it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value as Json;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, Header, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::error::ApiError;
use crate::driver::{AskError, SnapshotError};
use crate::wire::failure::{ErrorBody, FailureEvidence};

/// The tags that group the routes.
pub(super) const QUESTIONS: &str = "Questions";
pub(super) const FEEDS: &str = "Feeds";
pub(super) const STATE: &str = "State";
pub(super) const PAGES: &str = "Descriptions";

pub(super) const JSON: &str = "application/json";

/// The responses of a route, by status.
pub(super) type Answers = BTreeMap<String, RefOr<Response>>;
/// An error, and when it happens.
pub(super) type Error = (ApiError, &'static str);

/// The body of an error with evidence.
pub(super) struct AskedError;

impl PartialSchema for AskedError {
    fn schema() -> RefOr<Schema> {
        let parts = AllOfBuilder::new().item(reference::<ErrorBody>()).item(reference::<FailureEvidence>());
        parts.description(Some("An error with its evidence.")).into()
    }
}

impl ToSchema for AskedError {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((FailureEvidence::name().into(), FailureEvidence::schema()));
        FailureEvidence::schemas(schemas);
    }
}

pub(super) fn reads_limited() -> Error {
    (ApiError::reads_limited(Duration::from_millis(10)), "too many requests from this address")
}

pub(super) fn stuck() -> Error {
    (SnapshotError::Stuck.into(), "the coordinator is stuck")
}

pub(super) fn no_store() -> Error {
    (ApiError::no_store(), "the coordinator has no store")
}

pub(super) fn draining() -> Error {
    (AskError::Stopped.into(), "the coordinator is about to stop")
}

/// A success with a body of some media type.
pub(super) fn success(description: &str, media_type: &str, content: Content) -> ResponseBuilder {
    Response::builder().description(description).content(media_type, content)
}

/// A success with a JSON body of type `T`.
pub(super) fn shown<T: ToSchema>(description: &str, example: Json) -> ResponseBuilder {
    let content = Content::builder().schema(Some(reference::<T>())).example(Some(example));
    success(description, JSON, content.build())
}

/// A success with a JSON body of type `T` or `U`.
pub(super) fn either<T: ToSchema, U: ToSchema>(description: &str, example: Json) -> ResponseBuilder {
    let schema = AnyOfBuilder::new().item(reference::<T>()).item(reference::<U>());
    let content = Content::builder().schema(Some(schema)).example(Some(example));
    success(description, JSON, content.build())
}

/// The content of a text response.
pub(super) fn text(example: &str) -> Content {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    Content::builder().schema(Some(schema)).example(Some(example.into())).build()
}

/// The responses of a file: a client that already has it does not get it again.
pub(super) fn file(ok: ResponseBuilder) -> Answers {
    let tag = Header::builder().schema(Some(String::schema())).description(Some("Names this version."));
    let mut answers = answers(ok.header("ETag", tag.build()), vec![reads_limited()]);
    let unchanged = Response::new("The client has this version: its `If-None-Match` names it.");
    answers.insert(StatusCode::NOT_MODIFIED.as_str().to_owned(), unchanged.into());
    answers
}

/// The responses of a route: its success and all its errors, by status.
pub(super) fn answers(ok: ResponseBuilder, errors: Vec<Error>) -> Answers {
    answers_as(StatusCode::OK, ok, errors)
}

/// The responses of a route whose success has this status.
pub(super) fn answers_as(success: StatusCode, ok: ResponseBuilder, errors: Vec<Error>) -> Answers {
    let mut by_status = BTreeMap::<StatusCode, Vec<Error>>::new();
    for error in errors {
        by_status.entry(error.0.status()).or_default().push(error);
    }
    let errors = by_status.into_iter().map(|(status, errors)| (status, refusal(&errors)));
    [(success, ok.build())]
        .into_iter()
        .chain(errors)
        .map(|(status, response)| (status.as_str().to_owned(), response.into()))
        .collect()
}

/// The response of one status, which may cover several errors.
fn refusal(errors: &[Error]) -> Response {
    let descriptions = errors.iter().map(|(error, when)| format!("`{}`: {when}.", error.word()));
    let examples = errors.iter().map(|(error, _)| {
        let body: Json = serde_json::from_slice(&error.body()).expect("an error is JSON");
        (error.word().to_string(), utoipa::openapi::example::Example::builder().value(Some(body)).build())
    });
    let schema: RefOr<Schema> = match errors.iter().filter(|(error, _)| error.has_evidence()).count() {
        0 => reference::<ErrorBody>().into(),
        with_evidence if with_evidence == errors.len() => reference::<AskedError>().into(),
        _ => AnyOfBuilder::new().item(reference::<AskedError>()).item(reference::<ErrorBody>()).into(),
    };
    let content = Content::builder().schema(Some(schema)).examples_from_iter(examples).build();
    let response = Response::builder().description(descriptions.collect::<Vec<_>>().join(" ")).content(JSON, content);
    if errors.iter().any(|(error, _)| error.says_when_to_retry()) {
        return response.header("Retry-After", retry_after()).build();
    }
    response.build()
}

fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(utoipa::Number::Int(1)));
    let header = HeaderBuilder::new().schema(Some(seconds));
    header
        .description(Some("The number of seconds after which a retry may help; absent while the coordinator drains."))
        .build()
}

fn reference<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}
