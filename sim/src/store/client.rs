//! A client of durable requests: it submits one, again and again if it must, and asks for its outcome everywhere.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::durable::{Accepted, Rejection};
use quorate_core::id::RequestId;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::UnixTime;
use quorate_runtime::durable::Stand;
use quorate_runtime::wire::Numbers;
use tokio::time::sleep;

use super::event::StoreEvent;
use super::stage::Stage;
use crate::host::Host;
use crate::scenario::Submission;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a submission is repeated at most.
const ATTEMPTS: usize = 30;
/// How long a client waits for an outcome at a time.
const WAIT: Duration = Duration::from_secs(10);
/// How often it asks for an outcome that it knows.
const AGAIN: usize = 3;

/// Submits a request, and waits for its outcome.
pub(super) async fn submit(stage: Arc<Stage>, place: usize, request: Submission) {
    let id = RequestId::new(&request.id()).expect("an id");
    let mut coordinators = stage.coordinators();
    let first = coordinators.iter().position(|number| *number == request.coordinator).unwrap_or(0);
    coordinators.rotate_left(first);
    for number in coordinators.iter().cycle().take(ATTEMPTS) {
        match attempt(&stage, place, &request, &id, *number).await {
            Some(Ok(_)) => break,
            Some(Err(Rejection::Conflict | Rejection::Refused)) => return,
            Some(Err(_)) | None => sleep(PAUSE).await,
        }
    }
    let mut told = 0;
    for number in coordinators.iter().cycle() {
        if ends(&stage, place, &id, *number).await {
            told += 1;
        }
        if told == AGAIN {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Submits a request once. `None` if there is no answer.
async fn attempt(
    stage: &Stage,
    place: usize,
    request: &Submission,
    id: &RequestId,
    number: u8,
) -> Option<Result<Accepted, Rejection>> {
    let (durable, dead) = stage.durable(number)?;
    let host = Host::Coordinator(number);
    let query = Query::new(&request.query()).expect("a query");
    stage.tell(host, &StoreEvent::Submitted(place, id.clone(), query.clone()));
    let timeout = Duration::from_millis(request.round_ms.1);
    let submitted =
        durable.submit(id.clone(), query, Overrides::default(), timeout, UnixTime::EPOCH.after(stage.now()));
    let reply = tokio::select! {
        biased;
        () = dead.cancelled() => None,
        reply = submitted => Some(reply),
    };
    stage.tell(host, &StoreEvent::Accepted(place, id.clone(), reply));
    reply
}

/// Asks a coordinator for the outcome of a request. Returns whether it was told.
async fn ends(stage: &Stage, place: usize, id: &RequestId, number: u8) -> bool {
    let Some((durable, dead)) = stage.durable(number) else { return false };
    let stand = tokio::select! {
        biased;
        () = dead.cancelled() => return false,
        stand = durable.ends(id, WAIT) => stand,
    };
    let Ok(Stand::Done(outcome)) = stand else { return false };
    stage.tell(Host::Coordinator(number), &StoreEvent::Told(place, id.clone(), outcome.body(Numbers::Number)));
    true
}
