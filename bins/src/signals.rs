//! The signals that ask a program to stop, or to let go of the terminal.

use std::future::pending;
use std::process::exit;

use rustix::process::{Signal as Number, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// The exit code of a program that is told to stop again while it is stopping.
const IMPATIENT: i32 = 1;
/// What Ctrl-Z sends.
const SUSPEND: i32 = Number::TSTP.as_raw();

/// Waits for SIGINT or SIGTERM, which are caught from the call on, whenever that begins to wait. A second one ends the
/// process at once, without finishing what is in flight.
pub(crate) fn stop() -> impl Future<Output = ()> {
    let mut stop = Stop::listen();
    async move {
        let name = stop.told().await;
        info!(signal = name, "stopping; a second signal stops at once");
        tokio::spawn(async move {
            let name = stop.told().await;
            warn!(signal = name, "stopped without finishing what was in flight");
            exit(IMPATIENT);
        });
    }
}

/// SIGINT and SIGTERM, which from then on end nothing by themselves.
#[derive(Debug)]
pub(crate) struct Stop {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Stop {
    /// From now on.
    pub(crate) fn listen() -> Self {
        Self { interrupt: listen(SignalKind::interrupt()), terminate: listen(SignalKind::terminate()) }
    }

    /// Waits for one of them, and gives its name. Nothing is lost if it is given up.
    pub(crate) async fn told(&mut self) -> &'static str {
        tokio::select! {
            () = next(&mut self.interrupt) => "SIGINT",
            () = next(&mut self.terminate) => "SIGTERM",
        }
    }
}

/// Ctrl-Z, for a program that leaves the terminal in order before it is suspended.
#[derive(Debug)]
pub(crate) struct Suspend(Option<Signal>);

impl Suspend {
    /// From now on.
    pub(crate) fn listen() -> Self {
        Self(listen(SignalKind::from_raw(SUSPEND)))
    }

    /// Waits for it. Nothing is lost if it is given up.
    pub(crate) async fn told(&mut self) {
        next(&mut self.0).await;
    }

    /// Suspends this process until it is told to continue.
    pub(crate) fn suspend() {
        if let Err(error) = kill_process(getpid(), Number::STOP) {
            warn!(%error, "cannot suspend");
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    pending::<()>().await;
}

/// `None` if the system does not let the signal be caught: it then ends the process, as it does by default.
fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|error| warn!(%error, "a signal cannot be caught")).ok()
}
