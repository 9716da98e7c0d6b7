//! The broker within one process: it keeps the subscriptions and decides which of them receive a message.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::bus::{Headers, Message, PublishError, subject};

/// Routes messages from connections to subscriptions. One lock over the whole state gives the messages their order.
#[derive(Debug)]
pub(super) struct Broker {
    /// The most messages that may wait in one subscription.
    capacity: usize,
    state: Mutex<State>,
}

/// A connection as the broker sees it. Its flag changes only under the broker's lock.
#[derive(Debug)]
pub(super) struct Link {
    id: u64,
    connected: AtomicBool,
}

/// What a new subscription needs.
pub(super) struct Subscribed {
    pub(super) id: u64,
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) dropped: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct State {
    /// The identifier of the last connection or subscription.
    last_id: u64,
    /// The subscriptions without wildcards, by subject. Never iterated for delivery: the order of a hash map is random.
    exact: HashMap<String, Vec<Route>>,
    /// The subscriptions with wildcards, oldest first.
    wild: Vec<Route>,
    groups: BTreeMap<String, Group>,
}

/// A subscription as the broker sees it.
#[derive(Debug)]
struct Route {
    id: u64,
    link: Arc<Link>,
    pattern: String,
    group: Option<String>,
    messages: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
}

/// A queue group. As in NATS, its members may have subscribed to different patterns.
#[derive(Debug, Default)]
struct Group {
    members: usize,
    /// The number of messages the group has received, which decides whose turn it is.
    turn: usize,
}

impl Broker {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::default() }
    }

    /// Opens a connection.
    pub(super) fn link(&self) -> Arc<Link> {
        Arc::new(Link { id: self.lock().next_id(), connected: AtomicBool::new(true) })
    }

    /// Closes a connection: its subscriptions end.
    pub(super) fn unlink(&self, link: &Link) {
        self.lock().remove(|route| route.link.id == link.id);
    }

    /// Changes whether `link` is connected, and runs `then` before anything else can be published.
    pub(super) fn set_connected(&self, link: &Link, connected: bool, then: impl FnOnce()) {
        let _state = self.lock();
        link.connected.store(connected, Ordering::Relaxed);
        then();
    }

    /// Delivers a message to its subscribers. If it has none, its publisher receives the no-responders notice.
    pub(super) fn publish(&self, from: &Link, message: &Message) -> Result<(), PublishError> {
        let state = &mut *self.lock();
        if !from.is_connected() {
            return Err(PublishError::Disconnected);
        }
        let mut candidates: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
        let mut matched = false;
        for route in live_routes(&state.exact, &state.wild, &message.subject) {
            matched = true;
            match &route.group {
                Some(group) => candidates.entry(group).or_default().push(route),
                None => route.deliver(message.clone()),
            }
        }
        for (group, members) in candidates {
            let group = state.groups.get_mut(group).expect("a route's group exists as long as the route");
            members[group.turn % members.len()].deliver(message.clone());
            group.turn = group.turn.wrapping_add(1);
        }
        if let (false, Some(reply)) = (matched, &message.reply) {
            let own = live_routes(&state.exact, &state.wild, reply).find(|route| route.link.id == from.id);
            if let Some(route) = own {
                let (subject, headers, payload) = (reply.clone(), Headers::default(), Bytes::new());
                route.deliver(Message { subject, reply: None, headers, payload, no_responders: true });
            }
        }
        Ok(())
    }

    pub(super) fn subscribe(&self, link: &Arc<Link>, pattern: &str, group: Option<&str>) -> Subscribed {
        let (sender, messages) = mpsc::channel(self.capacity);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut state = self.lock();
        let id = state.next_id();
        let route = Route {
            id,
            link: Arc::clone(link),
            pattern: pattern.to_owned(),
            group: group.map(str::to_owned),
            messages: sender,
            dropped: Arc::clone(&dropped),
        };
        if let Some(group) = group {
            state.groups.entry(group.to_owned()).or_default().members += 1;
        }
        if subject::has_wildcards(pattern) {
            state.wild.push(route);
        } else {
            state.exact.entry(pattern.to_owned()).or_default().push(route);
        }
        Subscribed { id, messages, dropped }
    }

    pub(super) fn unsubscribe(&self, id: u64, pattern: &str) {
        self.lock().remove_one(id, pattern);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code in this module panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The subscriptions of connected clients that match `subject`: those without wildcards first, each kind oldest first.
fn live_routes<'a>(
    exact: &'a HashMap<String, Vec<Route>>,
    wild: &'a [Route],
    subject: &str,
) -> impl Iterator<Item = &'a Route> {
    let exact = exact.get(subject).into_iter().flatten();
    let wild = wild.iter().filter(move |route| subject::matches(&route.pattern, subject));
    exact.chain(wild).filter(|route| route.link.is_connected())
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn remove_one(&mut self, id: u64, pattern: &str) {
        if subject::has_wildcards(pattern) {
            remove_from(&mut self.wild, &mut self.groups, |route| route.id == id);
            return;
        }
        if let Some(routes) = self.exact.get_mut(pattern) {
            remove_from(routes, &mut self.groups, |route| route.id == id);
            if routes.is_empty() {
                self.exact.remove(pattern);
            }
        }
    }

    fn remove(&mut self, gone: impl Fn(&Route) -> bool) {
        let Self { exact, wild, groups, .. } = self;
        remove_from(wild, groups, &gone);
        exact.retain(|_, routes| {
            remove_from(routes, groups, &gone);
            !routes.is_empty()
        });
    }
}

/// Removes the routes that are `gone`, and every group that loses its last member.
fn remove_from(routes: &mut Vec<Route>, groups: &mut BTreeMap<String, Group>, gone: impl Fn(&Route) -> bool) {
    for route in routes.extract_if(.., |route| gone(route)) {
        let Some(name) = route.group else { continue };
        let group = groups.get_mut(&name).expect("a route's group exists as long as the route");
        group.members -= 1;
        if group.members == 0 {
            groups.remove(&name);
        }
    }
}

impl Link {
    fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }
}

impl Route {
    /// Puts a message in the subscription's queue, or counts it as dropped.
    fn deliver(&self, message: Message) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.messages.try_send(message) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_group_takes_turns() {
        let broker = Broker::new(8);
        let link = broker.link();
        let mut members: Vec<_> = (0..3).map(|_| broker.subscribe(&link, "a", Some("group"))).collect();
        for turn in 0..6_u8 {
            let (payload, headers) = (Bytes::copy_from_slice(&[turn]), Headers::default());
            let message = Message { subject: "a".to_owned(), reply: None, headers, payload, no_responders: false };
            broker.publish(&link, &message).expect("it is connected");
        }
        let received: Vec<Vec<u8>> = members
            .iter_mut()
            .map(|member| std::iter::from_fn(|| member.messages.try_recv().ok()).map(|m| m.payload[0]).collect())
            .collect();
        assert_eq!(received, [[0, 3], [1, 4], [2, 5]]);
    }

    #[test]
    fn nothing_is_kept_of_subscriptions_and_connections_that_are_gone() {
        let broker = Broker::new(8);
        let (one, other) = (broker.link(), broker.link());
        let exact = broker.subscribe(&one, "a", Some("group"));
        let wild = broker.subscribe(&one, "*", Some("group"));
        let _other = broker.subscribe(&other, "a", None);
        broker.unsubscribe(exact.id, "a");
        broker.unsubscribe(wild.id, "*");
        broker.unlink(&other);
        let state = broker.lock();
        assert!(state.exact.is_empty() && state.wild.is_empty() && state.groups.is_empty(), "{state:?}");
    }
}
