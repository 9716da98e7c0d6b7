//! Those who wait for the end of a request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::id::RequestId;
use tokio::sync::oneshot;

/// The most that wait at a time.
const MAX_WAITERS: usize = 16_384;

/// Those who wait for the end of a request. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiters(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    by_request: BTreeMap<(RequestId, u64), oneshot::Sender<()>>,
}

/// One who waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiter {
    waiters: Waiters,
    place: (RequestId, u64),
    told: oneshot::Receiver<()>,
}

impl Waiters {
    /// Waits for the end of a request; `None` if too many wait.
    pub(super) fn wait(&self, request: &RequestId) -> Option<Waiter> {
        let (sender, told) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.by_request.len() >= MAX_WAITERS {
            return None;
        }
        waiting.last += 1;
        let place = (request.clone(), waiting.last);
        waiting.by_request.insert(place.clone(), sender);
        Some(Waiter { waiters: self.clone(), place, told })
    }

    /// Tells those who wait for a request that it has ended.
    pub(super) fn ended(&self, request: &RequestId) {
        let mut waiting = self.waiting();
        let of_request = (request.clone(), 0)..=(request.clone(), u64::MAX);
        let places: Vec<_> = waiting.by_request.range(of_request).map(|(place, _)| place.clone()).collect();
        for place in places {
            // The sender is dropped, which tells the waiter as well.
            waiting.by_request.remove(&place);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Waits until the request has ended.
    pub(super) async fn ended(&mut self) {
        let _ = (&mut self.told).await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.waiters.waiting().by_request.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_for_a_request_are_told_and_nobody_else() {
        let id = |text| RequestId::new(text).expect("an id");
        let waiters = Waiters::default();
        let mut waiting = [(); 2].map(|()| waiters.wait(&id("a")).expect("a place"));
        let other = waiters.wait(&id("b")).expect("a place");
        waiters.ended(&id("a"));
        for waiter in &mut waiting {
            waiter.ended().await;
        }
        assert_eq!(waiters.waiting().by_request.len(), 1);
        drop((waiting, other));
        assert_eq!(waiters.waiting().by_request.len(), 0);
    }
}
