//! The task that keeps a bus connected: one session after another, for as long as the bus is open.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectError, ConnectErrorKind};
use tokio::sync::watch;
use tokio::time::{self, Instant};

use super::session::Session;
use super::{Refusal, Shared};

/// Keeps the bus connected until `stop`, then closes it. Dropping `done` signals that it is closed.
pub(super) async fn supervise(shared: Arc<Shared>, mut stop: watch::Receiver<bool>, done: watch::Sender<()>) {
    tokio::select! {
        () = stay_connected(&shared) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    shared.close().await;
    drop(done);
}

/// Opens one session after another. Never returns.
async fn stay_connected(shared: &Shared) {
    let (shortest, longest) = (shared.config.backoff_min, shared.config.backoff_max);
    let mut failures = 0_u32;
    let mut complaints = Complaints::default();
    // For each server, whether its last connection was brief.
    let mut brief = vec![false; shared.servers.len()];
    loop {
        match connect(shared, &order(&brief, random())).await {
            Ok((server, session)) => {
                tracing::info!(server = server_of(&session), "connected to NATS");
                shared.refusal.send_replace(None);
                complaints = Complaints { connected_before: true, ..Complaints::default() };
                let made = Instant::now();
                session.until_lost().await;
                shared.end_session();
                // A server that accepts connections and loses them at once must not be retried without a pause.
                brief[server] = made.elapsed() <= longest;
                failures = if brief[server] { failures.saturating_add(1) } else { 0 };
                tracing::warn!("the connection to NATS is lost; reconnecting");
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                complaints.note(error, shared);
            }
        }
        time::sleep(backoff(shortest, longest, failures, random())).await;
    }
}

/// Why no server accepts the bus.
enum Failure {
    /// Every server refuses the credentials.
    Refused(String),
    /// A server cannot be reached, or fails.
    Unreachable(String),
}

/// What was logged since the last connection, so that no log fills up with one trouble.
#[derive(Default)]
struct Complaints {
    /// Whether there has been a connection.
    connected_before: bool,
    /// The latest refusal, until a server cannot be reached.
    refusal: Option<Refusal>,
    /// The attempts since a refusal or a connection.
    unreachable: u32,
}

impl Complaints {
    /// Logs a refusal once until something changes, and unreachable servers at powers of two: often at first, seldom in
    /// a long outage. A refusal before the first connection is left to [`NatsBus::refused`](super::NatsBus::refused).
    fn note(&mut self, failure: Failure, shared: &Shared) {
        match failure {
            Failure::Refused(why) => {
                self.unreachable = 0;
                let before = self.refusal.take();
                let since = before.as_ref().map_or_else(Instant::now, |before| before.since);
                let refusal = Refusal { since, why };
                if !self.connected_before {
                    tracing::debug!(error = refusal.why, "NATS refuses the credentials");
                    shared.refusal.send_replace(Some(refusal.clone()));
                } else if before.is_none_or(|before| before.why != refusal.why) {
                    tracing::error!(error = refusal.why, "NATS refuses the credentials; still trying");
                }
                self.refusal = Some(refusal);
            }
            Failure::Unreachable(error) => {
                self.refusal = None;
                shared.refusal.send_replace(None);
                self.unreachable = self.unreachable.saturating_add(1);
                if self.unreachable.is_power_of_two() {
                    tracing::warn!(attempts = self.unreachable, error, "NATS cannot be reached; still trying");
                }
            }
        }
    }
}

/// Tries the servers in this order until one accepts all subscriptions. Returns its index and the session.
async fn connect(shared: &Shared, order: &[usize]) -> Result<(usize, Arc<Session>), Failure> {
    let (mut errors, mut refusals) = (Vec::new(), 0);
    for &number in order {
        let server = &shared.servers[number];
        let error = match Session::open(server, &shared.config).await {
            Ok(session) => match shared.begin_session(session).await {
                Some(session) => return Ok((number, session)),
                None => "the connection was lost at once".to_owned(),
            },
            Err(error) if is_refusal(&error) => {
                refusals += 1;
                format!("the server refuses {}", server.credentials(&shared.config))
            }
            Err(error) => error.to_string(),
        };
        errors.push((number, format!("{}: {error}", server.address.as_url_str())));
    }
    // Always in the same order, so that a failure that repeats is recognised.
    errors.sort_unstable();
    let all = errors.iter().map(|(_, error)| error.as_str()).collect::<Vec<_>>().join("; ");
    Err(if refusals == errors.len() { Failure::Refused(all) } else { Failure::Unreachable(all) })
}

/// Whether the server answered and refused the credentials.
fn is_refusal(error: &async_nats::Error) -> bool {
    let kind = error.downcast_ref::<ConnectError>().map(ConnectError::kind);
    matches!(kind, Some(ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication))
}

/// The order in which servers are tried. All orders are equally likely, so that the clients of a lost server spread
/// evenly over the others. Servers whose last connection was brief come last.
fn order(brief: &[bool], random: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..brief.len()).collect();
    let mut random = u128::from(random);
    for place in (1..order.len()).rev() {
        // The high half is the choice, and the low half is the randomness left for the next ones.
        random *= place as u128 + 1;
        order.swap(place, (random >> 64) as usize);
        random &= u128::from(u64::MAX);
    }
    order.sort_by_key(|&server| brief[server]);
    order
}

/// How long to wait after this many failures in a row. The longest wait doubles with each failure, and its upper half
/// is random, so that many clients do not return at the same moment.
fn backoff(shortest: Duration, longest: Duration, failures: u32, random: u64) -> Duration {
    let half = shortest.saturating_mul(1 << failures.min(10)).min(longest) / 2;
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
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_its_limit_and_is_spread() {
        for (failures, shortest, longest) in
            [(0, 25, 50), (1, 50, 100), (3, 200, 400), (6, 1000, 2000), (99, 1000, 2000)]
        {
            let (shortest, longest) = (Duration::from_millis(shortest), Duration::from_millis(longest));
            let backoff = |random| backoff(Duration::from_millis(50), Duration::from_secs(2), failures, random);
            assert_eq!(backoff(0), shortest);
            for random in [1, 12_345_678, u64::MAX] {
                assert!((shortest..=longest).contains(&backoff(random)), "{failures} {random}");
            }
        }
    }

    #[test]
    fn every_order_of_servers_is_as_likely_as_every_other() {
        const DRAWS: u64 = 6_000;
        let mut orders = BTreeMap::<Vec<usize>, u32>::new();
        for draw in 0..DRAWS {
            *orders.entry(order(&[false; 3], draw * (u64::MAX / DRAWS))).or_default() += 1;
        }
        assert_eq!(orders.len(), 6);
        assert!(orders.values().all(|count| (950..=1_050).contains(count)), "{orders:?}");
    }

    #[test]
    fn servers_whose_connections_do_not_last_are_tried_last() {
        for draw in [0, 1 << 62, 1 << 63, u64::MAX] {
            let order = order(&[true, false, true, false], draw);
            assert!(order[..2].iter().all(|server| server % 2 == 1), "{order:?}");
        }
    }
}
