//! Who is subscribed to what, and which subscriptions receive a message.
//!
//! Routing is deterministic: it depends only on the calls and their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_runtime::bus::{Headers, Message, subject};
use tokio_util::sync::CancellationToken;

use super::frame::Frame;
use super::link::{Ended, Outgoing};

/// A connection as the router sees it.
#[derive(Debug)]
pub(super) struct Link {
    id: u64,
    outgoing: Arc<Outgoing>,
    /// Cancelled when the connection is to be closed.
    closed: CancellationToken,
}

/// Routes messages from connections to subscriptions.
#[derive(Debug, Default)]
pub(super) struct Router {
    /// The number of the last connection.
    last_link: u64,
    /// The number of messages published, which decides the next member of a queue group.
    published: u64,
    /// The patterns that each connection is subscribed to, by the number it chose.
    links: BTreeMap<u64, BTreeMap<u64, String>>,
    /// The subscriptions without wildcards by subject, oldest first.
    exact: BTreeMap<String, Vec<Route>>,
    /// The subscriptions with wildcards, oldest first.
    wild: Vec<Route>,
}

/// One subscription.
#[derive(Debug)]
struct Route {
    link: Arc<Link>,
    id: u64,
    pattern: String,
    group: Option<String>,
}

impl Router {
    /// Adds a connection.
    pub(super) fn attach(&mut self, outgoing: Arc<Outgoing>, closed: CancellationToken) -> Arc<Link> {
        self.last_link += 1;
        self.links.insert(self.last_link, BTreeMap::new());
        Arc::new(Link { id: self.last_link, outgoing, closed })
    }

    /// Removes a connection and its subscriptions.
    pub(super) fn detach(&mut self, link: u64) {
        for (id, pattern) in self.links.remove(&link).into_iter().flatten() {
            self.remove(link, id, &pattern);
        }
    }

    /// Handles a frame from a client.
    ///
    /// # Errors
    /// [`Ended`] if a client must not send that.
    pub(super) fn handle(&mut self, from: &Arc<Link>, frame: Frame) -> Result<(), Ended> {
        match frame {
            Frame::Publish { subject, reply, headers, payload } => {
                // A client cannot distinguish the broker's notice from one that another client forged.
                let no_responders = payload.is_empty() && headers.sole("Status") == Some("503");
                self.publish(from, Message { subject, reply, headers, payload, no_responders })
            }
            Frame::Subscribe { id, pattern, group } => self.subscribe(from, id, pattern, group),
            Frame::Unsubscribe { id } => {
                let pattern = self.links.get_mut(&from.id).and_then(|subscribed| subscribed.remove(&id));
                if let Some(pattern) = pattern {
                    self.remove(from.id, id, &pattern);
                }
                Ok(())
            }
            Frame::Pong(_) => Ok(()),
            Frame::Info | Frame::Deliver { .. } | Frame::Ping(_) => Err(Ended::Misbehaved),
        }
    }

    /// Delivers a message to its subscribers, or notifies its publisher that there are none. A subscriber whose queue
    /// is full is too slow and is disconnected.
    fn publish(&mut self, from: &Link, message: Message) -> Result<(), Ended> {
        let Message { subject, reply, .. } = &message;
        if !subject::is_publishable(subject) || !reply.as_deref().is_none_or(subject::is_publishable) {
            return Err(Ended::Misbehaved);
        }
        self.published += 1;
        let message = Arc::new(message);
        let mut slow = Vec::new();
        let mut matched = false;
        let mut groups: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
        for route in self.routes(&message.subject) {
            matched = true;
            match &route.group {
                Some(group) => groups.entry(group).or_default().push(route),
                None => slow.extend(route.deliver(&message)),
            }
        }
        for members in groups.into_values() {
            let next = mix(self.published) % members.len() as u64;
            slow.extend(members[next as usize].deliver(&message));
        }
        if let (false, Some(reply)) = (matched, &message.reply) {
            let own = self.routes(reply).find(|route| route.link.id == from.id);
            if let Some(route) = own {
                let (subject, headers, payload) = (reply.clone(), Headers::default(), Bytes::new());
                let notice = Message { subject, reply: None, headers, payload, no_responders: true };
                slow.extend(route.deliver(&Arc::new(notice)));
            }
        }
        for link in slow {
            self.detach(link);
        }
        Ok(())
    }

    fn subscribe(&mut self, from: &Arc<Link>, id: u64, pattern: String, group: Option<String>) -> Result<(), Ended> {
        if !subject::is_subscribable(&pattern) || !group.as_deref().is_none_or(subject::is_queue_group) {
            return Err(Ended::Misbehaved);
        }
        // A client that is being disconnected may still send.
        let Some(subscribed) = self.links.get_mut(&from.id) else { return Ok(()) };
        if subscribed.insert(id, pattern.clone()).is_some() {
            return Err(Ended::Misbehaved);
        }
        let route = Route { link: Arc::clone(from), id, pattern: pattern.clone(), group };
        if subject::has_wildcards(&pattern) {
            self.wild.push(route);
        } else {
            self.exact.entry(pattern).or_default().push(route);
        }
        Ok(())
    }

