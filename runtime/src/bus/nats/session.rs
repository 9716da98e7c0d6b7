//! One session: a single connection to one NATS server, from its handshake to its loss. It never reconnects.
//!
//! async-nats keeps its queue of unsent commands over a reconnect, and would deliver after an outage what was published
//! before it. A session therefore dies with its connection, and its unsent messages die with it.
//!
//! async-nats has no option to never reconnect, but it asks a callback which server to connect to before each attempt.
//! The first call returns the server. Any later call means that the connection is lost, and returns [`NOWHERE`]. One
//! failed attempt later `max_reconnects` is exceeded, and the client's task ends, dropping its queue and the senders of
//! its subscriptions. The callback is also the most reliable notice of the loss: unlike async-nats' events, which share
//! a queue that can be full, a call can't be missed.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ReconnectToServer, ServerAddr, Subject, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::coop;
use tokio::time;

use super::config::{NatsConfig, Server, read_credentials};
use super::subscription::Registration;

/// An address where no server can listen: port 0 is not a port.
const NOWHERE: &str = "nats://127.0.0.1:0";

/// The subjects below the inbox on which sessions receive their own messages.
pub(super) const ECHO: &str = "quorate.echo";

/// The most subjects that are remembered as forbidden.
const MAX_FORBIDDEN: usize = 64;

/// A connection to one server. It ends when it is dropped.
pub(super) struct Session {
    client: Client,
    takes_headers: bool,
    /// Becomes `true`, or loses its sender, when the connection is lost.
    lost: watch::Receiver<bool>,
    subscriptions: Arc<Mutex<BySid>>,
    /// The subjects that the server does not let this client use.
    forbidden: Arc<Mutex<BTreeSet<String>>>,
    echo: tokio::sync::Mutex<Echo>,
    /// The number of messages put into the client's queue so far.
    queued: AtomicU64,
}

/// A subscription to a subject that only this session uses.
struct Echo {
    subject: Subject,
    subscriber: Subscriber,
    /// The number of the last message published to it.
    last: u64,
}

/// How a round trip to the server went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoundTrip {
    /// The server has answered.
    Made,
    /// The connection was lost.
    Lost,
    /// The server has not answered in time.
    TimedOut,
}

/// The registrations by the number that async-nats assigns to their subscriptions, which grows by one with each.
#[derive(Default)]
struct BySid {
    last: u64,
    registrations: BTreeMap<u64, Weak<Registration>>,
}

impl Session {
    /// Connects to `server`.
    pub(super) async fn open(server: &Server, config: &NatsConfig) -> Result<Self, async_nats::Error> {
        let subscriptions = Arc::new(Mutex::new(BySid::default()));
        let (lost_sender, lost) = watch::channel(false);
        let nowhere: ServerAddr = NOWHERE.parse()?;
        let pool = vec![server.address.clone(), nowhere.clone()];

        let connecting = AtomicBool::new(true);
        let address = server.address.clone();
        let next_server = move |_, _| {
            let addr = if connecting.swap(false, Ordering::Relaxed) {
                address.clone()
            } else {
                lost_sender.send_replace(true);
                nowhere.clone()
            };
            ready(Some(ReconnectToServer { addr, delay: Some(Duration::ZERO) }))
        };
        let forbidden = Arc::<Mutex<BTreeSet<String>>>::default();
        let (by_sid, noted) = (Arc::clone(&subscriptions), Arc::clone(&forbidden));
        let on_event = move |event| {
            notice(&event, &by_sid, &noted);
            ready(())
        };

        let mut options = ConnectOptions::new()
            .name(&config.name)
            .custom_inbox_prefix(&config.inbox)
            .client_capacity(config.publish_capacity)
            .subscription_capacity(config.subscription_capacity)
            .connection_timeout(config.connect_timeout)
            .ping_interval(config.ping_interval)
            .ignore_discovered_servers()
            .skip_subject_validation(true)
            .max_reconnects(1)
            .reconnect_to_server_callback(next_server)
            .event_callback(on_event);
        if let Some(path) = &config.root_certificates {
            options = options.add_root_certificates(path.clone());
        }
        if let Some(path) = &config.credentials_file {
            options = options.credentials(&read_credentials(path)?)?;
        }
        let client = server.log_in(options).connect(pool).await?;
        let inbox = client.new_inbox();
        let unique = inbox.rsplit('.').next().unwrap_or(&inbox);
        let subject = Subject::from(format!("{}.{ECHO}.{unique}", config.inbox));
        subscriptions.lock().unwrap_or_else(PoisonError::into_inner).last += 1;
        let subscriber = client.subscribe(subject.clone()).await?;
        let echo = tokio::sync::Mutex::new(Echo { subject, subscriber, last: 0 });
        let takes_headers = client.server_info().headers;
        Ok(Self { client, takes_headers, lost, subscriptions, forbidden, echo, queued: AtomicU64::new(0) })
    }

    /// Whether the server has said that it does not let this client use a subject.
    pub(super) fn forbids(&self, subject: &str) -> bool {
        self.forbidden.lock().unwrap_or_else(PoisonError::into_inner).contains(subject)
    }

    /// Whether the server supports headers. One that does not closes the connection of a client that sends them.
    pub(super) fn takes_headers(&self) -> bool {
        self.takes_headers
    }

