//! `GET /`: the dashboard, a page that is part of the program and needs nothing but this API.

use axum::response::Response;
use http::HeaderMap;

use super::answers::PAGES;
use super::files::{AnsweringPage, File, files};

/// The page itself.
pub(super) const PAGE: File =
    File { path: "/", media_type: "text/html; charset=utf-8", content: include_str!("index.html") };

/// The files that the page loads.
pub(super) const FILES: [File; 41] = files! {
    "/dashboard/answer.js", "answer.js", "text/javascript; charset=utf-8";
    "/dashboard/ask.js", "ask.js", "text/javascript; charset=utf-8";
    "/dashboard/badges.js", "badges.js", "text/javascript; charset=utf-8";
    "/dashboard/chart.css", "chart.css", "text/css; charset=utf-8";
    "/dashboard/chart.js", "chart.js", "text/javascript; charset=utf-8";
    "/dashboard/connection.js", "connection.js", "text/javascript; charset=utf-8";
    "/dashboard/dom.js", "dom.js", "text/javascript; charset=utf-8";
    "/dashboard/evidence.js", "evidence.js", "text/javascript; charset=utf-8";
    "/dashboard/exact.js", "exact.js", "text/javascript; charset=utf-8";
    "/dashboard/feed.js", "feed.js", "text/javascript; charset=utf-8";
    "/dashboard/feeds.js", "feeds.js", "text/javascript; charset=utf-8";
    "/dashboard/fields.js", "fields.js", "text/javascript; charset=utf-8";
    "/dashboard/form.css", "form.css", "text/css; charset=utf-8";
    "/dashboard/format.js", "format.js", "text/javascript; charset=utf-8";
    "/dashboard/frames.js", "frames.js", "text/javascript; charset=utf-8";
    "/dashboard/icon.svg", "icon.svg", "image/svg+xml";
    "/dashboard/legend.js", "legend.js", "text/javascript; charset=utf-8";
    "/dashboard/links.js", "links.js", "text/javascript; charset=utf-8";
    "/dashboard/main.js", "main.js", "text/javascript; charset=utf-8";
    "/dashboard/order.js", "order.js", "text/javascript; charset=utf-8";
    "/dashboard/outcomes.js", "outcomes.js", "text/javascript; charset=utf-8";
    "/dashboard/past.js", "past.js", "text/javascript; charset=utf-8";
    "/dashboard/plot.js", "plot.js", "text/javascript; charset=utf-8";
    "/dashboard/points.js", "points.js", "text/javascript; charset=utf-8";
    "/dashboard/readout.js", "readout.js", "text/javascript; charset=utf-8";
    "/dashboard/register.js", "register.js", "text/javascript; charset=utf-8";
    "/dashboard/request.js", "request.js", "text/javascript; charset=utf-8";
    "/dashboard/rounded.js", "rounded.js", "text/javascript; charset=utf-8";
    "/dashboard/rounds.js", "rounds.js", "text/javascript; charset=utf-8";
    "/dashboard/rows.js", "rows.js", "text/javascript; charset=utf-8";
    "/dashboard/scale.js", "scale.js", "text/javascript; charset=utf-8";
    "/dashboard/score.js", "score.js", "text/javascript; charset=utf-8";
    "/dashboard/slots.js", "slots.js", "text/javascript; charset=utf-8";
    "/dashboard/stream.js", "stream.js", "text/javascript; charset=utf-8";
    "/dashboard/style.css", "style.css", "text/css; charset=utf-8";
    "/dashboard/tables.css", "tables.css", "text/css; charset=utf-8";
    "/dashboard/time.js", "time.js", "text/javascript; charset=utf-8";
    "/dashboard/value.js", "value.js", "text/javascript; charset=utf-8";
    "/dashboard/view.js", "view.js", "text/javascript; charset=utf-8";
    "/dashboard/worker.js", "worker.js", "text/javascript; charset=utf-8";
    "/dashboard/workers.js", "workers.js", "text/javascript; charset=utf-8";
};

/// The dashboard, a page for people
#[utoipa::path(get, path = "/", operation_id = "dashboard", tag = PAGES, responses(AnsweringPage))]
pub(super) async fn page(headers: HeaderMap) -> Response {
    PAGE.response(&headers)
}
