//! The bus over NATS.
//!
//! * `supervisor.rs` keeps the bus connected: it opens one session after another
//! * `session.rs` is one connection. Its unsent messages die with it, so that none is delivered after an outage
//! * `subscription.rs` outlives sessions: each new session subscribes again before the bus reports that it is connected
//! * `config.rs` has addresses, credentials and limits, and keeps secrets out of logs

mod config;
mod session;
mod subscription;
mod supervisor;

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_nats::header::HeaderName;
use async_nats::{Client, HeaderMap, HeaderValue, PublishErrorKind, Subject};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::{Mutex, watch};
use tokio::task::coop;
use tokio::time::{self, Instant};

use super::{Bus, BusError, BusStatus, Headers, PublishError, subject};
use config::Server;
use session::{RoundTrip, Session};
use subscription::Registration;

pub use config::{Checked, NatsConfig};
pub use subscription::NatsSubscription;

/// A connection to NATS that reconnects for as long as it exists.
///
/// Dropping the last clone closes it; [`close`](Self::close) also flushes what was published.
#[derive(Clone, Debug)]
pub struct NatsBus {
    handle: Arc<Handle>,
}

/// What the clones of a bus share. Dropping it stops the supervisor.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    /// Its sender is dropped when the supervisor is done.
    done: watch::Receiver<()>,
}

/// What a bus and its supervisor share.
struct Shared {
    config: NatsConfig,
    servers: Vec<Server>,
    /// Changes only while `session` is locked for writing, so that both always agree.
    status: watch::Sender<BusStatus>,
    /// What every server answers, if all refuse the credentials and there was no connection before.
    refusal: watch::Sender<Option<Refusal>>,
    /// The session in which messages are published. Only the supervisor changes it.
    session: RwLock<Option<Arc<Session>>>,
    subscriptions: Mutex<Subscriptions>,
}

/// Every server refuses the credentials.
#[derive(Clone, Debug)]
struct Refusal {
    since: Instant,
    why: String,
}

/// The subscriptions that each session makes again. Locked while a session begins, so that none is missed or doubled.
#[derive(Default)]
struct Subscriptions {
    registrations: Vec<Weak<Registration>>,
    closed: bool,
}

