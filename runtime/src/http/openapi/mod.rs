//! `GET /openapi.json`: the description of the API, for programs.
//!
//! The document is generated. Its routes are the ones that are served, its schemas come from the types that are read
//! and written, and its errors and examples are made by the code that makes the real ones. `docs/openapi.json` is a
//! copy, and the schemas of HTTP bodies in `docs/schemas` are derived from it.

#[cfg(test)]
mod schemas;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use axum::response::Response;
use http::HeaderMap;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, PathItem};
use utoipa::{IntoResponses, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{Answers, AskedError, FEEDS, JSON, PAGES, QUESTIONS, STATE, file, success};
use super::api::Api;
use super::feeds::history::HistoryBody;
use super::feeds::latest::LatestBody;
use super::feeds::list::FeedsBody;
use super::files::File;
use super::outcomes::History;
use super::policies::PoliciesInForce;
use super::queries::Queries;
use super::question::RequestBody;
use super::status::{Health, Readiness};
use super::submit::RequestState;
use super::workers::Register;
use super::{
    dashboard, docs, ended, events, feeds, metrics, outcomes, policies, queries, request, status, submit, workers,
};
use crate::wire::failure::ErrorBody;
use crate::wire::{OutcomeBody, RecordBody};

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Quorate",
        description = "Asks many independent workers one question and answers once, with the evidence: who said what, \
                       who was silent, what was excluded and why.\n\nNumbers keep all their digits: read them as \
                       decimals, not as binary floats. Times are in nanoseconds, unless a name ends in `_ms`. \
                       Readers ignore unknown fields of a response; unknown fields of a request are refused. Every \
                       error is JSON, with a word for programs in `error` and a sentence for people in `details`. An \
                       unknown path is 404 `not_found`. An unknown method of a path is 405 `method_not_allowed`, with \
                       the header Allow.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = QUESTIONS, description = "Requests and their answers."),
        (name = FEEDS, description = "Answers that are kept fresh, and their history."),
        (name = STATE, description = "State and events of the coordinator."),
        (name = PAGES, description = "Pages for people, and this document."),
    ),
    components(schemas(
        RequestBody, OutcomeBody, ErrorBody, AskedError, Health, Readiness, Register, Queries, PoliciesInForce,
        FeedsBody, LatestBody, RecordBody, HistoryBody, RequestState, History
    ))
)]
struct Frame;

/// The routes, each as a method and a path.
pub fn routes() -> Vec<String> {
    let paths = described().split_for_parts().1.paths.paths;
    let of = |(path, item): (String, PathItem)| {
        if item.post.is_some() { format!("POST {path}") } else { format!("GET {path}") }
    };
    paths.into_iter().map(of).collect()
}

/// The routes with their descriptions, so that neither exists without the other.
pub(super) fn described() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Frame::openapi())
        .routes(routes!(request::ask))
        .routes(routes!(submit::submit))
        .routes(routes!(ended::ended))
        .routes(routes!(feeds::list::feeds))
        .routes(routes!(feeds::events::feed_events))
        .routes(routes!(feeds::latest::feed))
        .routes(routes!(feeds::history::history))
        .routes(routes!(feeds::history::at))
        .routes(routes!(outcomes::outcomes))
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(workers::workers))
        .routes(routes!(queries::queries))
        .routes(routes!(policies::policies))
        .routes(routes!(events::route::events))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi))
        .routes(routes!(docs::page))
        .routes(routes!(dashboard::page))
}

/// The document as text, made once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let document = described().into_openapi();
    let text = document.to_pretty_json().expect("a document is serializable") + "\n";
    // utoipa hyphenates the names of these formats, and the OpenAPI format registry does not.
    text.replace(r#""format": "u-int"#, r#""format": "uint"#)
});

/// The responses of `GET /openapi.json`.
struct AnsweringOpenapi;

impl IntoResponses for AnsweringOpenapi {
    fn responses() -> Answers {
        let document = Content::new(Some(ObjectBuilder::new().schema_type(Type::Object)));
        file(success("An OpenAPI document.", JSON, document))
    }
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = PAGES, responses(AnsweringOpenapi))]
pub(super) async fn openapi(headers: HeaderMap) -> Response {
    let file = File { path: "/openapi.json", media_type: "application/json", content: &DOCUMENT };
    file.response(&headers)
}
