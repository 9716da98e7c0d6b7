//! The HTTP responses, by route and status.

use std::array;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use super::page::Page;

/// The label of all paths without a route.
const OTHER: &str = "other";

/// Counts responses. The routes are fixed, so that no path that a caller sends adds one.
#[derive(Debug)]
pub(crate) struct Responses {
    routes: BTreeMap<String, Statuses>,
    other: Statuses,
}

/// Responses by status, from 100 to 599.
#[derive(Debug)]
pub(crate) struct Statuses(Box<[AtomicU64; 500]>);

impl Default for Statuses {
    fn default() -> Self {
        Self(Box::new(array::from_fn(|_| AtomicU64::new(0))))
    }
}

impl Responses {
    /// No responses yet. Each of `routes` is one path, whose last part may be a parameter.
    pub(crate) fn new<'a>(routes: impl Iterator<Item = &'a str>) -> Self {
        let routes = routes.map(|path| (path.to_owned(), Statuses::default())).collect();
        Self { routes, other: Statuses::default() }
    }

    /// The counts for the route with this path.
    pub(crate) fn of(&self, path: &str) -> &Statuses {
        self.routes.get(path).or_else(|| self.routes.get(&parametrised(path)?)).unwrap_or(&self.other)
    }

    pub(super) fn show(&self, page: &mut Page) {
        let routes = self.routes.iter().map(|(path, statuses)| (path.as_str(), statuses)).chain([(OTHER, &self.other)]);
        let counts: Vec<_> = routes
            .flat_map(|(path, statuses)| statuses.seen().map(move |(status, count)| (path, status.to_string(), count)))
            .collect();
        page.labelled_counters(
            "quorate_http_responses_total",
            "Responses over HTTP, by route and status.",
            counts.iter().map(|(path, status, count)| ([("route", *path), ("status", status)], *count)),
        );
    }
}

/// The route of a path whose last part is an id.
fn parametrised(path: &str) -> Option<String> {
    path.rsplit_once('/').filter(|(_, id)| !id.is_empty()).map(|(parent, _)| format!("{parent}/{{id}}"))
}

impl Statuses {
    /// Counts one response.
    pub(crate) fn count(&self, status: StatusCode) {
        if let Some(count) = self.0.get(usize::from(status.as_u16()).wrapping_sub(100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The statuses that have occurred, and how often.
    fn seen(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.0.iter().enumerate().map(|(at, count)| (at + 100, count.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_counted_by_route_and_status_and_those_without_a_route_together() {
        let responses = Responses::new(["/b", "/a", "/c/{id}", "/silent"].into_iter());
        for (path, status) in [
            ("/b", 200),
            ("/a", 200),
            ("/b", 200),
            ("/b", 503),
            ("/c", 404),
            ("/b/", 404),
            ("/a", 600),
            ("/c/1", 200),
            ("/c/2", 200),
            ("/c/", 404),
        ] {
            responses.of(path).count(StatusCode::from_u16(status).expect("a status"));
        }
        let mut page = Page::default();
        responses.show(&mut page);
        let samples = r#"quorate_http_responses_total{route="/a",status="200"} 1
quorate_http_responses_total{route="/b",status="200"} 2
quorate_http_responses_total{route="/b",status="503"} 1
quorate_http_responses_total{route="/c/{id}",status="200"} 2
quorate_http_responses_total{route="other",status="404"} 3
"#;
        assert!(page.text().ends_with(samples), "{}", page.text());
    }
}
