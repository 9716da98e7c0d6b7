//! Finds something or waits for it, without missing what arrives in between.

use tokio::sync::Notify;

/// Something that wakes all its listeners.
pub(super) trait Signal {
    /// Completes at the first [`Signal::wake`] after it was made.
    type Heard<'a>: Future<Output = ()>
    where
        Self: 'a;

    /// Listens from now on.
    fn listen(&self) -> Self::Heard<'_>;
    /// Wakes all current listeners.
    fn wake(&self);
}

impl Signal for Notify {
    type Heard<'a> = tokio::sync::futures::Notified<'a>;

    fn listen(&self) -> Self::Heard<'_> {
        self.notified()
    }

    fn wake(&self) {
        self.notify_waiters();
    }
}

/// What a reader finds.
pub(super) enum Find<T, U> {
    /// What was looked for.
    Found(T),
    /// Nothing yet.
    Nothing {
        /// Whether an arrival ends the wait.
        for_arrivals: bool,
        /// Ends the wait as well, perhaps with a result.
        until: U,
    },
}

/// Makes a change, then wakes those that wait for it.
pub(super) fn tell(signal: &impl Signal, change: impl FnOnce()) {
    change();
    signal.wake();
}

/// Looks once. If nothing is found, waits. `None` means that it is time to look again.
pub(super) async fn find_or_wait<S: Signal + 'static, T, U: Future<Output = Option<T>>>(
    arrived: &S,
    answered: Option<&S>,
    find: impl FnOnce() -> Find<T, U>,
) -> Option<T> {
    // Nothing that arrives from here on is missed.
    let (arrived, answered) = (arrived.listen(), answered.map(Signal::listen));
    let (for_arrivals, until) = match find() {
        Find::Found(found) => return Some(found),
        Find::Nothing { for_arrivals, until } => (for_arrivals, until),
    };
    let answered = async {
        match answered {
            Some(answered) => answered.await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = answered => None,
        () = arrived, if for_arrivals => None,
        ended = until => ended,
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use loom::sync::{Arc, Mutex};

    use super::super::event::tests::outcome;
    use super::super::ring::{Lookup, Ring};
    use super::*;

    /// What tokio promises about [`Notify::notify_waiters`], in loom's terms.
    #[derive(Debug)]
    struct Modelled(Mutex<(u64, Vec<Waker>)>);

    struct Heard<'a> {
        signal: &'a Modelled,
        since: u64,
    }

    impl Signal for Modelled {
        type Heard<'a> = Heard<'a>;

        fn listen(&self) -> Heard<'_> {
            Heard { signal: self, since: self.0.lock().expect("the lock is not poisoned").0 }
        }

        fn wake(&self) {
            let mut state = self.0.lock().expect("the lock is not poisoned");
            state.0 += 1;
            let waiting = std::mem::take(&mut state.1);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    impl Future for Heard<'_> {
        type Output = ();

        fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let mut state = self.signal.0.lock().expect("the lock is not poisoned");
            if state.0 > self.since {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        }
    }

    /// Loom runs every order of the two threads' steps. A reader that overlooked an event would wait forever.
    #[test]
    fn no_event_is_overlooked_whatever_the_order_of_the_threads() {
        loom::model(|| {
            let shared = Arc::new((Mutex::new(Ring::new(8)), Modelled(Mutex::new((0, Vec::new())))));
            let theirs = Arc::clone(&shared);
            let writer = loom::thread::spawn(move || {
                for _ in 0..2 {
                    tell(&theirs.1, || theirs.0.lock().expect("the lock is not poisoned").push(outcome("q")));
                }
            });
            let mut cursor = 1;
            loom::future::block_on(async {
                while cursor < 3 {
                    let found = find_or_wait(&shared.1, None, || {
                        match shared.0.lock().expect("the lock is not poisoned").at(cursor) {
                            Lookup::Found(entry) => Find::Found(entry.number),
                            _ => Find::Nothing { for_arrivals: true, until: std::future::pending() },
                        }
                    });
                    if let Some(number) = found.await {
                        assert_eq!(number, cursor);
                        cursor += 1;
                    }
                }
            });
            writer.join().expect("it ends");
        });
    }
}
