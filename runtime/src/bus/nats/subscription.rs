//! Subscriptions that outlive sessions: each new session hands its receiving end to every one of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{HeaderMap, StatusCode, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;
use tokio::task::coop;

use crate::bus::{Headers, Message, Subscription};

/// What a subscription and the sessions share.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) subject: String,
    pub(super) queue_group: Option<String>,
    handover: Mutex<Handover>,
    changed: Notify,
    dropped: AtomicU64,
}

/// What the subscription has not taken yet.
#[derive(Debug, Default)]
struct Handover {
    /// The receiving end of the latest session.
    untaken: Option<Subscriber>,
    /// Whether there will be no more sessions.
    closed: bool,
}

/// How a subscription continues when the receiving end it holds has ended.
enum Next {
    /// The receiving end of the latest session.
    Ready(Subscriber),
    /// No session has replaced the one that ended.
    Pending,
    /// There will be no more sessions.
    Closed,
}

impl Registration {
    pub(super) fn new(subject: &str, queue_group: Option<&str>) -> Self {
        Self {
            subject: subject.to_owned(),
            queue_group: queue_group.map(str::to_owned),
            handover: Mutex::default(),
            changed: Notify::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Hands over the receiving end of a new session. An earlier one that was not taken belongs to a session that is
    /// over: its messages are dropped, so that a subscription nobody reads holds a bounded number of messages.
    pub(super) fn hand_over(&self, subscriber: Subscriber) {
        let untaken = self.lock().untaken.replace(subscriber);
        self.changed.notify_one();
        if let Some(mut untaken) = untaken {
            self.count_dropped(discard(&mut untaken));
        }
    }

    /// Notes that there will be no more sessions. What has arrived can still be received.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    pub(super) fn count_dropped(&self, messages: u64) {
        self.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    fn take(&self) -> Next {
        let mut handover = self.lock();
        match handover.untaken.take() {
            Some(subscriber) => Next::Ready(subscriber),
            None if handover.closed => Next::Closed,
            None => Next::Pending,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Handover> {
        self.handover.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The receiving end of one subscription to a [`NatsBus`](super::NatsBus).
#[derive(Debug)]
pub struct NatsSubscription {
    /// The receiving end in use. Its session may be over: it is emptied before the next one is taken.
    current: Option<Subscriber>,
    registration: Arc<Registration>,
}

impl NatsSubscription {
    pub(super) fn new(registration: Arc<Registration>) -> Self {
        Self { current: None, registration }
    }
}

impl Subscription for NatsSubscription {
    async fn recv(&mut self) -> Option<Message> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(message) = current.next().await {
                    return Some(convert(message));
                }
                self.current = None;
            }
            // Only this subscription waits, so a change after `take` leaves a permit for the wait.
            match self.registration.take() {
                Next::Ready(subscriber) => self.current = Some(subscriber),
                Next::Closed => return None,
                Next::Pending => self.registration.changed.notified().await,
            }
        }
    }

    fn try_recv(&mut self) -> Option<Message> {
        loop {
            if let Some(current) = &mut self.current {
                match coop::unconstrained(current.next()).now_or_never() {
                    Some(Some(message)) => return Some(convert(message)),
                    Some(None) => self.current = None,
                    None => return None,
                }
            }
            match self.registration.take() {
                Next::Ready(subscriber) => self.current = Some(subscriber),
                Next::Closed | Next::Pending => return None,
            }
        }
    }

    /// A lower bound, above zero as soon as anything is lost. It counts the notices of async-nats, which keeps about a
    /// hundred of them and loses most of a larger burst.
    fn dropped(&self) -> u64 {
        self.registration.dropped.load(Ordering::Relaxed)
    }
}

/// Discards what has arrived at `subscriber`, and returns the number of messages.
fn discard(subscriber: &mut Subscriber) -> u64 {
    let next = || coop::unconstrained(subscriber.next()).now_or_never().flatten();
    std::iter::from_fn(next).count() as u64
}

fn convert(message: async_nats::Message) -> Message {
    let no_responders = message.status == Some(StatusCode::NO_RESPONDERS);
    // Some servers name the subject in a header of the notice. The publisher did not set that header.
    let headers = message.headers.filter(|_| !no_responders).map_or_else(Headers::default, |map| headers(&map));
    Message {
        subject: message.subject.into_string(),
        reply: message.reply.map(async_nats::Subject::into_string),
        headers,
        payload: message.payload,
        no_responders,
    }
}

fn headers(map: &HeaderMap) -> Headers {
    let pairs = map.iter().flat_map(|(name, values)| values.iter().map(move |value| (name.as_ref(), value.as_str())));
    Headers::new(pairs)
}
