//! The answers over HTTP, by route and status.

use std::array;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use super::page::Page;

/// The most routes that are told apart. There are fewer; what a caller puts into a path makes none.
const MAX_ROUTES: usize = 32;
/// What stands for the paths that no route has.
const OTHER: &str = "other";

/// Counts answers. A route has a place from its first answer on.
#[derive(Debug)]
pub(crate) struct Responses {
    routes: [OnceLock<Route>; MAX_ROUTES],
    other: Statuses,
}

/// The answers of one route.
#[derive(Debug)]
struct Route {
    path: String,
    statuses: Statuses,
}

/// Answers by status, from 100 to 599.
#[derive(Debug)]
struct Statuses(Box<[AtomicU64; 500]>);

impl Default for Statuses {
    fn default() -> Self {
        Self(Box::new(array::from_fn(|_| AtomicU64::new(0))))
    }
}

impl Default for Responses {
    fn default() -> Self {
        Self { routes: array::from_fn(|_| OnceLock::new()), other: Statuses::default() }
    }
}

impl Responses {
    /// Counts one answer. `path` is that of the route, with its parameters' names and not their values; `None` where no
    /// route was found.
    pub(crate) fn count(&self, path: Option<&str>, status: StatusCode) {
        self.statuses(path).count(status);
    }

    fn statuses(&self, path: Option<&str>) -> &Statuses {
        let Some(path) = path else { return &self.other };
        for place in &self.routes {
            let route = place.get_or_init(|| Route { path: path.to_owned(), statuses: Statuses::default() });
            if route.path == path {
                return &route.statuses;
            }
        }
        &self.other
    }

    pub(super) fn show(&self, page: &mut Page) {
        let routes = self.routes.iter().filter_map(OnceLock::get).map(|route| (route.path.as_str(), &route.statuses));
        let mut routes: Vec<_> = routes.chain([(OTHER, &self.other)]).collect();
        routes.sort_unstable_by_key(|(path, _)| *path);
        let counts: Vec<_> = routes
            .iter()
            .flat_map(|(path, statuses)| statuses.seen().map(move |(status, count)| (*path, status.to_string(), count)))
            .collect();
        page.labelled_counters(
            "quorate_http_responses_total",
            "Answers over HTTP, by route and status.",
            counts.iter().map(|(path, status, count)| ([("route", *path), ("status", status)], *count)),
        );
    }
}

impl Statuses {
    fn count(&self, status: StatusCode) {
        if let Some(count) = self.0.get(usize::from(status.as_u16()).wrapping_sub(100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The statuses that were answered, and how often.
    fn seen(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.0.iter().enumerate().map(|(at, count)| (at + 100, count.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_route_and_status_and_what_has_no_route_or_no_place_together() {
        let responses = Responses::default();
        for (path, status) in
            [(Some("/b"), 200), (Some("/a"), 200), (Some("/b"), 200), (Some("/b"), 503), (None, 404), (None, 404)]
        {
            responses.count(path, StatusCode::from_u16(status).expect("a status"));
        }
        for n in 0..2 * MAX_ROUTES {
            responses.count(Some(&format!("/many/{n}")), StatusCode::IM_A_TEAPOT);
        }
        let mut page = Page::default();
        responses.show(&mut page);
        let text = page.text();
        let line = |labels: &str| text.lines().find(|line| line.contains(labels)).map(str::to_owned);
        let expected = |labels: &str, count: usize| Some(format!("quorate_http_responses_total{{{labels}}} {count}"));
        for (labels, count) in [
            (r#"route="/a",status="200""#, 1),
            (r#"route="/b",status="200""#, 2),
            (r#"route="/b",status="503""#, 1),
            (r#"route="other",status="404""#, 2),
            (r#"route="other",status="418""#, MAX_ROUTES + 2),
        ] {
            assert_eq!(line(labels), expected(labels, count), "{text}");
        }
        assert_eq!(text.matches("/many/").count(), MAX_ROUTES - 2);
    }
}