    /// Counts a message that was put into the client's queue.
    pub(super) fn note_queued(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    /// The approximate number of messages in the client's queue.
    pub(super) fn queued(&self) -> usize {
        let taken = self.client.statistics().out_messages.load(Ordering::Relaxed);
        usize::try_from(self.queued.load(Ordering::Relaxed).saturating_sub(taken)).unwrap_or(usize::MAX)
    }

    /// The client, to publish with.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Subscribes for `registration` and hands it the receiving end. Losing the session meanwhile is not an error: the
    /// next one subscribes again.
    ///
    /// Calls must not overlap: they count the subscription numbers in parallel with async-nats.
    pub(super) async fn subscribe(&self, registration: &Arc<Registration>) {
        {
            let mut subscriptions = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
            subscriptions.registrations.retain(|_, registration| registration.strong_count() > 0);
            subscriptions.last += 1;
            let sid = subscriptions.last;
            subscriptions.registrations.insert(sid, Arc::downgrade(registration));
        }
        let subject = registration.subject.clone();
        let outcome = match registration.queue_group.clone() {
            Some(group) => self.client.queue_subscribe(subject, group).await,
            None => self.client.subscribe(subject).await,
        };
        match outcome {
            Ok(subscriber) => registration.hand_over(subscriber),
            Err(error) => tracing::debug!(%error, subject = registration.subject, "not subscribed in this session"),
        }
    }

    /// Waits until the server has received all that was published and subscribed so far, or the time is up.
    pub(super) async fn round_trip(&self, within: Duration) -> RoundTrip {
        let mut lost = self.lost.clone();
        tokio::select! {
            Some(()) = self.echo() => RoundTrip::Made,
            _ = lost.wait_for(|lost| *lost) => RoundTrip::Lost,
            () = time::sleep(within) => RoundTrip::TimedOut,
        }
    }

    /// Sends this session a message, which queues behind everything else, and waits for it to come back. `None` if the
    /// connection is lost.
    ///
    /// A request without responders would do without a subscription, but not where a client listens to all subjects.
    async fn echo(&self) -> Option<()> {
        let echo = &mut *self.echo.lock().await;
        echo.last += 1;
        let payload = Bytes::copy_from_slice(&echo.last.to_be_bytes());
        self.client.publish(echo.subject.clone(), payload.clone()).await.ok()?;
        self.note_queued();
        // Echoes for callers that have stopped waiting come first.
        while echo.subscriber.next().await?.payload != payload {}
        Some(())
    }

    /// Waits until the connection is lost.
    pub(super) async fn until_lost(&self) {
        // The sender is dropped only with the client's task, which is a loss as well.
        let _ = self.lost.clone().wait_for(|lost| *lost).await;
    }
}

impl Drop for Session {
    /// Ends the client's task, which would otherwise live as long as a subscription holds one of its receiving ends.
    fn drop(&mut self) {
        // An error means that the task has already ended. Only a full queue makes the drain wait.
        if coop::unconstrained(self.client.drain()).now_or_never().is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            let client = self.client.clone();
            runtime.spawn(async move { client.drain().await });
        }
    }
}

/// Logs what async-nats reports besides the loss of the connection, counts dropped messages, and notes what the server
/// forbids.
fn notice(event: &Event, subscriptions: &Mutex<BySid>, forbidden: &Mutex<BTreeSet<String>>) {
    match event {
        Event::SlowConsumer(sid) => {
            let subscriptions = subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(registration) = subscriptions.registrations.get(sid).and_then(Weak::upgrade) {
                registration.count_dropped(1);
            }
        }
        Event::LameDuckMode => tracing::warn!("the NATS server is about to shut down (lame duck mode)"),
        Event::ServerError(error) => {
            let error = error.to_string();
            let mut forbidden = forbidden.lock().unwrap_or_else(PoisonError::into_inner);
            if note_forbidden(&error, &mut forbidden) {
                tracing::warn!(error, "the NATS server reports an error");
            }
        }
        Event::Connected | Event::Disconnected | Event::Draining | Event::Closed | Event::ClientError(_) => {}
    }
}

/// Notes the subject that an error names as forbidden, if there is room, and returns whether the error says anything
/// new.
fn note_forbidden(error: &str, forbidden: &mut BTreeSet<String>) -> bool {
    let Some(subject) = forbidden_subject(error) else { return true };
    if forbidden.contains(subject) {
        return false;
    }
    if forbidden.len() < MAX_FORBIDDEN {
        forbidden.insert(subject.to_owned());
    }
    true
}

/// The subject that an error of the server names as forbidden: `Permissions Violation for Publish to "subject"`.
fn forbidden_subject(error: &str) -> Option<&str> {
    let is_violation = error.to_ascii_lowercase().contains("permissions violation");
    error.split('"').nth(1).filter(|_| is_violation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_subject_is_reported_once_as_long_as_there_is_room_to_remember_it() {
        let mut forbidden = BTreeSet::new();
        let violation = |number| format!("Permissions Violation for Publish to \"s{number}\"");
        for number in 0..MAX_FORBIDDEN {
            assert!(note_forbidden(&violation(number), &mut forbidden));
        }
        for number in 0..MAX_FORBIDDEN {
            assert!(!note_forbidden(&violation(number), &mut forbidden), "{number}");
        }
        for _ in 0..2 {
            assert!(note_forbidden(&violation(MAX_FORBIDDEN), &mut forbidden), "nothing remembers it");
            assert!(note_forbidden("maximum payload exceeded for \"s0\"", &mut forbidden), "it forbids no subject");
        }
        assert_eq!(forbidden.len(), MAX_FORBIDDEN);
    }
}
