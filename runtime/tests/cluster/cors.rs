//! Pages of other origins use the API only if the operator allows theirs.

use quorate_runtime::bus::local::LocalBus;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};

use crate::support::{Setup, TestCoordinator, client};

const APP: &str = "https://app.example.org";
const OTHER: &str = "https://other.example.org";

async fn start(cors: &[&str]) -> TestCoordinator {
    let cors = cors.iter().map(|origin| origin.parse().expect("an origin")).collect();
    // One request to each route may come at once.
    let read_limit = Some((1, 3));
    TestCoordinator::start_with(LocalBus::new(), Setup { cors, read_limit, ..Setup::default() }).await
}

fn request(coordinator: &TestCoordinator, method: Method, path: &str, origin: &str) -> RequestBuilder {
    client().request(method, coordinator.url(path)).header("origin", origin)
}

/// What a browser asks before it sends a question with JSON.
async fn preflight(coordinator: &TestCoordinator, origin: &str) -> (u16, HeaderMap) {
    let request = request(coordinator, Method::OPTIONS, "/request", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,traceparent");
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.headers().clone())
}

async fn get(coordinator: &TestCoordinator, path: &str, origin: &str) -> (u16, HeaderMap) {
    let response = request(coordinator, Method::GET, path, origin).send().await.expect("an answer");
    (response.status().as_u16(), response.headers().clone())
}

/// The values of a header, as one list.
fn list(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter().map(|value| value.to_str().expect("ASCII"));
    values.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn by_default_no_other_origin_is_allowed() {
    let coordinator = start(&[]).await;
    for (status, headers) in [preflight(&coordinator, APP).await, get(&coordinator, "/workers", APP).await] {
        assert!(matches!(status, 200 | 405), "{status}");
        assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{headers:?}");
        assert_eq!(list(&headers, "vary"), "");
    }
}

#[tokio::test]
async fn a_preflight_of_an_allowed_origin_is_told_what_it_may_send() {
    let coordinator = start(&[APP, "http://localhost:3000"]).await;
    // The rate limit does not count preflights.
    for _ in 0..5 {
        let (status, headers) = preflight(&coordinator, APP).await;
        assert_eq!((status, list(&headers, "access-control-allow-origin").as_str()), (200, APP));
        assert_eq!(list(&headers, "access-control-allow-methods"), "GET,POST");
        assert_eq!(list(&headers, "access-control-allow-headers"), "content-type,last-event-id,traceparent");
        assert_eq!(list(&headers, "access-control-max-age"), "600");
        assert!(list(&headers, "vary").contains("origin"), "{headers:?}");
    }
    let (_, headers) = preflight(&coordinator, OTHER).await;
    assert_eq!(list(&headers, "access-control-allow-origin"), "");
    assert!(list(&headers, "vary").contains("origin"), "a cache must not give this to an allowed origin: {headers:?}");
}

#[tokio::test]
async fn answers_events_and_refusals_can_be_read_by_allowed_origins_only() {
    let coordinator = start(&[APP]).await;
    for (path, expected) in [("/workers", 200), ("/events", 200), ("/nothing", 404), ("/workers", 429)] {
        let (status, headers) = get(&coordinator, path, APP).await;
        assert_eq!((status, list(&headers, "access-control-allow-origin").as_str()), (expected, APP), "{path}");
        assert_eq!(list(&headers, "access-control-expose-headers"), "retry-after");
        assert!(list(&headers, "vary").contains("origin"), "{path}: {headers:?}");
    }
    for origin in [OTHER, "null", "https://app.example.org:8443", "https://app.example.org.evil.example"] {
        let (_, headers) = get(&coordinator, "/health", origin).await;
        assert_eq!(list(&headers, "access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn a_star_allows_every_origin() {
    let coordinator = start(&["*"]).await;
    for origin in [APP, OTHER, "null"] {
        let (_, headers) = preflight(&coordinator, origin).await;
        assert_eq!(list(&headers, "access-control-allow-origin"), "*");
        let (status, headers) = get(&coordinator, "/health", origin).await;
        assert_eq!(list(&headers, "access-control-allow-origin"), "*", "{status}");
        assert_eq!(list(&headers, "access-control-allow-credentials"), "", "no cookie or password goes with it");
    }
}
