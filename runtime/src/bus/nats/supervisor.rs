//! The task that keeps a bus connected: one session after another, for as long as the bus is open.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time;

use super::Shared;
use super::session::Session;

/// The shortest wait before an attempt to connect.
const MIN_BACKOFF: Duration = Duration::from_millis(50);

/// The longest wait before an attempt to connect.
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// Keeps the bus connected until `stop`, then closes it. `done` is dropped at the end, for whoever waits for it.
pub(super) async fn supervise(shared: Arc<Shared>, mut stop: watch::Receiver<bool>, done: watch::Sender<()>) {
    tokio::select! {
        () = stay_connected(&shared) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    shared.close().await;
    drop(done);
}

/// Never returns.
async fn stay_connected(shared: &Shared) {
    let mut failures = 0_u32;
    loop {
        match connect(shared).await {
            Ok(session) => {
                failures = 0;
                tracing::info!(server = server_of(&session), "connected to NATS");
                session.until_lost().await;
                shared.end_session();
                tracing::warn!("the connection to NATS is lost; reconnecting");
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                // At each doubling: often at first, seldom in a long outage.
                if failures.is_power_of_two() {
                    tracing::warn!(attempts = failures, %error, "NATS cannot be reached; trying on");
                }
            }
        }
        time::sleep(backoff(failures, random())).await;
    }
}

/// Tries the servers in turn, from a random one on, until one carries all subscriptions.
async fn connect(shared: &Shared) -> Result<Arc<Session>, String> {
    let first = random() as usize % shared.servers.len();
    let mut errors = Vec::new();
    for server in shared.servers[first..].iter().chain(&shared.servers[..first]) {
        let error = match Session::open(server, &shared.config).await {
            Ok(session) => match shared.begin_session(session).await {
                Some(session) => return Ok(session),
                None => "the connection was lost at once".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        errors.push(format!("{}: {error}", server.address.as_url_str()));
    }
    Err(errors.join("; "))
}

/// How long to wait after this many failures in a row: twice as long after each, the upper half of it at random, so
/// that many clients do not return at the same moment.
fn backoff(failures: u32, random: u64) -> Duration {
    let longest = MIN_BACKOFF.saturating_mul(1 << failures.min(10)).min(MAX_BACKOFF);
    let half = longest / 2;
    half + Duration::from_micros(random % (half.as_micros() as u64 + 1))
}

/// A random number: the standard library seeds each of its hashers from the operating system.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}

fn server_of(session: &Session) -> String {
    let info = session.client().server_info();
    format!("{} ({}:{}, {})", info.server_name, info.host, info.port, info.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_its_limit_and_is_spread() {
        for (failures, shortest, longest) in
            [(0, 25, 50), (1, 50, 100), (3, 200, 400), (6, 1000, 2000), (99, 1000, 2000)]
        {
            let (shortest, longest) = (Duration::from_millis(shortest), Duration::from_millis(longest));
            assert_eq!(backoff(failures, 0), shortest);
            for random in [1, 12_345_678, u64::MAX] {
                assert!((shortest..=longest).contains(&backoff(failures, random)), "{failures} {random}");
            }
        }
    }
}
