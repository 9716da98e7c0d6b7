//! Opens the store of a coordinator.

use std::future;
use std::time::Duration;

use anyhow::anyhow;
use futures_util::stream::{self, StreamExt as _};
use quorate_core::coordinator::Config;
use quorate_runtime::bus::nats::NatsConfig;
use quorate_runtime::clock::Clock;
use quorate_runtime::feeds;
use quorate_runtime::node::Stored;
use quorate_runtime::store::any::AnyStore;
use quorate_runtime::store::jetstream::{JetStream, Limits, OpenError, Settings, Storage};
use quorate_runtime::store::late::LateStore;
use quorate_runtime::store::memory::{MemoryStore, Retention};
use quorate_runtime::wire::Subjects;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::args::{StorageName, StoreArgs, StoreName};
use crate::exit::Unusable;
use crate::reload;

/// The pause before a NATS server that was not reached is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long too few servers of a cluster may be there for the replicas: the others may be about to start.
const PEERS_WITHIN: Duration = Duration::from_secs(30);

/// What a coordinator keeps.
pub(crate) type Kept = Stored<LateStore<AnyStore>>;

/// What a coordinator keeps, if it keeps anything, and what opens it: that ends only if it cannot be used, with the reason.
/// Nobody waits for a store that cannot be reached: until then, the coordinator works without it.
///
/// # Errors
/// An unusable feed file.
pub(crate) fn open(
    args: &StoreArgs,
    nats: Option<(NatsConfig, Subjects)>,
    machine: &Config,
    clock: Clock,
) -> anyhow::Result<(Option<Kept>, impl Future<Output = anyhow::Error> + use<>)> {
    let (store, opener) = LateStore::new();
    let (args, name) = (args.clone(), args.store());
    let stored = if name.is_some() {
        let feeds = args.feeds.as_ref().map(|file| feeds::read(file, machine)).transpose().map_err(Unusable::mark)?;
        let reloads = match args.feeds.clone() {
            Some(file) => reload::feeds(file, machine.clone()).boxed(),
            None => stream::pending().boxed(),
        };
        Some(Stored { store, feeds: feeds.unwrap_or_default(), reloads })
    } else {
        None
    };
    let opening = async move {
        if let Some(name) = name {
            match opened(name, &args, nats, clock).await {
                Ok(store) => opener.open(store),
                Err(why) => return Unusable::mark(why),
            }
        }
        future::pending().await
    };
    Ok((stored, opening))
}

/// The store, as soon as it can be reached.
async fn opened(
    name: StoreName,
    args: &StoreArgs,
    nats: Option<(NatsConfig, Subjects)>,
    clock: Clock,
) -> anyhow::Result<AnyStore> {
    let (nats, subjects) = match (name, nats) {
        (StoreName::Memory, _) | (StoreName::Auto, None) => return Ok(memory(args, clock)),
        (StoreName::Jetstream, None) => {
            return Err(anyhow!("there is no NATS server for --store jetstream; name one with --nats"));
        }
        (StoreName::Auto | StoreName::Jetstream, Some(at)) => at,
    };
    match jetstream(nats, settings(args, subjects)).await {
        Ok(store) => Ok(AnyStore::JetStream(store)),
        Err(why @ OpenError::NoJetStream(_)) if name == StoreName::Auto => {
            warn!("{why}; what is stored is kept in this process, and ends with it");
            Ok(memory(args, clock))
        }
        Err(why) => Err(anyhow!("the store cannot be used: {why}{}", advice(&why))),
    }
}

fn memory(args: &StoreArgs, clock: Clock) -> AnyStore {
    let age = args.keep_reports.max(args.keep_requests);
    AnyStore::Memory(MemoryStore::new(clock, Retention { age, ..Retention::default() }))
}

fn settings(args: &StoreArgs, subjects: Subjects) -> Settings {
    let kept = |age| Limits { age: Some(age), bytes: None };
    Settings {
        subjects,
        replicas: args.store_replicas.into(),
        feeds: kept(args.keep_reports),
        requests: kept(args.keep_requests),
        storage: match args.store_storage {
            StorageName::File => Storage::File,
            StorageName::Memory => Storage::Memory,
        },
    }
}

/// Opens JetStream, as soon as it can be reached.
async fn jetstream(nats: NatsConfig, settings: Settings) -> Result<JetStream, OpenError> {
    let peers_until = Instant::now() + PEERS_WITHIN;
    loop {
        match JetStream::open(nats.clone(), settings.clone()).await {
            Ok(store) => {
                info!(replicas = settings.replicas, "the store on JetStream is open");
                return Ok(store);
            }
            Err(why @ (OpenError::Unreachable(_) | OpenError::Unavailable(_))) => warn!("{why}; trying again"),
            Err(why @ OpenError::NoPeers { .. }) if Instant::now() < peers_until => warn!("{why}; trying again"),
            Err(why) => return Err(why),
        }
        sleep(RETRY).await;
    }
}

/// What to do about it.
fn advice(why: &OpenError) -> &'static str {
    match why {
        OpenError::NoJetStream(_) => "; start nats-server with -js, or use --store memory",
        OpenError::TooOld(_) => "; update it, or use --store memory",
        OpenError::NoPeers { .. } => "; start more servers, or set a smaller --store-replicas",
        _ => "",
    }
}
