//! A subscriber: a cursor into the ring, and a pace.

use std::sync::Arc;

use bytes::Bytes;
use quorate_core::pattern::Pattern;
use quorate_core::time::Timestamp;
use tokio_util::sync::CancellationToken;

use super::event::{missed, observation, passed_over};
use super::resume::{Missed, Resume, Start};
use super::ring::Lookup;
use super::wait::{Find, find_or_wait};
use super::watch::Watching;
use super::{EventLimits, Seat, Shared};
use crate::clock::Clock;
use crate::http::sse::{RETRY, SIGN_OF_LIFE};

/// The approximate limit of the bytes in one write.
const WRITE_BYTES: usize = 32 << 10;

/// One client's stream.
#[derive(Debug)]
pub(super) struct Subscriber {
    shared: Arc<Shared>,
    clock: Clock,
    greeting: Option<Bytes>,
    /// The number of the next event to look at.
    cursor: u64,
    /// The number of the last event whose id the client knows.
    known: u64,
    /// The queries whose events are sent; `None` for all events.
    queries: Option<Pattern>,
    watching: Option<Watching>,
    /// How many more events the current batch may have.
    left: u32,
    /// When the next batch may begin.
    batch_ends: Timestamp,
    _seat: Seat,
}

impl Subscriber {
    pub(super) fn new(
        shared: Arc<Shared>,
        clock: Clock,
        resume: &Resume,
        queries: Option<Pattern>,
        watching: Option<Watching>,
        seat: Seat,
    ) -> Self {
        let Start { cursor, missed: lost } = resume.start(&shared.process, &shared.ring(), queries.as_ref());
        let told = |count| missed(&shared.process, count, cursor - 1);
        let lost = match lost {
            Missed::Nothing => Bytes::new(),
            Missed::Events(count) => told(Some(count)),
            Missed::Unknown => told(None),
        };
        let greeting = Some([RETRY.as_bytes(), &lost].concat().into());
        Self {
            clock,
            greeting,
            cursor,
            known: cursor - 1,
            queries,
            watching,
            left: shared.limits.batch,
            batch_ends: Timestamp::ZERO,
            shared,
            _seat: seat,
        }
    }

