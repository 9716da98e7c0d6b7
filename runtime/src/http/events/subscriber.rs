//! One client's place in the stream: a cursor, and a pace.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::time::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::event::{missed, observation};
use super::resume::{Missed, Resume, Start};
use super::ring::Place;
use super::watch::Watching;
use crate::clock::Clock;

/// The most events in one batch.
pub(super) const BATCH: u32 = 32;
/// From the beginning of one batch to the next.
pub(super) const BATCH_EVERY: Duration = Duration::from_millis(100);
/// About the most bytes that are put together into one write.
const WRITE_BYTES: usize = 32 << 10;
/// How long nothing is said before a sign of life: proxies cut what is silent, and a client that is gone is noticed.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a client is told first: after how many milliseconds it may come back.
const RETRY: &str = "retry: 1000\n\n";
const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");

/// One client's place in the stream.
#[derive(Debug)]
pub(super) struct Subscriber {
    shared: Arc<Shared>,
    clock: Clock,
    greeting: Option<Bytes>,
    /// The number of the next event to tell.
    cursor: u64,
    watching: Option<Watching>,
    /// How many more events the batch may have.
    left: u32,
    /// When the next batch may begin.
    batch_ends: Timestamp,
    _place: OwnedSemaphorePermit,
}

impl Subscriber {
    pub(super) fn new(
        shared: Arc<Shared>,
        clock: Clock,
        resume: &Resume,
        watching: Option<Watching>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let Start { cursor, missed: lost } = resume.start(&shared.process, &shared.ring());
        let told = |count| missed(&shared.process, count, cursor - 1);
        let lost = match lost {
            Missed::Nothing => Bytes::new(),
            Missed::Events(count) => told(Some(count)),
            Missed::Unknown => told(None),
        };
        let greeting = Some([RETRY.as_bytes(), &lost].concat().into());
        let batch_ends = Timestamp::ZERO;
        Self { clock, greeting, cursor, watching, left: BATCH, batch_ends, shared, _place: place }
    }

