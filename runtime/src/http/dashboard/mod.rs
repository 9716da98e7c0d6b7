//! `GET /`: the dashboard, a page that is part of the program and needs nothing but this API.

use axum::response::Response;
use http::HeaderMap;

use super::answers::PAGES;
use super::files::{AnsweringPage, File, files};

/// The page itself.
pub(super) const PAGE: File =
    File { path: "/", media_type: "text/html; charset=utf-8", content: include_str!("index.html") };

/// The files that the page loads.
pub(super) const FILES: [File; 15] = files! {
    "/dashboard/answer.js", "answer.js", "text/javascript; charset=utf-8";
    "/dashboard/ask.js", "ask.js", "text/javascript; charset=utf-8";
    "/dashboard/badges.js", "badges.js", "text/javascript; charset=utf-8";
    "/dashboard/chart.js", "chart.js", "text/javascript; charset=utf-8";
    "/dashboard/dom.js", "dom.js", "text/javascript; charset=utf-8";
    "/dashboard/exact.js", "exact.js", "text/javascript; charset=utf-8";
    "/dashboard/format.js", "format.js", "text/javascript; charset=utf-8";
    "/dashboard/icon.svg", "icon.svg", "image/svg+xml";
    "/dashboard/main.js", "main.js", "text/javascript; charset=utf-8";
    "/dashboard/outcomes.js", "outcomes.js", "text/javascript; charset=utf-8";
    "/dashboard/scale.js", "scale.js", "text/javascript; charset=utf-8";
    "/dashboard/series.js", "series.js", "text/javascript; charset=utf-8";
    "/dashboard/stream.js", "stream.js", "text/javascript; charset=utf-8";
    "/dashboard/style.css", "style.css", "text/css; charset=utf-8";
    "/dashboard/workers.js", "workers.js", "text/javascript; charset=utf-8";
};

/// The dashboard, a page for people
#[utoipa::path(get, path = "/", operation_id = "dashboard", tag = PAGES, responses(AnsweringPage))]
pub(super) async fn page(headers: HeaderMap) -> Response {
    PAGE.response(&headers)
}