impl NatsBus {
    /// Starts to connect in the background and returns at once; [`Bus::status`] shows when it is connected.
    ///
    /// # Errors
    /// [`BusError::Configuration`] if the configuration cannot be used. An unreachable server is not an error.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn connect(config: NatsConfig) -> Result<Self, BusError> {
        let servers = config.servers()?;
        config.check_files()?;
        let shared = Arc::new(Shared {
            config,
            servers,
            status: watch::Sender::default(),
            refusal: watch::Sender::default(),
            session: RwLock::default(),
            subscriptions: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let (done_sender, done) = watch::channel(());
        tokio::spawn(supervisor::supervise(Arc::clone(&shared), stopped, done_sender));
        Ok(Self { handle: Arc::new(Handle { shared, stop, done }) })
    }

    /// Waits until every server has refused the credentials for so long, and returns why. Never returns once there has
    /// been a connection: credentials that change later may change back.
    ///
    /// The bus keeps trying in the meantime, so it is up to the caller whether a refusal is final.
    pub async fn refused(&self, patience: Duration) -> String {
        let mut refusal = self.handle.shared.refusal.subscribe();
        loop {
            let refused = refusal.wait_for(Option::is_some).await.ok().and_then(|refusal| refusal.clone());
            // The sender lives as long as the bus.
            let Refusal { since, why } = refused.expect("the bus is open, and it was waited for a refusal");
            time::sleep_until(since + patience).await;
            if refusal.borrow().as_ref().is_some_and(|refusal| refusal.since == since) {
                return why;
            }
        }
    }

    /// The client of the current connection, to use NATS beyond the bus; `None` while there is none. It does not
    /// reconnect: when the connection is lost, what waits for an answer fails at once, and nothing that was not sent is
    /// sent later.
    pub(crate) fn client(&self) -> Option<Client> {
        self.handle.shared.session().map(|session| session.client().clone())
    }

    /// Flushes, then closes the bus for all its clones: publishes are refused, and subscriptions end once they are
    /// emptied.
    pub async fn close(&self) {
        self.flush().await;
        self.handle.stop.send_replace(true);
        // An error is expected: the supervisor drops its end when it is done.
        let _ = self.handle.done.clone().changed().await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Bus for NatsBus {
    type Subscription = NatsSubscription;

    fn publish_with(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        if !subject::is_publishable(subject) || !reply.is_none_or(subject::is_publishable) {
            return Err(PublishError::Refused);
        }
        let session = self.handle.shared.session.read().unwrap_or_else(PoisonError::into_inner);
        let session = session.as_ref().ok_or(PublishError::Disconnected)?;
        let client = session.client();
        let subject = Subject::from(subject);
        let headers = (!headers.is_empty() && session.takes_headers()).then(|| header_map(headers));
        // A publish only waits for room in the queue, so it is polled once: if it has to wait, the queue is full. The
        // task's cooperative budget is left out, since an exhausted budget would look like a full queue.
        let sent = match (reply.map(Subject::from), headers) {
            (None, None) => now(client.publish(subject, payload)),
            (Some(reply), None) => now(client.publish_with_reply(subject, reply, payload)),
            (None, Some(headers)) => now(client.publish_with_headers(subject, headers, payload)),
            (Some(reply), Some(headers)) => {
                now(client.publish_with_reply_and_headers(subject, reply, headers, payload))
            }
        };
        match sent.ok_or(PublishError::Full)?.map_err(|error| error.kind()) {
            Ok(()) => {
                session.note_queued();
                Ok(())
            }
            Err(PublishErrorKind::Send) => Err(PublishError::Disconnected),
            Err(PublishErrorKind::MaxPayloadExceeded | PublishErrorKind::InvalidSubject) => Err(PublishError::Refused),
        }
    }

    fn publish_expendable(&self, subject: &str, payload: Bytes) -> Result<(), PublishError> {
        let capacity = self.handle.shared.config.publish_capacity;
        if self.handle.shared.session().is_some_and(|session| 2 * session.queued() >= capacity) {
            return Err(PublishError::Full);
        }
        self.publish(subject, None, payload)
    }

    async fn subscribe(&self, subject: &str, queue_group: Option<&str>) -> Result<NatsSubscription, BusError> {
        super::check_subscription(subject, queue_group)?;
        let shared = &self.handle.shared;
        let mut subscriptions = shared.subscriptions.lock().await;
        if subscriptions.closed {
            return Err(BusError::Closed);
        }
        let registration = Arc::new(Registration::new(subject, queue_group));
        subscriptions.registrations.retain(|registration| registration.strong_count() > 0);
        subscriptions.registrations.push(Arc::downgrade(&registration));
        if let Some(session) = shared.session() {
            session.subscribe(&registration).await;
        }
        Ok(NatsSubscription::new(registration))
    }

    async fn flush(&self) {
        if let Some(session) = self.handle.shared.session() {
            session.round_trip(self.handle.shared.config.flush_timeout).await;
        }
    }

    fn forbids(&self, subject: &str) -> bool {
        self.handle.shared.session().is_some_and(|session| session.forbids(subject))
    }

    fn status(&self) -> watch::Receiver<BusStatus> {
        self.handle.shared.status.subscribe()
    }
}

/// Polls a future once; `None` if it would have to wait.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    coop::unconstrained(future).now_or_never()
}

fn header_map(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            map.append(name, value);
        }
    }
    map
}

impl Shared {
    fn session(&self) -> Option<Arc<Session>> {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes all subscriptions in `session`. Once the server has confirmed them, or the flush timeout has passed,
    /// publishes go to this session. `None` if it is lost before that.
    async fn begin_session(&self, session: Session) -> Option<Arc<Session>> {
        let subscriptions = self.subscriptions.lock().await;
        for registration in subscriptions.registrations.iter().filter_map(Weak::upgrade) {
            session.subscribe(&registration).await;
        }
        match session.round_trip(self.config.flush_timeout).await {
            RoundTrip::Made => {}
            RoundTrip::Lost => return None,
            // If the server is gone, its unanswered pings will show that.
            RoundTrip::TimedOut => {
                tracing::warn!(
                    "NATS did not confirm the subscriptions in time; check that this user may publish and subscribe on \
                     {}.{}.>",
                    self.config.inbox,
                    session::ECHO
                );
            }
        }
        let session = Arc::new(session);
        self.set_session(Some(Arc::clone(&session)));
        Some(session)
    }

    /// Refuses publishes from now on.
    fn end_session(&self) {
        self.set_session(None);
    }

    /// Closes the bus for good.
    async fn close(&self) {
        self.end_session();
        let mut subscriptions = self.subscriptions.lock().await;
        subscriptions.closed = true;
        for registration in subscriptions.registrations.drain(..).filter_map(|registration| registration.upgrade()) {
            registration.close();
        }
    }

    fn set_session(&self, session: Option<Arc<Session>>) {
        let mut current = self.session.write().unwrap_or_else(PoisonError::into_inner);
        self.status.send_modify(|status| {
            status.connected = session.is_some();
            status.connections += u64::from(session.is_some());
        });
        *current = session;
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .field("status", &*self.status.borrow())
            .finish_non_exhaustive()
    }
}
