//! The simulated store is held to the contract of the store, as long as nothing goes wrong with it.

use quorate_sim::host::Host;
use quorate_sim::scenario::StoreConfig;
use quorate_sim::store::simulated::SimulatedStore;
use quorate_test_support::store_contract::Harness;

/// The longest body that the store takes.
const MAX_BODY: usize = 1 << 20;

struct Simulated(SimulatedStore);

impl Simulated {
    /// A store that needs up to `slow_us` microseconds for each step. Its readings are not behind: the checks expect
    /// that what was read once is read again.
    fn new(seed: u64, slow_us: u64) -> Self {
        let (latency_us, commit_us) = ((1, slow_us), (1, slow_us));
        let config = StoreConfig { latency_us, commit_us, max_body: MAX_BODY, ..StoreConfig::default() };
        Self(SimulatedStore::new(seed, Host::Coordinator(1), config, &[], Box::new(|_, _| {})))
    }
}

impl Harness for Simulated {
    type Store = SimulatedStore;

    async fn open(&self) -> SimulatedStore {
        self.0.of(Host::Coordinator(2))
    }

    fn too_large(&self) -> usize {
        MAX_BODY + 1
    }
}

macro_rules! contract {
    ($($file:ident::$check:ident)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $check() {
            for (seed, slow_us) in [(1, 1), (2, 3_000), (3, 50_000)] {
                quorate_test_support::store_contract::$file::$check(Simulated::new(seed, slow_us)).await;
            }
        }
    )*};
}

quorate_test_support::store_contract!(contract);
