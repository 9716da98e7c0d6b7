//! A broker on the simulated network: what NATS core provides to its clients, and no more.
//!
//! That is at-most-once delivery, order per publisher and subject, queue groups, reply subjects, notices of messages
//! without subscribers, and disconnecting slow consumers. Nothing in it depends on the order of a hash table or on
//! random numbers from outside the simulation.

mod control;
pub(crate) mod frame;
pub(crate) mod link;
mod router;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use turmoil::net::{TcpListener, TcpStream};

use control::Admission;
use frame::Frame;
use link::{Ended, Outgoing};
use router::Router;

pub use control::BrokerControl;

/// The port it listens on.
pub const PORT: u16 = 4222;

/// The name of the host it runs on.
pub const HOST: &str = "broker";

/// The minimum for turmoil's `tcp_capacity`.
///
/// turmoil panics when more connections than that wait to be accepted. Each client has one attempt at a time, but the
/// attempts that it abandoned while its link was held all arrive when the link is released.
pub const TCP_CAPACITY: usize = 4096;

/// How many frames other than messages may be queued for a connection beyond its limit: the answers to its own pings.
const ANSWERS: usize = 1024;

/// The limits of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerSettings {
    /// How many messages may be queued for one connection before it is closed as too slow.
    pub queue: usize,
    /// How long a connection may be silent before it is given up. Each end sends something at least three times as
    /// often.
    pub keepalive: Duration,
}

/// Runs a broker on the current host, which must be named [`HOST`].
///
/// # Errors
/// If the port is taken.
pub async fn run(settings: BrokerSettings, control: BrokerControl) -> turmoil::Result {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    let router = Arc::default();
    // Waits for nothing else, so that connections that arrive together are all accepted.
    loop {
        let (stream, _) = listener.accept().await?;
        if let Some(admission) = control.admit() {
            tokio::spawn(serve(stream, settings, admission, Arc::clone(&router)));
        }
    }
}

/// Publishes a message a second time after `wait`, from a connection without subscriptions, which gets no notices.
async fn publish_again(frame: Frame, wait: Duration, router: Arc<Mutex<Router>>) {
    tokio::time::sleep(wait).await;
    let mut router = router.lock().unwrap_or_else(PoisonError::into_inner);
    let bridge = router.attach(Arc::new(Outgoing::new(1)), CancellationToken::new());
    // It has been published before, so it is well formed.
    let _ = router.handle(&bridge, frame);
    router.detach(bridge.id());
}

/// Serves one client until its connection ends.
async fn serve(stream: TcpStream, settings: BrokerSettings, admission: Admission, router: Arc<Mutex<Router>>) {
    let lock = || router.lock().unwrap_or_else(PoisonError::into_inner);
    let outgoing = Arc::new(Outgoing::new(settings.queue));
    outgoing.push(Frame::Info);
    let link = lock().attach(Arc::clone(&outgoing), admission.closed.clone());
    let heard = |frame| {
        if outgoing.len() > settings.queue + ANSWERS {
            return Err(Ended::Misbehaved);
        }
        if let Frame::Publish { subject, .. } = &frame
            && let Some(wait) = admission.comes_again(subject)
        {
            tokio::spawn(publish_again(frame.clone(), wait, Arc::clone(&router)));
        }
        lock().handle(&link, frame)
    };
    let ended = tokio::select! {
        biased;
        () = admission.closed.cancelled() => Ended::Dropped,
        ended = link::carry(stream, settings.keepalive, &outgoing, heard) => ended,
    };
    lock().detach(link.id());
    tracing::debug!(connection = link.id(), %ended, "a connection is over");
}
