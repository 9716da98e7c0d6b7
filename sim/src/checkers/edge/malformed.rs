//! A malformed request gets the error that names its fault, and never reaches the machine.

use quorate_core::coordinator::Input;
use serde_json::Value as Json;

use super::touched::Touched;
use crate::checkers::{Checker, Context};
use crate::event::{Event, Read, What};
use crate::scenario::{Malformed, Visit, VisitKind};

#[derive(Debug)]
pub(crate) struct Refused {
    visits: Vec<Visit>,
    touched: Touched,
}

pub(crate) fn new(context: &Context<'_>) -> Refused {
    Refused { visits: context.scenario.edges.visits.clone(), touched: Touched::new(context) }
}

fn check(malformed: Malformed, read: &Read) -> Result<(), String> {
    let (status, word) = malformed.answer();
    let body: Json = serde_json::from_str(&read.body).unwrap_or_default();
    let is_right = read.status == status
        && body["error"] == word
        && body["code"] == status
        && body["details"].as_str().is_some_and(|details| !details.is_empty())
        && body["request_id"].is_null()
        && read.content_type == "application/json";
    if is_right { Ok(()) } else { Err(format!("{malformed:?} was answered with {read:?} instead of {status} {word}")) }
}

impl Checker for Refused {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        self.touched.event(event);
        match event.what {
            What::VisitEnded(place, read) => {
                let Some(Visit { kind: VisitKind::Malformed(malformed), .. }) = self.visits.get(place) else {
                    return Ok(());
                };
                match read {
                    Some(read) if self.touched.excuses_refusal(read) => Ok(()),
                    Some(read) => check(*malformed, read),
                    // The server does not read the rest of an oversized body, which may break the connection.
                    None if *malformed == Malformed::Oversized => Ok(()),
                    None => self.touched.check_lost(place),
                }
            }
            // Only malformed requests have such a query.
            What::CoordinatorInput(_, Input::Submit(submit)) if submit.query.as_str().starts_with("qqq") => {
                Err(format!("the machine of {} received a malformed request: {submit:?}", event.host))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Depth;
    use crate::checkers::testing::rig::Rig;
    use crate::host::Host;
    use crate::scenario::Scenario;

    fn answered(malformed: Malformed, read: Option<&Read>) -> Rig {
        let mut scenario = Scenario::quiet();
        let visit = Visit { at_ms: 100, client: 1, coordinator: 1, kind: VisitKind::Malformed(malformed) };
        scenario.edges.visits = vec![visit];
        let mut run = Rig::at(&scenario, Depth::Network, new);
        run.pass(100);
        run.tell(Host::Client(1), What::Visited(0, &visit));
        run.pass(100);
        run.tell(Host::Client(1), What::VisitEnded(0, read));
        run
    }

    fn error(status: u16, word: &str) -> Read {
        let body = format!(r#"{{"error": "{word}", "code": {status}, "details": "why"}}"#);
        Read { status, content_type: "application/json".to_owned(), body }
    }

    #[test]
    fn each_malformed_request_has_its_error() {
        for malformed in Malformed::ALL {
            let (status, word) = malformed.answer();
            answered(*malformed, Some(&error(status, word))).expect_fine();
        }
        answered(Malformed::Oversized, None).expect_fine();
    }

    #[test]
    fn another_error_or_none_is_found() {
        answered(Malformed::Route, Some(&error(405, "method_not_allowed")))
            .expect_violation("instead of 404 not_found");
        answered(Malformed::Json, Some(&error(400, "conflict"))).expect_violation("instead of 400 invalid_request");
        answered(Malformed::Json, None).expect_violation("without a response");
    }
}
