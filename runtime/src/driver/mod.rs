//! The drivers. Each is one task that owns one machine: it feeds the machine inputs from the bus and from callers, and
//! carries out its outputs.
//!
//! No lock surrounds a machine. A driver wakes for the first message that is ready, handles everything else that is
//! ready, up to a bound, and then carries out the outputs together.
//!
//! * `coordinator.rs`, `worker.rs`: the two drivers
//! * `handle.rs`, `asks.rs`, `view.rs`: how callers submit requests, and how readers see snapshots without waiting behind them
//! * `intake.rs`: what a pass takes from each subscription, and in which order
//! * `dispatch.rs`, `outcomes.rs`: the tasks and the outcomes that a coordinator sends
//! * `tasks.rs`, `jobs.rs`, `answers.rs`: a worker's tasks, from the message to the result
//! * `packs.rs`: how both send packs
//! * `tap.rs`: the machine behind its taps, which see each step: checkers, metrics, events
//! * `callers.rs`: the callers that wait, and the trails of their requests, for traces
//! * `snapshot.rs`: what a reader sees of a machine
//! * `service.rs`, `identity.rs`: a worker as a NATS service, and the names of processes
//! * `settings.rs`, `bus_watch.rs`: the secret inbox and the bounds; the state of the bus as inputs

mod answers;
mod asks;
mod bus_watch;
mod callers;
mod coordinator;
mod dispatch;
mod handle;
mod identity;
mod intake;
mod jobs;
mod outcomes;
mod packs;
mod service;
mod settings;
mod snapshot;
mod tap;
mod tasks;
mod view;
mod worker;

pub use asks::Asks;
pub use callers::{Trail, TrailStep};
pub use coordinator::CoordinatorDriver;
pub use handle::{AskError, CoordinatorHandle};
pub use identity::{WorkerIdentity, draw_instance};
pub use settings::{DriverSettings, Inbox};
pub(crate) use snapshot::EVERYTHING;
pub use snapshot::{Readiness, Snapshot, WorkerView};
pub use tap::{Held, Step, Tap};
pub(crate) use view::SNAPSHOT_EVERY;
pub use view::SnapshotError;
pub use worker::{WorkerDriver, WorkerSettings};

use std::pin::Pin;

use quorate_core::time::Timestamp;
use tokio::time::Sleep;

use crate::bus::{Message, Subscription};
use crate::clock::Clock;

/// Takes the messages that wait in a subscription, up to `batch`.
fn ready<S: Subscription>(subscription: &mut S, batch: usize) -> Vec<Message> {
    std::iter::from_fn(|| subscription.try_recv()).take(batch).collect()
}

/// Wakes a driver when its machine is due, or earlier.
///
/// It only ever moves to an earlier time. The machine's due time changes with every request that ends, and an unneeded
/// wake-up costs less than resetting the timer each time.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: Option<Timestamp>,
}

impl Alarm {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(clock.instant(Timestamp::MAX))), armed: None }
    }

    /// Makes [`Alarm::wait`] end by `at`.
    pub(crate) fn set(&mut self, clock: &Clock, at: Option<Timestamp>) {
        if let Some(at) = at
            && self.armed.is_none_or(|armed| at < armed)
        {
            self.armed = Some(at);
            self.sleep.as_mut().reset(clock.instant(at));
        }
    }

    /// Waits until the time that is set, or forever if none is. Cancel safe.
    pub(crate) async fn wait(&mut self) {
        if self.armed.is_none() {
            std::future::pending::<()>().await;
        }
        self.sleep.as_mut().await;
        self.armed = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_alarm_is_never_late_and_waits_for_nothing_unless_set() {
        let clock = Clock::new();
        let at = |seconds| Some(Timestamp::ZERO.after(Duration::from_secs(seconds)));
        let mut alarm = Alarm::new(&clock);
        let unset = tokio::time::timeout(Duration::from_secs(1), alarm.wait());
        assert!(unset.await.is_err());
        for (set, rings) in [([5, 9], 5), ([9, 7], 7), ([9, 9], 9)] {
            for seconds in set {
                alarm.set(&clock, at(seconds));
            }
            alarm.wait().await;
            assert_eq!(clock.now().since(Timestamp::ZERO).as_secs(), rings);
        }
    }
}
