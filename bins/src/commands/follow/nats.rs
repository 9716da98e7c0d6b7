//! Outcomes over NATS, as every coordinator publishes them.

use std::time::Duration;

use anyhow::Context as _;
use quorate_client::Event;
use quorate_core::pattern::Pattern;
use quorate_core::query::Query;
use quorate_runtime::bus::nats::{NatsBus, NatsSubscription};
use quorate_runtime::bus::{Bus as _, BusStatus, Message, Subscription as _};
use tokio::sync::watch;

use super::Told;
use crate::args::NatsArgs;
use crate::serve;

/// The name of the connection, for NATS.
const NAME: &str = "quorate-follow";

/// A subscription to outcomes that outlives its connections.
pub(super) struct NatsFollowing {
    /// Dropping it closes the connection.
    _bus: NatsBus,
    subscription: NatsSubscription,
    status: watch::Receiver<BusStatus>,
    /// What was seen of the status so far.
    seen: BusStatus,
    /// How many messages the subscription had lost when that was last told.
    dropped: u64,
    /// Whether outcomes may be missing since the last connection.
    is_gap: bool,
    /// The queries that are wanted, if the subject does not say so.
    wanted: Option<Pattern>,
    address: String,
}

impl NatsFollowing {
    /// Subscribes to the outcomes of a query, in which `*` stands for any characters, or to all. Returns once there is a
    /// connection.
    pub(super) async fn open(servers: &NatsArgs, query: Option<&str>) -> anyhow::Result<Self> {
        let query = query.map(Query::new).transpose().context("this is no query")?;
        // A token of a subject has no patterns: `*` in the query is escaped there.
        let (subject, wanted) = match &query {
            Some(query) if !query.as_str().contains('*') => (servers.subject_prefix.outcome(query), None),
            Some(query) => (servers.subject_prefix.all_outcomes(), Some(Pattern::new(query.as_str()))),
            None => (servers.subject_prefix.all_outcomes(), None),
        };
        let bus = serve::nats(servers, NAME)?;
        let subscription = bus.subscribe(&subject, None).await?;
        let mut status = bus.status();
        let seen = tokio::select! {
            biased;
            why = bus.refused(Duration::ZERO) => return Err(serve::refused(&why)),
            seen = status.wait_for(|status| status.connected) => *seen.context("the connection to NATS is closed")?,
        };
        let address = format!("{subject} on NATS");
        Ok(Self { _bus: bus, subscription, status, seen, dropped: 0, is_gap: false, wanted, address })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits for the next outcome, or for a change of the connection. Cancel safe.
    pub(super) async fn next(&mut self) -> anyhow::Result<Told> {
        loop {
            if std::mem::take(&mut self.is_gap) {
                return Ok(Told::Event(Event::Missed(None)));
            }
            let dropped = self.subscription.dropped();
            if dropped > self.dropped {
                let lost = dropped - std::mem::replace(&mut self.dropped, dropped);
                return Ok(Told::Event(Event::Missed(Some(lost))));
            }
            tokio::select! {
                biased;
                changed = self.status.changed() => {
                    changed.context("the connection to NATS is closed")?;
                    let before = self.seen;
                    self.seen = *self.status.borrow_and_update();
                    if let Some(told) = self.change(before) {
                        return Ok(told);
                    }
                }
                message = self.subscription.recv() => {
                    let message = message.context("the connection to NATS is closed")?;
                    if let Some(event) = self.outcome(&message) {
                        return Ok(Told::Event(event));
                    }
                }
            }
        }
    }

    /// What a change of the connection means. NATS keeps no outcomes for those who are away.
    fn change(&mut self, before: BusStatus) -> Option<Told> {
        let is_new = self.seen.connections > before.connections;
        match (self.seen.connected, is_new) {
            (true, true) => {
                self.is_gap = true;
                Some(Told::Found)
            }
            (false, _) => Some(Told::Lost("the connection to NATS is lost".to_owned())),
            (true, false) => None,
        }
    }

    /// The outcome in a message; `None` if it is not wanted, or none at all, as anybody may publish anything.
    fn outcome(&self, message: &Message) -> Option<Event> {
        let json = str::from_utf8(&message.payload).ok()?;
        let event = Event::outcome(json).ok()?;
        let is_wanted =
            self.wanted.as_ref().is_none_or(|wanted| event.query().is_some_and(|query| wanted.matches(query)));
        is_wanted.then_some(event)
    }
}
