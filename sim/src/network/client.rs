//! A client's host: it makes the requests and visits of the scenario over HTTP, at their times.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::http::{Connection, request_body};
use super::stage::{FORWARDED_FOR, Surroundings, TRACEPARENT};
use super::visit;
use crate::edge::{trace_of, traceparent};
use crate::event::{Question, Reply, What};
use crate::host::Host;
use crate::retry;
use crate::scenario::{Cluster, Request, Visit, forwarded_for};

/// The pause before a retry, unless the reply states one.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long losses are collected before they are reported, so that those of one crash are reported together.
const MOMENT: Duration = Duration::from_millis(1);
/// The most idle connections that are kept open to one coordinator.
const MAX_KEPT: usize = 4;

/// A request and its index in the workload; a probe has none.
pub(super) type Errand = (Option<usize>, Request);

/// What the clients share.
pub(super) struct Clients {
    surroundings: Surroundings,
    cluster: Cluster,
    /// How long a client waits for a response before it considers it lost.
    patience: Duration,
    asked: AtomicU32,
    unfinished: AtomicUsize,
}

impl Clients {
    pub(super) fn new(surroundings: Surroundings, cluster: Cluster, patience: Duration) -> Self {
        Self { surroundings, cluster, patience, asked: AtomicU32::new(0), unfinished: AtomicUsize::new(0) }
    }

    /// Adds to the number of unfinished errands.
    pub(super) fn expect(&self, errands: usize) {
        self.unfinished.fetch_add(errands, Ordering::Relaxed);
    }

    pub(super) fn are_done(&self) -> bool {
        self.unfinished.load(Ordering::Relaxed) == 0
    }
}

/// One client host.
struct Client {
    host: Host,
    clients: Arc<Clients>,
    /// Idle connections, by coordinator.
    kept: Mutex<BTreeMap<u8, Vec<Connection>>>,
    /// Lost questions that are yet to be reported, by number.
    lost: Mutex<BTreeMap<u32, oneshot::Sender<()>>>,
}

/// Runs a client host: `errands` and `visits` at their times, and those from `later` as they arrive.
pub(super) async fn run(
    number: u8,
    clients: Arc<Clients>,
    errands: Vec<Errand>,
    visits: Vec<(usize, Visit)>,
    mut later: UnboundedReceiver<Errand>,
) -> turmoil::Result {
    let begin = Instant::now();
    let client =
        Arc::new(Client { host: Host::Client(number), clients, kept: Mutex::default(), lost: Mutex::default() });
    client.clients.surroundings.begins(client.host, 1);
    for errand in errands {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            sleep_until(begin + Duration::from_millis(errand.1.at_ms)).await;
            client.run(errand).await;
        });
    }
    for (place, visit) in visits {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            sleep_until(begin + Duration::from_millis(visit.at_ms)).await;
            visit::run(&client.clients.surroundings, client.host, place, visit).await;
        });
    }
    while let Some(errand) = later.recv().await {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.run(errand).await });
    }
    std::future::pending().await
}

impl Client {
    async fn run(self: Arc<Self>, errand: Errand) {
        self.ask(errand).await;
        self.clients.unfinished.fetch_sub(1, Ordering::Relaxed);
    }

    /// Asks until a reply is final, no retry is left, or the client gives up.
    async fn ask(self: &Arc<Self>, (place, request): Errand) {
        let gives_up = request.gives_up_ms.map(|millis| Instant::now() + Duration::from_millis(millis));
        let body = request_body(&request);
        let mut coordinator = request.coordinator;
        let mut retries = if request.id.is_some() { request.retries } else { 0 };
        let sink = &self.clients.surroundings.sink;
        loop {
            let number = self.clients.asked.fetch_add(1, Ordering::Relaxed);
            let asked =
                Question { number, coordinator: Host::Coordinator(coordinator), place, request: request.clone() };
            sink.tell(self.host, What::Asked(&asked));
            sink.message(body.len());
            // The other end of an old connection may be gone after the faults, so a probe opens a new one.
            let keeps = number % 2 == 1 && place.is_some();
            let exchange = timeout(self.clients.patience, self.exchange(coordinator, number, body.clone(), keeps));
            let reply = match gives_up {
                None => exchange.await,
                Some(at) => match timeout_at(at, exchange).await {
                    Ok(reply) => reply,
                    Err(_) => return sink.tell(self.host, What::Vanished(number)),
                },
            };
            let reply = if let Some((reply, length)) = reply.ok().flatten() {
                sink.message(length);
                reply
            } else {
                // An error makes no difference: the reply is lost either way.
                let _ = self.lost(number).await;
                Reply::Lost
            };
            sink.tell(self.host, What::Replied(number, &reply));
            let Some(pause) = pause_before_retry(&reply) else { return };
            if retries == 0 || gives_up.is_some_and(|at| Instant::now() + pause >= at) {
                return;
            }
            retries -= 1;
            sleep(pause).await;
            coordinator = retry::next_coordinator(&self.clients.cluster, coordinator);
        }
    }

    /// Makes one request. Returns the response and the length of its body; `None` if none arrives. With `keeps`, uses
    /// an idle connection if there is one, and leaves the connection open.
    async fn exchange(&self, coordinator: u8, number: u32, body: String, keeps: bool) -> Option<(Reply, usize)> {
        let kept = if keeps { self.kept().get_mut(&coordinator).and_then(Vec::pop) } else { None };
        let mut headers = Vec::new();
        headers.extend(trace_of(number).map(|trace| (TRACEPARENT, traceparent(trace))));
        if self.clients.surroundings.proxy.is_some() {
            // Only the last address is the proxy's own entry; the others are the client's claim.
            headers.push((FORWARDED_FOR, format!("203.0.113.9, 10.9.0.{}", forwarded_for(number))));
        }
        let mut connection = match kept {
            Some(connection) if connection.is_open() => connection,
            _ => Connection::open(coordinator).await.ok()?,
        };
        let reply = connection.ask(body, &headers, keeps).await.ok()?;
        if keeps && connection.is_open() {
            let mut kept = self.kept();
            let idle = kept.entry(coordinator).or_default();
            if idle.len() < MAX_KEPT {
                idle.push(connection);
            }
        }
        Some(reply)
    }

    /// Completes after `MOMENT`, in the order of the questions' numbers. A crashed host closes its connections in an
    /// order that the seed does not determine.
    fn lost(self: &Arc<Self>, number: u32) -> oneshot::Receiver<()> {
        let (told, waiting) = oneshot::channel();
        let mut lost = lock(&self.lost);
        if lost.is_empty() {
            let client = Arc::clone(self);
            tokio::spawn(async move {
                sleep(MOMENT).await;
                for told in std::mem::take(&mut *lock(&client.lost)).into_values() {
                    // The receiver waits until this is sent.
                    let _ = told.send(());
                }
            });
        }
        lost.insert(number, told);
        waiting
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<u8, Vec<Connection>>> {
        lock(&self.kept)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to wait before a retry; `None` if the reply is final.
fn pause_before_retry(reply: &Reply) -> Option<Duration> {
    match reply {
        Reply::Lost => Some(RETRY_PAUSE),
        Reply::Http { status: 429 | 503 | 504, retry_after, .. } => {
            Some(retry_after.map_or(RETRY_PAUSE, Duration::from_secs))
        }
        Reply::Http { .. } | Reply::Ended(_) => None,
    }
}
