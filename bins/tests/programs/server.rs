//! Servers on free ports of this machine, whose answers the tests choose.

use axum::Router;
use reqwest::Url;
use tokio::net::TcpListener;

/// Serves `router` for the rest of the test.
pub(crate) async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = url(&listener);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// An address where nothing listens.
pub(crate) async fn nowhere() -> Url {
    url(&TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
}

/// The address of a listener.
pub(crate) fn url(listener: &TcpListener) -> Url {
    let address = listener.local_addr().expect("a bound listener has an address");
    Url::parse(&format!("http://{address}")).expect("an address is a URL")
}

/// An answer with the value of one worker.
pub(crate) fn outcome(query: &str, value: &str) -> String {
    format!(
        r#"{{"request_id":"r1","query":"{query}","final_value":{value},"strategy":"average","status":"complete",
        "reliability_note":"All workers responded successfully","expected":1,"succeeded":1,"failed":0,"missing":[],
        "excluded":[],"tie":false,"spread":null,"elapsed":2000000,"worker_responses":[
        {{"worker_id":"w1","request_id":"r1","value":{value},"response_time":1000000}}]}}"#
    )
}
