//! Plays a scenario in isolation from other runs in this process, and survives its panics.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;

use quorate_sim::checkers::Violation;
use quorate_sim::coverage::Reached;
use quorate_sim::event::Event;
use quorate_sim::{Depth, Listener, Report, Scenario};

use super::watchdog;

/// The stack of a thread that plays a run: a debug build needs more than the default.
const STACK_BYTES: usize = 16 << 20;
/// The checker name for a panic of the simulation itself.
const PANIC: &str = "panic";

/// Whether panics are also printed when they happen, with a backtrace if that is enabled.
static SHOW_PANICS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The message and the location of this thread's last panic.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Lets panics also be printed when they happen, which is useful for one run and noise for many.
pub(super) fn show_panics() {
    SHOW_PANICS.store(true, Ordering::Relaxed);
}

/// Whether two violations are the same failure: by the same checker and, if the simulation panicked, at the same place.
pub(super) fn is_same(one: &Violation, other: &Violation) -> bool {
    let place = |violation: &Violation| violation.text.rsplit_once(" at ").map(|(_, place)| place.to_owned());
    one.checker == other.checker && (one.checker != PANIC || place(one) == place(other))
}

/// Plays a scenario. A panic is reported as a violation.
pub(super) fn play(scenario: &Scenario, depth: Depth, listener: Option<Listener>) -> Report {
    let _watched = watchdog::watch(scenario.seed, depth);
    apart(depth, listener, |listener| quorate_sim::run(scenario, depth, listener))
}

/// Runs `run` in isolation from other runs. Network runs leave state in their thread, so each gets a new one.
fn apart(depth: Depth, listener: Option<Listener>, run: impl FnOnce(Option<Listener>) -> Report + Send) -> Report {
    note_panics();
    // Kept outside of the run, so that a panic does not lose it.
    let seen = Arc::new(Mutex::new(Seen::default()));
    let watched = watched(listener, seen.clone());
    let caught = || {
        let result = panic::catch_unwind(AssertUnwindSafe(|| run(watched)));
        result.map_err(|panic| LAST_PANIC.take().unwrap_or_else(|| words(&*panic)))
    };
    let result = match depth {
        Depth::Machines | Depth::Store => caught(),
        Depth::Network => thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, caught);
            thread.expect("the system can start a thread").join().expect("panics are caught")
        }),
    };
    let seen = *seen.lock().unwrap_or_else(PoisonError::into_inner);
    result.unwrap_or_else(|text| Report {
        hash: 0,
        events: seen.events,
        steps: 0,
        messages: 0,
        bytes: 0,
        reached: Reached::default(),
        violation: Some(Violation { checker: PANIC, at: seen.at, text }),
    })
}

/// How far a run has got.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    events: u64,
    at: u64,
}

/// Wraps a listener so that it also records how far a run has got. Without a listener nothing is recorded, for speed.
fn watched(listener: Option<Listener>, seen: Arc<Mutex<Seen>>) -> Option<Listener> {
    let mut listener = listener?;
    Some(Box::new(move |event: &Event<'_>| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Seen { events: seen.events + 1, at: event.at };
        drop(seen);
        listener(event);
    }))
}

/// Installs a panic hook that keeps messages for the report instead of printing them into the progress bar.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place =
                info.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
            let text = format!("{}{place}", words(info.payload()));
            if SHOW_PANICS.load(Ordering::Relaxed) {
                default(info);
            }
            LAST_PANIC.set(Some(text));
        }));
    });
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_sim::event::What;
    use quorate_sim::host::Host;

    #[test]
    fn a_panic_is_a_violation_with_its_place_and_time() {
        for depth in [Depth::Network, Depth::Machines] {
            let report = apart(depth, Some(Box::new(|_| {})), |listener| {
                listener.expect("a listener was given")(&Event { at: 12, host: Host::Broker, what: What::Healed });
                panic!("a host {}", "gave up")
            });
            let violation = report.violation.expect("the panic is a violation");
            assert_eq!((violation.checker, violation.at, report.events), (PANIC, 12, 1));
            assert!(
                violation.text.starts_with("a host gave up at ") && violation.text.contains("play.rs"),
                "{violation:?}"
            );
        }
    }

    #[test]
    fn panics_at_two_places_are_two_failures() {
        let violation = |checker, text: &str| Violation { checker, at: 0, text: text.to_owned() };
        let panic = violation(PANIC, "index 3 at a.rs:7");
        assert!(is_same(&panic, &violation(PANIC, "index 4 at a.rs:7")));
        assert!(!is_same(&panic, &violation(PANIC, "index 3 at a.rs:8")));
        assert!(is_same(&violation("answers", "two at 7"), &violation("answers", "two at 8")));
        assert!(!is_same(&violation("answers", "two"), &violation("deadlines", "two")));
    }

    #[test]
    fn each_network_run_has_a_new_thread() {
        thread_local!(static RUNS: RefCell<u32> = const { RefCell::new(0) });
        let scenario = Scenario::generate(1);
        let seen = || {
            apart(Depth::Network, None, |listener| {
                let events = u64::from(RUNS.with_borrow_mut(|runs| {
                    *runs += 1;
                    *runs
                }));
                Report { events, ..quorate_sim::run(&scenario, Depth::Machines, listener) }
            })
            .events
        };
        assert_eq!((seen(), seen()), (1, 1));
    }
}
