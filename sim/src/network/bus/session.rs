//! The task that keeps a bus connected, one session after another, for as long as the bus is open.
//!
//! A session is one connection. What it has not sent is lost with it, so that nothing stale is delivered.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use turmoil::net::TcpStream;

use super::{Shared, SimBusSettings};
use crate::network::broker::frame::Frame;
use crate::network::broker::link::{Ended, Outgoing, carry};
use crate::network::broker::{HOST, PORT};

/// Keeps the bus connected until `stop` is cancelled, then closes it.
pub(super) async fn supervise(shared: Arc<Shared>, settings: SimBusSettings, stop: CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = stay_connected(&shared, settings) => {}
    }
    shared.lock().close();
}

/// Never returns.
async fn stay_connected(shared: &Shared, mut settings: SimBusSettings) {
    let (least, most) = settings.reconnect;
    let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    loop {
        let ended = session(shared, &settings).await;
        shared.lock().end_session();
        tracing::debug!(%ended, "no connection to the broker");
        sleep(Duration::from_micros(settings.random.within(micros(least)..=micros(most)))).await;
    }
}

/// Opens a connection and carries the session until it ends.
async fn session(shared: &Shared, settings: &SimBusSettings) -> Ended {
    // Without a timeout, an attempt over a held link would never end.
    let stream = match timeout(settings.keepalive, TcpStream::connect((HOST, PORT))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return error.into(),
        Err(_) => return Ended::Silent,
    };
    let outgoing = Arc::new(Outgoing::new(settings.publish_capacity));
    let mut begun = false;
    let heard = |frame| match (frame, begun) {
        (Frame::Info, false) => {
            begun = true;
            shared.lock().begin_session(Arc::clone(&outgoing));
            Ok(())
        }
        (frame, true) => shared.lock().heard(frame),
        (_, false) => Err(Ended::Misbehaved),
    };
    carry(stream, settings.keepalive, &outgoing, heard).await
}
