//! The signals that ask a program to stop.

use std::future::pending;
use std::process::exit;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// The exit code of a program that is told to stop again while it is stopping.
const IMPATIENT: i32 = 1;

/// Waits for SIGINT or SIGTERM. A second one ends the process at once, without finishing what is in flight.
pub(crate) async fn stop() {
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    let name = either(&mut interrupt, &mut terminate).await;
    info!(signal = name, "stopping; a second signal stops at once");
    tokio::spawn(async move {
        let name = either(&mut interrupt, &mut terminate).await;
        warn!(signal = name, "stopped without finishing what was in flight");
        exit(IMPATIENT);
    });
}

async fn either(interrupt: &mut Option<Signal>, terminate: &mut Option<Signal>) -> &'static str {
    tokio::select! {
        () = next(interrupt) => "SIGINT",
        () = next(terminate) => "SIGTERM",
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
