//! `GET /docs`: the API's document as a page for people.
//!
//! It is a page of our own, because the usual viewers are megabytes of script that want inline styles, which the policy of
//! the pages forbids. It shares its looks with the dashboard, and lays out whatever `/openapi.json` describes.

use axum::response::Response;
use http::HeaderMap;

use super::answers::PAGES;
use super::files::{AnsweringPage, File, files};

/// The page itself.
pub(super) const PAGE: File =
    File { path: "/docs", media_type: "text/html; charset=utf-8", content: include_str!("index.html") };

/// What the page asks for, beside the dashboard's.
pub(super) const FILES: [File; 5] = files! {
    "/docs/main.js", "main.js", "text/javascript; charset=utf-8";
    "/docs/prose.js", "prose.js", "text/javascript; charset=utf-8";
    "/docs/route.js", "route.js", "text/javascript; charset=utf-8";
    "/docs/schema.js", "schema.js", "text/javascript; charset=utf-8";
    "/docs/style.css", "style.css", "text/css; charset=utf-8";
};

/// This document as a page for people
#[utoipa::path(get, path = "/docs", tag = PAGES, responses(AnsweringPage))]
pub(super) async fn page(headers: HeaderMap) -> Response {
    PAGE.response(&headers)
}