    /// The next thing to write, when it may be written; `None` when the stream ends.
    ///
    /// An event is told at once if none was told lately, and with it all that are there, up to [`BATCH`]; then nothing
    /// until [`BATCH_EVERY`] later. What a watched worker says does not wait.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let shared = Arc::clone(&self.shared);
        let said = self.watching.as_ref().map(Watching::said);
        let heartbeat = self.clock.now().after(HEARTBEAT);
        loop {
            if shared.closed.is_cancelled() {
                return None;
            }
            // From here on nothing that comes is overlooked.
            let mut arrived = pin!(shared.arrived.notified());
            arrived.as_mut().enable();
            let mut answered = pin!(said.as_ref().map(|said| said.arrived.notified()));
            if let Some(answered) = answered.as_mut().as_pin_mut() {
                answered.enable();
            }
            if let Some(result) = self.watching.as_mut().and_then(Watching::next) {
                return Some(observation(&result));
            }
            let now = self.clock.now();
            if let Some(events) = self.events_in_time(now) {
                return Some(events);
            }
            let is_between_batches = self.left == BATCH;
            let wake = if is_between_batches { heartbeat } else { heartbeat.min(self.batch_ends) };
            tokio::select! {
                biased;
                () = shared.closed.cancelled() => return None,
                () = async { match answered.as_mut().as_pin_mut() {
                    Some(answered) => answered.await,
                    None => std::future::pending().await,
                } } => {}
                () = arrived, if is_between_batches => {}
                () = tokio::time::sleep_until(self.clock.instant(wake)) => {
                    if self.clock.now() >= heartbeat {
                        return Some(SIGN_OF_LIFE);
                    }
                }
            }
        }
    }

    /// The next events, if there are some and the pace allows them. Several are put together: what a write costs is not
    /// its bytes.
    fn events_in_time(&mut self, now: Timestamp) -> Option<Bytes> {
        if self.batch_ends <= now {
            self.left = BATCH;
        }
        let (mut events, mut bytes) = (Vec::new(), 0);
        let begins = self.left == BATCH;
        while self.left > 0 && bytes < WRITE_BYTES {
            let Some(event) = self.event() else {
                if self.left < BATCH {
                    // A batch is what was there when it began, so that what trickles in is told in few writes.
                    self.left = 0;
                }
                break;
            };
            self.left -= 1;
            bytes += event.len();
            events.push(event);
        }
        if begins && !events.is_empty() {
            self.batch_ends = now.after(BATCH_EVERY);
        }
        if events.len() < 2 { events.pop() } else { Some(events.concat().into()) }
    }

    /// The event at the cursor. If it is overwritten, the subscriber is too slow for what happens: it is told how many it
    /// missed, and goes on with the newest batch rather than with what is about to be overwritten, too.
    fn event(&mut self) -> Option<Bytes> {
        let ring = self.shared.ring();
        match ring.at(self.cursor) {
            Place::Here(entry) => {
                drop(ring);
                self.cursor += 1;
                Some(entry.text(&self.shared.process))
            }
            Place::Overwritten => {
                let newest = ring.next().saturating_sub(BATCH.into()).max(ring.oldest());
                drop(ring);
                let count = newest - self.cursor;
                self.cursor = newest;
                Some(missed(&self.shared.process, Some(count), newest - 1))
            }
            Place::Ahead => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::super::event::tests::outcome;
    use super::super::ring::CAPACITY;
    use super::super::{Events, SubscribeError};
    use super::*;

    const PROCESS: &str = "c1";

    fn events() -> Events {
        Events::new(PROCESS, 2)
    }

    fn tell(events: &Events, count: usize) {
        events.0.tell((0..count).map(|_| outcome("q")));
    }

    fn subscribe(events: &Events, resume: &Resume) -> Subscriber {
        events.subscribe(Clock::new(), resume, None).expect("there is a place")
    }

    /// What the subscriber is told without any waiting, as the first line of each event.
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
    async fn an_event_is_told_at_once_and_what_follows_in_batches() {
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
    async fn one_that_falls_behind_is_told_how_much_it_missed_and_goes_on_with_the_newest() {
        let events = events();
        let mut subscriber = subscribe(&events, &Resume::Now);
        told(&mut subscriber).await;
        tell(&events, CAPACITY + 1);
        let text = subscriber.next().await.expect("it goes on");
        // 1,025 happened, of which the newest 32 are told; the notice is one of the batch.
        assert!(text.starts_with(b"id: c1-993\nevent: missed\ndata: {\"count\":993}\n\nid: c1-994\n"), "{text:?}");
        let text = std::str::from_utf8(&text).expect("a text");
        assert_eq!(text.matches("event: outcome").count(), 31);
        assert_eq!(told(&mut subscriber).await, [""; 0]);
        advance(BATCH_EVERY).await;
        assert_eq!(told(&mut subscriber).await, ids(1025..=1025));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_back_goes_on_where_it_was_and_is_told_what_is_lost() {
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
    async fn a_place_is_free_again_when_its_subscriber_goes() {
        let events = events();
        let (one, _two) = (subscribe(&events, &Resume::Now), subscribe(&events, &Resume::Now));
        let refused = events.subscribe(Clock::new(), &Resume::Now, None).expect_err("both places are taken");
        assert_eq!(refused, SubscribeError::Full { max_subscribers: 2 });
        drop(one);
        subscribe(&events, &Resume::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn all_streams_end_with_the_tap_and_none_begins_after_it() {
        let events = events();
        let mut subscriber = subscribe(&events, &Resume::Now);
        told(&mut subscriber).await;
        let waiting = tokio::spawn(async move { subscriber.next().await });
        tokio::task::yield_now().await;
        drop(events.tap(Duration::from_secs(10)));
        assert_eq!(waiting.await.expect("no panic"), None);
        let refused = events.subscribe(Clock::new(), &Resume::Now, None).expect_err("it is over");
        assert_eq!(refused, SubscribeError::Closed);
    }
}