    /// The matching subscriptions: those without wildcards first, each kind oldest first.
    fn routes<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Route> {
        let exact = self.exact.get(subject).into_iter().flatten();
        exact.chain(self.wild.iter().filter(move |route| subject::matches(&route.pattern, subject)))
    }

    fn remove(&mut self, link: u64, id: u64, pattern: &str) {
        let stays = |route: &Route| route.link.id != link || route.id != id;
        if subject::has_wildcards(pattern) {
            self.wild.retain(stays);
        } else if let Some(routes) = self.exact.get_mut(pattern) {
            routes.retain(stays);
            if routes.is_empty() {
                self.exact.remove(pattern);
            }
        }
    }
}

impl Link {
    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

impl Route {
    /// Queues a message for the connection; returns the connection if it is too slow.
    fn deliver(&self, message: &Arc<Message>) -> Option<u64> {
        let taken = self.link.outgoing.offer(Frame::Deliver { id: self.id, message: Arc::clone(message) });
        if taken {
            return None;
        }
        tracing::debug!(connection = self.link.id, "a slow consumer is cut off");
        self.link.closed.cancel();
        Some(self.link.id)
    }
}

/// Scrambles a number (the finaliser of SplitMix64), because NATS chooses a random member of a queue group.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach(router: &mut Router, queue: usize) -> Arc<Link> {
        router.attach(Arc::new(Outgoing::new(queue)), CancellationToken::new())
    }

    fn subscribe(router: &mut Router, link: &Arc<Link>, id: u64, pattern: &str, group: Option<&str>) {
        let frame = Frame::Subscribe { id, pattern: pattern.to_owned(), group: group.map(str::to_owned) };
        router.handle(link, frame).expect("it may subscribe");
    }

    fn message(subject: &str, reply: Option<&str>) -> Frame {
        let (subject, reply) = (subject.to_owned(), reply.map(str::to_owned));
        Frame::Publish { subject, reply, headers: Headers::default(), payload: Bytes::new() }
    }

    fn publish(router: &mut Router, link: &Arc<Link>, subject: &str) {
        router.handle(link, message(subject, None)).expect("it may publish");
    }

    #[test]
    fn every_member_of_a_queue_group_gets_its_share() {
        let mut router = Router::default();
        let members: Vec<_> = (0..3).map(|_| attach(&mut router, 1000)).collect();
        for member in &members {
            subscribe(&mut router, member, 1, "a", Some("group"));
        }
        let publisher = attach(&mut router, 1);
        for _ in 0..300 {
            publish(&mut router, &publisher, "a");
        }
        let shares: Vec<_> = members.iter().map(|member| member.outgoing.len()).collect();
        assert_eq!(shares.iter().sum::<usize>(), 300);
        assert!(shares.iter().all(|share| (70..=130).contains(share)), "{shares:?}");
    }

    #[test]
    fn only_the_slow_consumer_is_disconnected() {
        let mut router = Router::default();
        let (slow, fast) = (attach(&mut router, 2), attach(&mut router, 10));
        for link in [&slow, &fast] {
            subscribe(&mut router, link, 1, ">", None);
        }
        for _ in 0..4 {
            publish(&mut router, &fast, "a");
        }
        assert!(slow.closed.is_cancelled() && !fast.closed.is_cancelled());
        assert_eq!((slow.outgoing.len(), fast.outgoing.len()), (2, 4));
        // The slow client sends this before it knows.
        subscribe(&mut router, &slow, 2, "b", None);
        publish(&mut router, &fast, "b");
        assert_eq!((slow.outgoing.len(), fast.outgoing.len()), (2, 5));
    }

    #[test]
    fn nothing_is_kept_of_ended_subscriptions_and_connections() {
        let mut router = Router::default();
        let (one, other) = (attach(&mut router, 1), attach(&mut router, 1));
        subscribe(&mut router, &one, 1, "a", None);
        subscribe(&mut router, &one, 2, "*", Some("group"));
        subscribe(&mut router, &other, 1, "a", None);
        router.handle(&one, Frame::Unsubscribe { id: 1 }).expect("it may unsubscribe");
        router.handle(&one, Frame::Unsubscribe { id: 9 }).expect("there is nothing to do");
        router.detach(one.id());
        router.detach(other.id());
        assert!(router.links.is_empty() && router.exact.is_empty() && router.wild.is_empty(), "{router:?}");
    }

    #[test]
    fn frames_that_a_client_must_not_send_are_refused() {
        let mut router = Router::default();
        let link = attach(&mut router, 1);
        subscribe(&mut router, &link, 1, "a", None);
        let subscribe = |id, pattern: &str, group: Option<&str>| Frame::Subscribe {
            id,
            pattern: pattern.to_owned(),
            group: group.map(str::to_owned),
        };
        for frame in [
            Frame::Info,
            subscribe(1, "again", None),
            subscribe(2, "a..b", None),
            subscribe(3, "a", Some("a b")),
            message("*", None),
            message("a", Some("*")),
        ] {
            assert!(router.handle(&link, frame.clone()).is_err(), "{frame:?}");
        }
    }
}
