//! Connects, and finds or makes the streams.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, Info};
use async_nats::jetstream::{ErrorCode, account::Account};
use tokio::time::{Instant, sleep, timeout_at};

use super::config::{MESSAGE_BYTES, Settings, differences, fault, streams};
use super::link::{ApiError, Link, Silence};
use crate::bus::BusError;
use crate::bus::nats::{NatsBus, NatsConfig};

/// How long a server may take to be reached, and a cluster to have leaders.
const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// How long servers may refuse the credentials before that is final.
const REFUSED_FOR: Duration = Duration::from_secs(3);
/// The pause before a cluster without a leader is asked again.
const PAUSE: Duration = Duration::from_millis(250);
/// The oldest server that has times to live per message and batches of direct gets.
const OLDEST: (u64, u64) = (2, 11);

/// Why there is no store on JetStream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The configuration of NATS cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// No server was reached in time, or none lets this program in.
    #[error("NATS cannot be reached for the store: {0}")]
    Unreachable(String),
    /// JetStream is not enabled on the server or for the account.
    #[error("there is no JetStream on this NATS server or for this account: {0}")]
    NoJetStream(String),
    /// The server is too old.
    #[error("the store needs NATS 2.11 or later, and this server is {0}")]
    TooOld(String),
    /// JetStream did not answer in time, or has no leader.
    #[error("JetStream does not answer: {0}")]
    Unavailable(String),
    /// There are not enough servers for the replicas, or they have not enough room.
    #[error("stream {stream} cannot have {replicas} replicas: {why}")]
    NoPeers {
        /// The name of the stream.
        stream: String,
        /// How many servers were to keep it.
        replicas: usize,
        /// What the server says.
        why: String,
    },
    /// A stream exists and cannot be used as it is, or cannot be made.
    #[error("stream {stream} cannot be used: {why}")]
    Stream {
        /// The name of the stream.
        stream: String,
        /// Why, and what to do.
        why: String,
    },
}

/// Connects, and finds or makes the streams. Returns whether each one is in a cluster, by its name.
pub(super) async fn open(config: NatsConfig, settings: &Settings) -> Result<(Link, Vec<(String, bool)>), OpenError> {
    let config = NatsConfig { inbox: settings.subjects.inbox().to_owned(), ..config };
    let bus = NatsBus::connect(config).map_err(|error| match error {
        BusError::Configuration(why) => OpenError::Configuration(why),
        BusError::Closed => OpenError::Unreachable(error.to_string()),
    })?;
    let link = Link::new(bus);
    let until = Instant::now() + OPEN_WITHIN;
    let client = tokio::select! {
        biased;
        client = timeout_at(until, link.client()) => {
            client.map_err(|_| OpenError::Unreachable(format!("not connected within {} s", OPEN_WITHIN.as_secs())))?
        }
        why = link.bus().refused(REFUSED_FOR) => return Err(OpenError::Unreachable(why)),
    };
    let version = client.server_info().version;
    if !is_new_enough(&version) {
        return Err(OpenError::TooOld(version));
    }
    check_payload(client.server_info().max_payload)?;
    check_account(&link, until).await?;
    let mut clustered = Vec::new();
    for wanted in streams(settings) {
        let found = ensure(&link, &wanted, until).await?;
        clustered.push((wanted.name, found.cluster.is_some()));
    }
    Ok((link, clustered))
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST
}

/// Whether a message has room for every entry.
fn check_payload(most: usize) -> Result<(), OpenError> {
    if most >= MESSAGE_BYTES {
        return Ok(());
    }
    Err(OpenError::Configuration(format!(
        "the NATS server takes messages of {most} bytes, and the store needs {MESSAGE_BYTES}: raise max_payload"
    )))
}

/// Waits until JetStream answers.
async fn check_account(link: &Link, until: Instant) -> Result<(), OpenError> {
    loop {
        let trouble = match link.api::<Account>("INFO", &()).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) if is_disabled(&error) => return Err(OpenError::NoJetStream(error.to_string())),
            Err(silence @ Silence::NoResponders(_)) => return Err(OpenError::NoJetStream(silence.to_string())),
            Ok(Err(error)) => error.to_string(),
            Err(silence) => silence.to_string(),
        };
        pause(until, trouble).await?;
    }
}

fn is_disabled(error: &ApiError) -> bool {
    matches!(
        error.error_code(),
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT | ErrorCode::NO_LIMITS
    )
}

/// Makes a stream, unless there is one that can be used. Whoever makes it first, every program finds the same one.
async fn ensure(link: &Link, wanted: &Config, until: Instant) -> Result<Info, OpenError> {
    let unusable = |why: String| OpenError::Stream { stream: wanted.name.clone(), why };
    loop {
        let trouble = match link.api::<Info>(&format!("STREAM.INFO.{}", wanted.name), &()).await {
            Ok(Ok(found)) => {
                if let Some(fault) = fault(&found.config, wanted) {
                    return Err(unusable(fault));
                }
                let differences = differences(&found.config, wanted);
                if !differences.is_empty() {
                    let differences = differences.join("; ");
                    tracing::warn!(stream = wanted.name, differences, "the stream exists and is used as it is");
                }
                return Ok(found);
            }
            Ok(Err(error)) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                match link.api::<Info>(&format!("STREAM.CREATE.{}", wanted.name), wanted).await {
                    Ok(Ok(_)) => {
                        tracing::info!(stream = wanted.name, replicas = wanted.num_replicas, "made a stream");
                        continue;
                    }
                    Ok(Err(error)) => match error.error_code() {
                        // Another program was faster.
                        ErrorCode::STREAM_NAME_EXIST => error.to_string(),
                        ErrorCode::CLUSTER_NO_PEERS
                        | ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED
                        | ErrorCode::INSUFFICIENT_RESOURCES
                        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
                        | ErrorCode::MEMORY_RESOURCES_EXCEEDED => {
                            let (stream, replicas) = (wanted.name.clone(), wanted.num_replicas);
                            return Err(OpenError::NoPeers { stream, replicas, why: error.to_string() });
                        }
                        _ if is_final(&error) => return Err(unusable(error.to_string())),
                        _ => error.to_string(),
                    },
                    Err(silence) => silence.to_string(),
                }
            }
            Ok(Err(error)) if is_final(&error) => return Err(unusable(error.to_string())),
            Ok(Err(error)) => error.to_string(),
            Err(silence) => silence.to_string(),
        };
        pause(until, trouble).await?;
    }
}

/// Whether the same question would be answered in the same way again. The other errors come from a cluster that has no
/// leader or misses servers.
fn is_final(error: &ApiError) -> bool {
    (400..500).contains(&error.code())
}

/// Waits before the next attempt.
async fn pause(until: Instant, trouble: String) -> Result<(), OpenError> {
    timeout_at(until, sleep(PAUSE)).await.map_err(|_| OpenError::Unavailable(trouble))
}
