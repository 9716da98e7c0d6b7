//! A worker as a NATS service: it answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` as ADR-32 of
//! nats-architecture-and-design specifies, so that `nats micro` lists it.
//!
//! The service framework of async-nats is not used: its endpoints always have a queue group, so that only one worker
//! would get each task, and its statistics lack the metadata.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use quorate_core::coordinator::PresenceState;
use quorate_core::offer::Offer;
use quorate_core::time::saturating_nanos;
use quorate_core::worker::Counters;
use serde::Serialize;
use tracing::debug;

use super::identity::WorkerIdentity;
use crate::bus::{Bus, BusError, Message, Subscription};
use crate::wire::{self, Subjects};

const PREFIX: &str = "$SRV";
/// The longest `last_error` that is shown, in bytes.
const MAX_LAST_ERROR_BYTES: usize = 256;

/// The fields that all responses begin with.
#[derive(Serialize)]
struct Standard<'a> {
    #[serde(rename = "type")]
    kind: String,
    name: &'a str,
    id: &'a str,
    version: &'static str,
    metadata: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
struct Info<'a> {
    #[serde(flatten)]
    standard: Standard<'a>,
    description: &'static str,
    endpoints: [Endpoint<'a>; 1],
}

#[derive(Serialize)]
struct Endpoint<'a> {
    name: &'static str,
    subject: &'a str,
    queue_group: &'a str,
    metadata: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
struct Stats<'a> {
    #[serde(flatten)]
    standard: Standard<'a>,
    started: &'a str,
    endpoints: [EndpointStats<'a>; 1],
}

#[derive(Serialize)]
struct EndpointStats<'a> {
    name: &'static str,
    subject: &'a str,
    queue_group: &'a str,
    num_requests: u64,
    num_errors: u64,
    last_error: &'a str,
    processing_time: u64,
    average_processing_time: u64,
    data: Drops,
}

/// What a worker has ignored or lost. Nothing is lost without being counted.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Drops {
    /// Tasks that could not be decoded.
    pub(super) tasks_malformed: u64,
    /// Tasks for queries that the worker does not offer.
    pub(super) tasks_unoffered: u64,
    /// Tasks whose time to live ran out before there was an answer.
    pub(super) tasks_expired: u64,
    /// Tasks that the bus dropped because they came faster than they were received.
    pub(super) tasks_dropped: u64,
    /// Results that could not be sent: the bus was disconnected, its queue full, or the reply subject invalid.
    pub(super) results_unsent: u64,
}

/// The service side of a worker.
#[derive(Debug)]
pub(super) struct Service<B: Bus> {
    bus: B,
    /// Those to all services, to all services of this name, and to this instance.
    requests: [B::Subscription; 3],
    /// The name of the service.
    name: String,
    /// The subject of its tasks.
    tasks: String,
    worker: String,
    instance: String,
    replicated: bool,
    /// The queries that the worker offers, as a text; `None` if it offers all.
    queries: Option<String>,
    queue_group: String,
    started: String,
    last_error: String,
}

impl<B: Bus> Service<B> {
    pub(super) async fn new(
        bus: &B,
        identity: &WorkerIdentity,
        subjects: &Subjects,
        offer: &Offer,
    ) -> Result<Self, BusError> {
        let name = subjects.service();
        let instance = &identity.instance;
        Ok(Self {
            requests: [
                bus.subscribe(&format!("{PREFIX}.*"), None).await?,
                bus.subscribe(&format!("{PREFIX}.*.{name}"), None).await?,
                bus.subscribe(&format!("{PREFIX}.*.{name}.{instance}"), None).await?,
            ],
            bus: bus.clone(),
            name: name.to_owned(),
            tasks: subjects.tasks().to_owned(),
            worker: identity.id.as_str().to_owned(),
            instance: instance.clone(),
            replicated: identity.replicated,
            queries: wire::queries_text(offer),
            queue_group: identity.queue_group().unwrap_or_default(),
            started: rfc3339(identity.started),
            last_error: String::new(),
        })
    }

    /// The next request to the service.
    pub(super) async fn recv(&mut self) -> Option<Message> {
        let [all, named, own] = &mut self.requests;
        tokio::select! {
            biased;
            Some(message) = all.recv() => Some(message),
            Some(message) = named.recv() => Some(message),
            Some(message) = own.recv() => Some(message),
            else => None,
        }
    }

    /// The requests that wait, up to `batch` of each kind.
    pub(super) fn ready(&mut self, batch: usize) -> Vec<Message> {
        self.requests.iter_mut().flat_map(|requests| super::ready(requests, batch)).collect()
    }

    pub(super) fn note_error(&mut self, error: &str) {
        self.last_error.clear();
        self.last_error.push_str(&error[..error.floor_char_boundary(MAX_LAST_ERROR_BYTES)]);
    }

    pub(super) fn answer(
        &self,
        request: &Message,
        counters: &Counters,
        drops: Drops,
        state: PresenceState,
        packs: bool,
    ) {
        let Some(reply) = &request.reply else { return };
        let verb = request.subject.split('.').nth(1).unwrap_or_default();
        let Some(body) = self.body(verb, counters, drops, state, packs) else { return };
        if let Err(error) = self.bus.publish(reply, None, body) {
            debug!(%error, verb, "a service request is not answered");
        }
    }

    fn body(&self, verb: &str, counters: &Counters, drops: Drops, state: PresenceState, packs: bool) -> Option<Bytes> {
        let standard = |kind: &str| Standard {
            kind: format!("io.nats.micro.v1.{kind}_response"),
            name: &self.name,
            id: &self.instance,
            version: env!("CARGO_PKG_VERSION"),
            metadata: [
                Some(("replicated", if self.replicated { "true" } else { "false" })),
                Some(("state", wire::state_name(state))),
                Some(("worker_id", self.worker.as_str())),
                packs.then_some(("packs", "true")),
                self.queries.as_deref().map(|queries| ("queries", queries)),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        let body = match verb {
            "PING" => serde_json::to_vec(&standard("ping")),
            "INFO" => serde_json::to_vec(&Info {
                standard: standard("info"),
                description: "A worker that answers the tasks of Quorate's coordinators",
                endpoints: [Endpoint {
                    name: "tasks",
                    subject: &self.tasks,
                    queue_group: &self.queue_group,
                    metadata: BTreeMap::new(),
                }],
            }),
            "STATS" => {
                let answered = counters.succeeded + counters.failed;
                let average = counters.processing_time.as_nanos().checked_div(u128::from(answered)).unwrap_or(0);
                serde_json::to_vec(&Stats {
                    standard: standard("stats"),
                    started: &self.started,
                    endpoints: [EndpointStats {
                        name: "tasks",
                        subject: &self.tasks,
                        queue_group: &self.queue_group,
                        num_requests: counters.tasks_received,
                        num_errors: counters.failed + counters.tasks_refused,
                        last_error: &self.last_error,
                        processing_time: saturating_nanos(counters.processing_time),
                        average_processing_time: u64::try_from(average).unwrap_or(u64::MAX),
                        data: drops,
                    }],
                })
            }
            _ => return None,
        };
        Some(body.expect("texts and integers are serializable").into())
    }
}

/// Formats a time of day in UTC as RFC 3339, in whole seconds. A time before 1970 becomes the first second of 1970.
fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let moment =
        i64::try_from(seconds).ok().and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok());
    moment
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a year of four digits has an RFC 3339 form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(rfc3339(time), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
    }
}
