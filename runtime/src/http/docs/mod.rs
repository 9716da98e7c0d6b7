//! `GET /docs`: the OpenAPI document as a page for people.
//!
//! The usual viewers are megabytes of script that need inline styles, which the content security policy of the pages
//! forbids. This page shares its style with the dashboard, and lays out whatever `/openapi.json` describes.

use axum::response::Response;
use http::HeaderMap;

use super::answers::PAGES;
use super::files::{AnsweringPage, File, files};

/// The page itself.
pub(super) const PAGE: File =
    File { path: "/docs", media_type: "text/html; charset=utf-8", content: include_str!("index.html") };

/// The files that the page loads besides the dashboard's.
pub(super) const FILES: [File; 5] = files! {
    "/docs/main.js", "main.js", "text/javascript; charset=utf-8";
    "/docs/prose.js", "prose.js", "text/javascript; charset=utf-8";
    "/docs/route.js", "route.js", "text/javascript; charset=utf-8";
    "/docs/schema.js", "schema.js", "text/javascript; charset=utf-8";
    "/docs/style.css", "style.css", "text/css; charset=utf-8";
};

/// This document as a page for people
#[utoipa::path(get, path = "/docs", operation_id = "docs", tag = PAGES, responses(AnsweringPage))]
pub(super) async fn page(headers: HeaderMap) -> Response {
    PAGE.response(&headers)
}
