//! What a user of the command line can do about an error.

use quorate_client::{Error, Refusal};

/// The error and what to do about it, in one sentence. It may quote the network: show it through
/// [`crate::render::clean`].
pub fn sentence(error: &Error) -> String {
    format!("{error}; {}", advice(error))
}

/// What to do about an error.
pub fn advice(error: &Error) -> String {
    let advice = match error {
        Error::Unreachable { .. } => "is the coordinator running? start one with: quorate dev",
        Error::Timeout { .. } => "check whether the coordinator is overloaded or stuck",
        Error::Broken { .. } => "try again",
        Error::Foreign { .. } => "check the address given with --url",
        Error::Refused(refusal) => return about_refusal(refusal),
        Error::Setup(_) => "install your system's CA certificates, or use an http:// address",
        _ => "correct the address given with --url",
    };
    advice.to_owned()
}

/// What to do about an error that the coordinator answered with.
pub fn about_refusal(refusal: &Refusal) -> String {
    let advice = match refusal.status.as_u16() {
        // The coordinator names its route, and people have a command for it.
        404 if refusal.said().ends_with("GET /feeds") || refusal.said().contains("; GET /feeds ") => {
            "list the feeds with: quorate feed ls"
        }
        404 if refusal.is_unknown_query() => "see what is offered with: quorate queries",
        409 if refusal.is_disputed() => {
            "compare the values, or ask with --on-dispute answer to receive the disputed answer"
        }
        409 => "use another --id, or none",
        422 => "ask again, lower --min-responses, or list the workers with: quorate workers",
        429 => return format!("ask again in {} s", refusal.retry_after.unwrap_or(1)),
        501 => "start the coordinator with --store, or use one that has a store",
        503 => match refusal.answer.error.as_str() {
            "no_workers" => "start a worker with the same --nats as the coordinator",
            "too_few_workers" => "start more workers, or list those that are known with: quorate workers",
            "bus_down" => {
                "check that the NATS server runs at the coordinator's --nats; the coordinator's log has the reason"
            }
            "draining" => "ask another coordinator, or restart this one",
            // The coordinator says so of what has an id, and the commands for that have a flag for it.
            "store_unavailable" if refusal.said().contains("with the same id") => {
                "repeat it with the same --id, and check the coordinator's store"
            }
            "store_unavailable" => "try again, and check the coordinator's store",
            "overloaded" => "ask again later, or look for a silent worker with: quorate workers",
            _ => "check that NATS and the workers are running, or list the workers with: quorate workers",
        },
        504 => "ask again, or give the workers more time with --timeout-ms",
        500.. => "look at the coordinator's log",
        _ => "correct the request",
    };
    advice.to_owned()
}

#[cfg(test)]
mod tests {
    use quorate_client::{Received, Refusal};
    use reqwest::StatusCode;

    use super::*;

    fn refused(status: u16, word: &str, retry_after: Option<u64>) -> Error {
        let answer = Received::read(format!(r#"{{"error":"{word}"}}"#)).expect("an error");
        let status = StatusCode::from_u16(status).expect("a status");
        Error::Refused(Box::new(Refusal { status, retry_after, answer }))
    }

    #[test]
    fn every_error_says_what_to_do() {
        let url: reqwest::Url = "http://localhost:8080".parse().expect("a URL");
        let unreachable = Error::Unreachable { url, reason: "connection refused".to_owned() };
        for (error, expected) in [
            (
                unreachable,
                "cannot reach http://localhost:8080/: connection refused; is the coordinator running? start one \
                           with: quorate dev",
            ),
            (
                refused(429, "rate limited", Some(7)),
                "the coordinator answered 429 Too Many Requests: rate limited; ask \
                                                     again in 7 s",
            ),
            (
                refused(404, "unknown_query", None),
                "the coordinator answered 404 Not Found: unknown_query; see what is \
                                                   offered with: quorate queries",
            ),
            (
                refused(400, "invalid_request", None),
                "the coordinator answered 400 Bad Request: invalid_request; correct the \
                                                     request",
            ),
            (
                refused(503, "no_workers", None),
                "the coordinator answered 503 Service Unavailable: no_workers; start a worker \
                                                with the same --nats as the coordinator",
            ),
        ] {
            assert_eq!(sentence(&error), expected);
        }
    }

    #[test]
    fn only_what_has_an_id_is_to_be_repeated_with_the_same_one() {
        for (said, expected) in [
            ("ask again with the same id, or without an id", "repeat it with the same --id"),
            ("the request may be accepted or not; submit it again with the same id", "repeat it with the same --id"),
            ("ask again", "try again"),
            ("ask again, or check NATS and its JetStream", "try again"),
        ] {
            let json = format!(r#"{{"error":"store_unavailable","details":"the store does not answer: {said}"}}"#);
            let answer = Received::read(json).expect("an error");
            let refusal = Refusal { status: StatusCode::SERVICE_UNAVAILABLE, retry_after: Some(1), answer };
            assert_eq!(about_refusal(&refusal), format!("{expected}, and check the coordinator's store"), "{said}");
        }
    }
}