    /// Waits for the next bytes to write; `None` when the stream ends.
    ///
    /// An event is sent at once unless a batch has begun within the last `batch_every`, together with all others that
    /// are there, up to a batch. Then nothing is sent until the next batch may begin. Results for a watched request do
    /// not wait.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let shared = Arc::clone(&self.shared);
        let said = self.watching.as_ref().map(Watching::said);
        let heartbeat = self.clock.now().after(self.limits().heartbeat);
        loop {
            if shared.closed.is_cancelled() {
                return None;
            }
            let answered = said.as_ref().map(|said| &said.arrived);
            let told = find_or_wait(&shared.arrived, answered, || self.find(&shared.closed, heartbeat)).await;
            if let Some(told) = told {
                return told;
            }
        }
    }

    /// Finds what to send now, or else says how long to wait for it. `None` is the end of the stream.
    fn find<'a>(
        &mut self,
        closed: &'a CancellationToken,
        heartbeat: Timestamp,
    ) -> Find<Option<Bytes>, impl Future<Output = Option<Option<Bytes>>> + use<'a>> {
        if let Some(result) = self.watching.as_mut().and_then(Watching::next) {
            return Find::Found(Some(observation(&result)));
        }
        let clock = self.clock;
        if let Some(events) = self.events_in_time(clock.now()) {
            return Find::Found(Some(events));
        }
        let is_between_batches = self.left == self.limits().batch;
        let sign_of_life = self.sign_of_life();
        let wake = if is_between_batches { heartbeat } else { heartbeat.min(self.batch_ends) };
        let until = async move {
            tokio::select! {
                biased;
                () = closed.cancelled() => Some(None),
                () = tokio::time::sleep_until(clock.instant(wake)) => {
                    (clock.now() >= heartbeat).then_some(Some(sign_of_life))
                }
            }
        };
        Find::Nothing { for_arrivals: is_between_batches, until }
    }

    /// What shows that the connection is alive. It also tells the client how far it has been served, if that is not the
    /// last event that it received, so that it misses nothing by continuing there.
    fn sign_of_life(&self) -> Bytes {
        let last = self.cursor - 1;
        if last == self.known { SIGN_OF_LIFE } else { passed_over(&self.shared.process, last) }
    }

    fn limits(&self) -> EventLimits {
        self.shared.limits
    }

    /// The next events, if there are any and the pace allows them. Several are joined into one write, because a write
    /// costs much the same whatever its size.
    fn events_in_time(&mut self, now: Timestamp) -> Option<Bytes> {
        let EventLimits { batch, batch_every, .. } = self.limits();
        if self.batch_ends <= now {
            self.left = batch;
        }
        let (mut events, mut bytes) = (Vec::new(), 0);
        let (begins, first) = (self.left == batch, self.cursor);
        while self.left > 0 && bytes < WRITE_BYTES {
            let Some(event) = self.event() else {
                if self.cursor > first || self.left < batch {
                    // A batch is what was there when it began, so that a trickle of events takes few writes. Events that
                    // were passed over count, so that a client that wants few of many events is not woken by each.
                    self.left = 0;
                }
                break;
            };
            self.left -= 1;
            bytes += event.len();
            events.push(event);
        }
        if begins && self.cursor > first {
            self.batch_ends = now.after(batch_every);
        }
        if events.len() < 2 { events.pop() } else { Some(events.concat().into()) }
    }

    /// The event at the cursor. If it was overwritten, the subscriber is too slow: it is told how many events it
    /// missed, and continues with the newest batch rather than with events that are about to be overwritten too.
    fn event(&mut self) -> Option<Bytes> {
        let shared = Arc::clone(&self.shared);
        let mut ring = shared.ring();
        while let Lookup::Found(entry) = ring.at(self.cursor) {
            drop(ring);
            self.cursor += 1;
            if self.queries.as_ref().is_none_or(|queries| entry.event.is_of(queries)) {
                self.known = entry.number;
                return Some(entry.text(&shared.process));
            }
            ring = shared.ring();
        }
        match ring.at(self.cursor) {
            Lookup::Overwritten => {
                let newest = ring.next().saturating_sub(self.limits().batch.into()).max(ring.oldest());
                drop(ring);
                let count = newest - self.cursor;
                (self.cursor, self.known) = (newest, newest - 1);
                Some(missed(&shared.process, Some(count), newest - 1))
            }
            Lookup::Found(_) | Lookup::NotYet => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use tokio::time::{advance, timeout};

    use super::super::event::tests::outcome;
    use super::super::{Events, SubscribeError};
    use super::*;

    const PROCESS: &str = "c1";
    const CAPACITY: usize = 1024;
    const BATCH_EVERY: Duration = Duration::from_millis(100);
    const HEARTBEAT: Duration = Duration::from_secs(15);

    fn events() -> Events {
        Events::new(PROCESS, EventLimits { max_subscribers: 2, ..EventLimits::default() })
    }

    fn client(host: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, host])
    }

    fn tell(events: &Events, count: usize) {
        events.0.tell((0..count).map(|_| outcome("q")));
    }

    fn subscribe(events: &Events, resume: &Resume) -> Subscriber {
        events.subscribe(client(1), Clock::new(), resume, None, None).expect("there is a place")
    }

    /// The first line of each event that the subscriber receives without waiting.
    async fn told(subscriber: &mut Subscriber) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(Some(text)) = timeout(Duration::ZERO, subscriber.next()).await {
            let text = String::from_utf8(text.to_vec()).expect("a text");
            told.extend(text.split_terminator("\n\n").map(|event| event.lines().next().expect("a line").to_owned()));
        }
        told
    }

    fn ids(numbers: std::ops::RangeInclusive<u64>) -> Vec<String> {
        numbers.map(|number| format!("id: {PROCESS}-{number}")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_is_sent_at_once_and_later_ones_in_batches() {
        let events = events();
        tell(&events, 5);
        let mut subscriber = subscribe(&events, &Resume::Now);
        assert_eq!(told(&mut subscriber).await, ["retry: 1000"]);
        tell(&events, 1);
        assert_eq!(told(&mut subscriber).await, ids(6..=6));
        tell(&events, 40);
        assert_eq!(told(&mut subscriber).await, [""; 0], "the batch was what there was");
        advance(BATCH_EVERY).await;
        assert_eq!(told(&mut subscriber).await, ids(7..=38));
        advance(BATCH_EVERY.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(told(&mut subscriber).await, [""; 0]);
        advance(Duration::from_millis(1)).await;
        assert_eq!(told(&mut subscriber).await, ids(39..=46));
        advance(BATCH_EVERY).await;
        tell(&events, 1);
        assert_eq!(told(&mut subscriber).await, ids(47..=47));
    }

    #[tokio::test(start_paused = true)]
    async fn a_subscriber_that_waits_is_woken_by_an_event() {
        let events = events();
        let mut subscriber = subscribe(&events, &Resume::Now);
        told(&mut subscriber).await;
        let waiting = tokio::spawn(async move { subscriber.next().await });
        tokio::task::yield_now().await;
        tell(&events, 1);
        let text = timeout(Duration::from_millis(1), waiting).await.expect("at once").expect("no panic");
        assert!(text.is_some_and(|text| text.starts_with(b"id: c1-1\n")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_subscriber_is_told_how_much_it_missed_and_continues_with_the_newest() {
        let events = events();
        let mut subscriber = subscribe(&events, &Resume::Now);
        told(&mut subscriber).await;
        tell(&events, CAPACITY + 1);
        let text = subscriber.next().await.expect("it goes on");
        // 1,025 events happened. The batch is the notice and 31 of the newest 32 events.
        assert!(text.starts_with(b"id: c1-993\nevent: missed\ndata: {\"count\":993}\n\nid: c1-994\n"), "{text:?}");
        let text = std::str::from_utf8(&text).expect("a text");
        assert_eq!(text.matches("event: outcome").count(), 31);
        assert_eq!(told(&mut subscriber).await, [""; 0]);
        advance(BATCH_EVERY).await;
        assert_eq!(told(&mut subscriber).await, ids(1025..=1025));
    }

    #[tokio::test(start_paused = true)]
    async fn a_subscriber_that_reconnects_continues_where_it_was_and_is_told_what_it_missed() {
        let events = events();
        tell(&events, 40);
        let mut back = subscribe(&events, &Resume::After("c1-30".to_owned()));
        assert_eq!(told(&mut back).await, [vec!["retry: 1000".to_owned()], ids(31..=40)].concat());
        tell(&events, CAPACITY);
        let mut late = subscribe(&events, &Resume::After("c1-30".to_owned()));
        let greeting = late.next().await.expect("a greeting");
        assert_eq!(greeting, "retry: 1000\n\nid: c1-40\nevent: missed\ndata: {\"count\":10}\n\n");
        assert_eq!(told(&mut late).await, ids(41..=72));
        drop(back);
        let mut other = subscribe(&events, &Resume::After("c0-30".to_owned()));
        let greeting = other.next().await.expect("a greeting");
        assert_eq!(greeting, "retry: 1000\n\nid: c1-40\nevent: missed\ndata: {\"count\":null}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_by_a_sign_of_life() {
        let events = events();
        let mut subscriber = subscribe(&events, &Resume::Now);
        told(&mut subscriber).await;
        for _ in 0..2 {
            let early = timeout(HEARTBEAT.saturating_sub(Duration::from_millis(1)), subscriber.next()).await;
            assert!(early.is_err(), "{early:?}");
            assert_eq!(subscriber.next().await.expect("it goes on"), SIGN_OF_LIFE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_subscriber_of_a_query_receives_its_outcomes_only_and_learns_how_far_it_has_been_served() {
        let events = events();
        let ask = |query| events.0.tell(std::iter::once(outcome(query)));
        let subscribe = |resume: &Resume| {
            let queries = Some(Pattern::new("a/*"));
            events.subscribe(client(1), Clock::new(), resume, queries, None).expect("there is a place")
        };
        for query in ["a/1", "b", "a/2", "b", "a/3", "b"] {
            ask(query);
        }
        let mut two = subscribe(&Resume::Recent(2));
        assert_eq!(told(&mut two).await, ["retry: 1000", "id: c1-3", "id: c1-5"], "two of the query, not of all");
        ask("a/4");
        advance(BATCH_EVERY).await;
        assert_eq!(told(&mut two).await, ids(7..=7));
        advance(BATCH_EVERY).await;
        for _ in 0..20 {
            ask("b");
        }
        assert_eq!(told(&mut two).await, [""; 0]);
        advance(HEARTBEAT).await;
        assert_eq!(two.next().await.expect("it goes on"), "id: c1-27\n\n");
        advance(HEARTBEAT).await;
        assert_eq!(two.next().await.expect("it goes on"), "id: c1-27\n\n", "until an event with an id comes");
        drop(two);
        let mut back = subscribe(&Resume::After("c1-3".to_owned()));
        assert_eq!(told(&mut back).await, ["retry: 1000", "id: c1-5", "id: c1-7"]);
    }

    #[tokio::test(start_paused = true)]
    async fn events_of_other_queries_wake_a_subscriber_of_a_query_once_in_a_batch() {
        let events = events();
        let queries = Some(Pattern::new("a"));
        let mut subscriber =
            events.subscribe(client(1), Clock::new(), &Resume::Now, queries, None).expect("there is a place");
        told(&mut subscriber).await;
        tell(&events, 1);
        assert_eq!(told(&mut subscriber).await, [""; 0], "it has looked at one");
        events.0.tell(std::iter::once(outcome("a")));
        assert_eq!(told(&mut subscriber).await, [""; 0], "and not again within the batch");
        advance(BATCH_EVERY).await;
        assert_eq!(told(&mut subscriber).await, ids(2..=2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_subscriber_goes() {
        let events = events();
        let (one, _two) = (subscribe(&events, &Resume::Now), subscribe(&events, &Resume::Now));
        let refused =
            events.subscribe(client(1), Clock::new(), &Resume::Now, None, None).expect_err("both places are taken");
        assert_eq!(refused, SubscribeError::Full { max_subscribers: 2 });
        drop(one);
        subscribe(&events, &Resume::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn one_client_cannot_take_all_places() {
        let limits = EventLimits { max_subscribers: 3, max_subscribers_per_client: 2, ..EventLimits::default() };
        let events = Events::new(PROCESS, limits);
        let subscribe = |host| events.subscribe(client(host), Clock::new(), &Resume::Now, None, None);
        let (one, two) = (subscribe(1).expect("a place"), subscribe(1).expect("a place"));
        let refused = subscribe(1).expect_err("it has two");
        assert_eq!(refused, SubscribeError::FullForClient { max_subscribers: 2 });
        let other = subscribe(2).expect("another client has its own");
        assert_eq!(subscribe(3).expect_err("all are taken"), SubscribeError::Full { max_subscribers: 3 });
        drop(one);
        let again = subscribe(1).expect("the client's place is free again");
        drop((other, again, two));
        assert_eq!((events.subscribers(), events.0.subscribers().clients()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_ring_smaller_than_a_batch_loses_none_of_what_it_keeps() {
        let limits = EventLimits { kept: 2, batch: 0, ..EventLimits::default() };
        let events = Events::new(PROCESS, limits);
        let mut subscriber = subscribe(&events, &Resume::Now);
        told(&mut subscriber).await;
        tell(&events, 5);
        let first = told(&mut subscriber).await;
        assert_eq!(first, ids(4..=4), "the notice that three are missed");
        advance(BATCH_EVERY).await;
        assert_eq!(told(&mut subscriber).await, ids(5..=5));
    }

    #[tokio::test(start_paused = true)]
    async fn all_streams_end_with_the_tap_and_none_begins_after_it() {
        let events = events();
        let mut subscriber = subscribe(&events, &Resume::Now);
        told(&mut subscriber).await;
        let waiting = tokio::spawn(async move { subscriber.next().await });
        tokio::task::yield_now().await;
        drop(events.tap());
        assert_eq!(waiting.await.expect("no panic"), None);
        let refused = events.subscribe(client(1), Clock::new(), &Resume::Now, None, None).expect_err("it is over");
        assert_eq!(refused, SubscribeError::Closed);
    }
}
