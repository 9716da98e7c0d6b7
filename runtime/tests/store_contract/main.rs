//! The contract of the store, checked against the implementations of this crate: each check runs once per store, with
//! the same code.
//!
//! `cargo test -p quorate-runtime --test store_contract jetstream::` runs the checks against a real server. They need a
//! `nats-server`, which `make nats-server` installs.

mod cluster_only;
mod harness;
mod jetstream_only;
mod memory_only;
mod open;
mod proxy;

use std::time::Duration;

/// How long one check may take, on a busy machine.
const CHECK_TIMEOUT: Duration = Duration::from_mins(2);

/// Fails a check that hangs.
async fn bounded(check: impl Future<Output = ()>) {
    tokio::time::timeout(CHECK_TIMEOUT, check).await.expect("a check ends in time");
}

macro_rules! contract {
    ($($file:ident::$check:ident)*) => {
        /// In this process, and in simulated time.
        mod memory { $(
            #[tokio::test(start_paused = true)]
            async fn $check() {
                crate::bounded(quorate_test_support::store_contract::$file::$check(
                    crate::harness::MemoryHarness::new(),
                )).await;
            }
        )* }
        /// On one server.
        mod jetstream { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                crate::bounded(quorate_test_support::store_contract::$file::$check(
                    crate::harness::JetStreamHarness::start(),
                )).await;
            }
        )* }
        /// On a cluster of three, which the checks share.
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_cluster_keeps_the_contract() {
            let cluster = quorate_test_support::NatsCluster::start(3);
            $(
                let harness = crate::harness::ClusterHarness::new(&cluster, stringify!($check));
                println!("{}", stringify!($check));
                crate::bounded(quorate_test_support::store_contract::$file::$check(harness)).await;
            )*
        }
    };
}

quorate_test_support::store_contract!(contract);
