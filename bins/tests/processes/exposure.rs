//! Who reaches the HTTP API, and what a start says about it.

use quorate_test_support::NatsServer;

use crate::support::{COORDINATOR, Program};

#[tokio::test]
async fn a_coordinator_says_what_it_exposes_and_to_whom() {
    let nats = NatsServer::start();
    let starts = |listen: &str| Program::start(COORDINATOR, &["--nats", &nats.url(), "--listen", listen]);
    let open = starts("0.0.0.0:0");
    let said = open.logs("reachable from other hosts, without authentication; --listen 127.0.0.1:8080").await;
    let routes = "POST /request, GET /workers";
    for route in routes.split(", ") {
        assert!(said.contains(route), "{route} is not in: {said}");
    }
    let local = starts("[::1]:0");
    let said = local.logs("programs on this machine reach it, without authentication routes=").await;
    assert!(said.contains("GET /metrics"), "{said}");
}
