//! The stores for the checks of the contract.

use quorate_core::time::Timestamp;
use quorate_runtime::bus::nats::NatsConfig;
use quorate_runtime::clock::Clock;
use quorate_runtime::store::jetstream::{JetStream, Settings};
use quorate_runtime::store::memory::{MemoryStore, Retention};
use quorate_runtime::wire::Subjects;
use quorate_test_support::store_contract::Harness;
use quorate_test_support::{NatsCluster, NatsServer};
use tempfile::TempDir;

/// How many bytes a log in memory has.
const MEMORY_BYTES: usize = 16 << 20;

pub(crate) struct MemoryHarness(MemoryStore);

impl MemoryHarness {
    pub(crate) fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_millis(1_790_000_000_000));
        Self(MemoryStore::new(clock, Retention { bytes: MEMORY_BYTES, ..Retention::default() }))
    }
}

impl Harness for MemoryHarness {
    type Store = MemoryStore;

    async fn open(&self) -> MemoryStore {
        self.0.clone()
    }

    fn too_large(&self) -> usize {
        MEMORY_BYTES + 1
    }
}

/// The largest message that NATS takes by default, in bytes. The headers of an entry count, too.
const MAX_PAYLOAD: usize = 1 << 20;

pub(crate) struct JetStreamHarness {
    pub(crate) server: NatsServer,
    _folder: TempDir,
}

impl JetStreamHarness {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let server = NatsServer::start_with(&["-js", "-sd", &folder.path().display().to_string()]);
        Self { server, _folder: folder }
    }
}

impl Harness for JetStreamHarness {
    type Store = JetStream;

    async fn open(&self) -> JetStream {
        let store = JetStream::open(NatsConfig::new(self.server.url()), Settings::default()).await;
        store.expect("the server has JetStream")
    }

    fn too_large(&self) -> usize {
        MAX_PAYLOAD
    }
}

/// A deployment of its own on a cluster.
pub(crate) struct ClusterHarness {
    urls: String,
    subjects: Subjects,
}

impl ClusterHarness {
    pub(crate) fn new(cluster: &NatsCluster, name: &str) -> Self {
        let prefix = name.get(..60).unwrap_or(name).trim_end_matches('_');
        Self { urls: cluster.urls(), subjects: prefix.parse().expect("a prefix") }
    }
}

impl Harness for ClusterHarness {
    type Store = JetStream;

    async fn open(&self) -> JetStream {
        let settings = Settings { subjects: self.subjects.clone(), replicas: 3, ..Settings::default() };
        JetStream::open(NatsConfig::new(&self.urls), settings).await.expect("the cluster has JetStream")
    }

    fn too_large(&self) -> usize {
        MAX_PAYLOAD
    }
}
