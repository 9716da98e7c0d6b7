//! The signals that tell a program to stop, to suspend or to read its files again.

use std::future::pending;
use std::process::exit;

use futures_util::stream::{self, Stream};
use rustix::process::{Signal as Number, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// The exit code after a second signal to stop.
const IMPATIENT: i32 = 1;
/// The signal of Ctrl-Z.
const SUSPEND: i32 = Number::TSTP.as_raw();

/// Waits for SIGINT or SIGTERM. They are caught from this call on, even before the future is polled. A second signal
/// ends the process at once, without finishing what is in flight.
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

/// SIGINT and SIGTERM, which no longer end the process by themselves.
#[derive(Debug)]
pub(crate) struct Stop {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Stop {
    /// Catches the signals from now on.
    pub(crate) fn listen() -> Self {
        Self { interrupt: listen(SignalKind::interrupt()), terminate: listen(SignalKind::terminate()) }
    }

    /// Waits for one of them, and returns its name. Cancel safe: no signal is lost.
    pub(crate) async fn told(&mut self) -> &'static str {
        tokio::select! {
            () = next(&mut self.interrupt) => "SIGINT",
            () = next(&mut self.terminate) => "SIGTERM",
        }
    }
}

/// Each SIGHUP from now on, which no longer ends the process.
pub(crate) fn hangups() -> impl Stream<Item = ()> + Send {
    stream::unfold(listen(SignalKind::hangup()), |mut hangup| async {
        next(&mut hangup).await;
        Some(((), hangup))
    })
}

/// Ctrl-Z, for a program that restores the terminal before it is suspended.
#[derive(Debug)]
pub(crate) struct Suspend(Option<Signal>);

impl Suspend {
    /// Catches the signal from now on.
    pub(crate) fn listen() -> Self {
        Self(listen(SignalKind::from_raw(SUSPEND)))
    }

    /// Waits for the signal. Cancel safe: no signal is lost.
    pub(crate) async fn told(&mut self) {
        next(&mut self.0).await;
    }

    /// Suspends this process until SIGCONT.
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

/// `None` if the system does not let the signal be caught. It then ends or suspends the process, as by default.
fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|error| warn!(%error, "cannot install a signal handler")).ok()
}
