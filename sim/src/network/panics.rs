//! Catches the panics of all tasks on all hosts, which tokio would otherwise confine to the task.

use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use tokio::runtime::{Handle, Id};

use crate::host::Host;
use crate::observe::PANICKED;

thread_local! {
    /// The panics on this thread during a run; `None` outside of a run.
    static CAUGHT: RefCell<Option<Caught>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Caught {
    /// The host of each runtime.
    hosts: Vec<(Id, Host)>,
    panics: Vec<(Host, String)>,
}

/// While this exists, panics on this thread are recorded instead of printed.
pub(super) struct Catch(());

impl Catch {
    /// Begins to record panics.
    pub(super) fn begin() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !note(info) {
                    before(info);
                }
            }));
        });
        CAUGHT.set(Some(Caught::default()));
        Self(())
    }

    /// The panics since the last call.
    #[expect(clippy::unused_self, reason = "panics are recorded only while this value exists")]
    pub(super) fn take(&self) -> Vec<(Host, String)> {
        CAUGHT
            .with_borrow_mut(|caught| caught.as_mut().map(|caught| std::mem::take(&mut caught.panics)))
            .unwrap_or_default()
    }
}

impl Drop for Catch {
    fn drop(&mut self) {
        CAUGHT.set(None);
    }
}

/// Attributes the current runtime's panics to `host` from now on.
pub(super) fn blame(host: Host) {
    CAUGHT.with_borrow_mut(|caught| {
        if let Some(caught) = caught {
            caught.hosts.retain(|(_, known)| *known != host);
            caught.hosts.push((Handle::current().id(), host));
        }
    });
}

/// Records a panic during a run. Returns false if it is to be printed instead. A panic outside of all hosts is
/// attributed to the broker.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    // This panic is the fault of the schedule, not a bug.
    if info.payload_as_str() == Some(PANICKED) {
        return true;
    }
    let text = format!("{}{place}", info.payload_as_str().unwrap_or("a panic without a message"));
    let runtime = Handle::try_current().ok().map(|handle| handle.id());
    let noted = CAUGHT.try_with(|caught| {
        let mut caught = caught.try_borrow_mut().ok()?;
        let caught = caught.as_mut()?;
        let host = caught.hosts.iter().find(|(id, _)| Some(*id) == runtime).map_or(Host::Broker, |(_, host)| *host);
        caught.panics.push((host, text));
        Some(())
    });
    matches!(noted, Ok(Some(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_task_is_attributed_to_its_host() {
        let catch = Catch::begin();
        let runtimes = [Host::Coordinator(1), Host::Worker(2)].map(|host| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async { blame(host) });
            runtime
        });
        for (runtime, text) in runtimes.iter().zip(["one", "two"]) {
            assert!(runtime.block_on(async { tokio::spawn(async move { panic!("{text}") }).await }).is_err());
        }
        let panics = catch.take();
        let hosts: Vec<Host> = panics.iter().map(|(host, _)| *host).collect();
        assert_eq!(hosts, [Host::Coordinator(1), Host::Worker(2)]);
        assert!(panics[1].1.starts_with("two at ") && panics[1].1.contains("panics.rs"), "{}", panics[1].1);
        assert_eq!(catch.take(), []);
    }
}
