//! The contract of the bus, checked against the implementations of this crate: each check runs once per bus, with the
//! same code.
//!
//! `cargo test -p quorate-runtime --test bus_contract nats::` runs the checks against a real server. They need a
//! `nats-server`, which `make nats-server` installs.

mod harness;
mod nats_headers;
mod nats_only;

use std::time::Duration;

/// How long one check may take, on a busy machine.
const CHECK_TIMEOUT: Duration = Duration::from_mins(1);

/// Fails a check that hangs.
async fn bounded(check: impl Future<Output = ()>) {
    tokio::time::timeout(CHECK_TIMEOUT, check).await.expect("a check ends in time");
}

macro_rules! contract {
    ($($file:ident::$check:ident)*) => {
        mod local { $(contract!(@test crate::harness::LocalHarness, $file::$check);)* }
        mod nats { $(contract!(@test crate::harness::NatsHarness, $file::$check);)* }
    };
    (@test $harness:ty, $file:ident::$check:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            crate::bounded(quorate_test_support::bus_contract::$file::$check(<$harness>::start())).await;
        }
    };
}

quorate_test_support::bus_contract!(contract);
