//! A closed-loop load generator: each connection sends the next question as soon as the last one is answered.

mod connection;
mod report;
mod tally;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use indicatif::{ProgressBar, ProgressDrawTarget};
use quorate_client::transport::{plain_reason, route_url};
use quorate_client::{Ask, Error};
use reqwest::Url;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::render::{self, Charset, Quiet, can_redraw_stderr};
use crate::signals::Stop;
use connection::Connection;
use tally::Tally;

pub use report::{Histogram, Latency, Report};

/// How often the progress is drawn.
const TICK: Duration = Duration::from_millis(200);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The coordinator.
    pub url: Url,
    /// The question; the coordinator draws the request ids.
    pub query: String,
    /// The number of connections that ask at once.
    pub connections: u32,
    /// When to end.
    pub end: End,
    /// How long to ask before measuring begins.
    pub warmup: Duration,
    /// How long to wait for a connection or an answer.
    pub timeout: Duration,
}

/// When a measurement ends. Requests in flight are waited for, and count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After a time.
    After(Duration),
    /// After a number of requests.
    Requests(u64),
}

/// Where and what to ask, shared by all connections.
#[derive(Debug)]
struct Target {
    addresses: Vec<SocketAddr>,
    request: Request<Full<Bytes>>,
    timeout: Duration,
}

/// Measures. Ctrl-C or SIGTERM ends it early, with a report of what was measured.
///
/// # Errors
/// A server that cannot be found or reached at the beginning. One that goes away later is measured.
pub async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let target = Arc::new(target(plan).await?);
    reach(&plan.url, &target).await?;
    let tally = Arc::new(Tally::new(plan.end, plan.warmup));
    let mut connections = JoinSet::new();
    for _ in 0..plan.connections {
        connections.spawn(Connection::new(target.clone(), tally.clone()).run());
    }
    let progress = progress(plan.end);
    let quiet = (!progress.is_hidden()).then(|| Quiet::on(io::stderr()));
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = Stop::listen();
    let mut stopped = false;
    loop {
        tokio::select! {
            joined = connections.join_next() => match joined {
                Some(joined) => joined.context("a connection of the load generator failed")?,
                None => break,
            },
            _ = tick.tick() => show(&progress, &tally, plan.end),
            _ = stop.told(), if !stopped => {
                stopped = true;
                tally.stop();
            }
        }
    }
    progress.finish_and_clear();
    drop(quiet);
    Ok(tally.report())
}

async fn target(plan: &Plan) -> anyhow::Result<Target> {
    if plan.url.scheme() != "http" {
        bail!("load supports http only; measure the coordinator itself, without the TLS proxy in front of it");
    }
    let url = route_url(&plan.url, "request");
    let host = url.host_str().context("the address has no host")?;
    let port = url.port_or_known_default().context("the address has no port")?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = lookup_host((bare, port))
        .await
        .map_err(|error| Error::Unreachable { url: plan.url.clone(), reason: plain_reason(&error) })?
        .collect();
    let ask = Ask::new(plan.query.as_str());
    let body = serde_json::to_vec(&ask)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(url.path())
        .header(HOST, HeaderValue::from_str(&format!("{host}:{port}"))?)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("quorate-load/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body)))?;
    Ok(Target { addresses, request, timeout: plan.timeout })
}

/// Fails at once if nothing listens, instead of with a table of errors.
async fn reach(url: &Url, target: &Target) -> Result<(), Error> {
    let unreachable = |error: &io::Error| Error::Unreachable { url: url.clone(), reason: plain_reason(error) };
    match timeout(target.timeout, TcpStream::connect(&target.addresses[..])).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(&error)),
        Err(_) => Err(unreachable(&io::ErrorKind::TimedOut.into())),
    }
}

/// A bar on standard error, if that is a terminal.
fn progress(end: End) -> ProgressBar {
    if !can_redraw_stderr() {
        return ProgressBar::hidden();
    }
    let length = match end {
        End::After(duration) => u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        End::Requests(requests) => requests,
    };
    let style = render::progress(Charset::of_locale());
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()).with_style(style)
}

fn show(progress: &ProgressBar, tally: &Tally, end: End) {
    if progress.is_hidden() {
        return;
    }
    let (requests, errors) = tally.counts();
    let measured = Instant::now().saturating_duration_since(tally.begins());
    progress.set_position(match end {
        End::After(_) => u64::try_from(measured.as_millis()).unwrap_or(u64::MAX),
        End::Requests(_) => requests,
    });
    progress.set_message(if measured.is_zero() {
        "warming up".to_owned()
    } else {
        let rate = requests as f64 / measured.as_secs_f64();
        format!("{requests} requests, {errors} errors, {rate:.0} a second")
    });
    progress.tick();
}
