//! What the clones of a bus and its task share: the subscriptions and the current session.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_runtime::bus::{BusError, BusStatus, PublishError};
use tokio::sync::{oneshot, watch};

use super::BusTap;
use super::subscription::Registration;
use crate::network::broker::frame::Frame;
use crate::network::broker::link::{Ended, Outgoing};

/// Changes only as a whole, so that the status always agrees with the session.
#[derive(Debug)]
pub(super) struct State {
    status: watch::Sender<BusStatus>,
    session: Option<Session>,
    /// The number of the last subscription or ping. Numbers are never reused.
    last: u64,
    registrations: BTreeMap<u64, Registration>,
    /// The number of messages that have arrived.
    arrived: u64,
    tap: Option<Arc<dyn BusTap>>,
    closed: bool,
}

/// One connection. What it has not sent is lost with it.
#[derive(Debug)]
struct Session {
    outgoing: Arc<Outgoing>,
    /// The ping sent after the initial subscriptions; `None` once it is answered. Until then the bus counts as
    /// disconnected and accepts no messages.
    unconfirmed: Option<u64>,
    /// The flushes that wait for a pong, by its number.
    flushes: BTreeMap<u64, oneshot::Sender<()>>,
}

impl State {
    pub(super) fn new(tap: Option<Arc<dyn BusTap>>) -> Self {
        Self {
            status: watch::Sender::default(),
            session: None,
            last: 0,
            registrations: BTreeMap::new(),
            arrived: 0,
            tap,
            closed: false,
        }
    }

    pub(super) fn status(&self) -> watch::Receiver<BusStatus> {
        self.status.subscribe()
    }

    /// Begins a session by restoring all subscriptions. Messages are accepted once the broker has confirmed them.
    pub(super) fn begin_session(&mut self, outgoing: Arc<Outgoing>) {
        for (id, registration) in &self.registrations {
            outgoing.push(registration.frame(*id));
        }
        let ping = self.next();
        outgoing.push(Frame::Ping(ping));
        self.session = Some(Session { outgoing, unconfirmed: Some(ping), flushes: BTreeMap::new() });
    }

    /// Ends the session: messages are refused from now on, and pending flushes end.
    pub(super) fn end_session(&mut self) {
        self.session = None;
        if self.status.send_if_modified(|status| std::mem::replace(&mut status.connected, false)) {
            self.tell_status();
        }
    }

    fn tell_status(&self) {
        if let Some(tap) = &self.tap {
            tap.status(*self.status.borrow());
        }
    }

    /// Handles a frame from the broker.
    pub(super) fn heard(&mut self, frame: Frame) -> Result<(), Ended> {
        match frame {
            Frame::Deliver { id, message } => {
                // The subscription may have been dropped meanwhile.
                if let Some(registration) = self.registrations.get(&id) {
                    self.arrived += 1;
                    registration.deliver(self.arrived, Arc::unwrap_or_clone(message));
                }
                Ok(())
            }
            Frame::Pong(number) => {
                self.answered(number);
                Ok(())
            }
            _ => Err(Ended::Misbehaved),
        }
    }

    fn answered(&mut self, ping: u64) {
        let Some(session) = &mut self.session else { return };
        if let Some(flush) = session.flushes.remove(&ping) {
            // An error means that the flush has timed out.
            let _ = flush.send(());
        }
        if session.unconfirmed == Some(ping) {
            session.unconfirmed = None;
            self.status
                .send_modify(|status| *status = BusStatus { connected: true, connections: status.connections + 1 });
            self.tell_status();
        }
    }

    /// Queues a message of the program. An expendable one is refused when the queue is half full.
    pub(super) fn publish(&self, frame: Frame, expendable: bool) -> Result<(), PublishError> {
        let Some(Session { outgoing, unconfirmed: None, .. }) = &self.session else {
            return Err(PublishError::Disconnected);
        };
        let taken = if expendable { outgoing.offer_expendable(frame) } else { outgoing.offer(frame) };
        if taken { Ok(()) } else { Err(PublishError::Full) }
    }

    /// Adds a subscription and returns its number.
    pub(super) fn subscribe(&mut self, registration: Registration) -> Result<u64, BusError> {
        if self.closed {
            return Err(BusError::Closed);
        }
        let id = self.next();
        // The confirmation of the session does not cover a subscription made meanwhile: a caller that must be sure
        // flushes.
        if let Some(session) = &self.session {
            session.outgoing.push(registration.frame(id));
        }
        self.registrations.insert(id, registration);
        Ok(id)
    }

    /// Removes a subscription.
    pub(super) fn unsubscribe(&mut self, id: u64) {
        if self.registrations.remove(&id).is_some()
            && let Some(session) = &self.session
        {
            session.outgoing.push(Frame::Unsubscribe { id });
        }
    }

    /// Sends a ping whose answer means that everything before it has reached the broker. The receiver fails if the
    /// session ends before that; `None` if there is no session.
    pub(super) fn flush(&mut self) -> Option<oneshot::Receiver<()>> {
        let ping = self.next();
        let session = self.session.as_mut()?;
        let (sender, answered) = oneshot::channel();
        session.flushes.retain(|_, flush| !flush.is_closed());
        session.flushes.insert(ping, sender);
        session.outgoing.push(Frame::Ping(ping));
        Some(answered)
    }

    /// Closes the bus for good: subscriptions end once they are drained.
    pub(super) fn close(&mut self) {
        self.end_session();
        self.closed = true;
        self.registrations.clear();
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Registration {
    fn frame(&self, id: u64) -> Frame {
        Frame::Subscribe { id, pattern: self.pattern.clone(), group: self.group.clone() }
    }
}
