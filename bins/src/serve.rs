//! The servers: the coordinator, the worker, and both in one process.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use anyhow::{Context, anyhow};
use axum::serve::{Listener, ListenerExt};
use quorate_core::aggregate::Millionths;
use quorate_core::id::WorkerId;
use quorate_core::policy::Overrides;
use quorate_runtime::bus::BusError;
use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::clock::Clock;
use quorate_runtime::driver::{DriverSettings, WorkerIdentity, WorkerSettings};
use quorate_runtime::http::{ApiSettings, EventLimits, RateLimit, ServeLimits};
use quorate_runtime::node::{CoordinatorSettings, NodeError, run_coordinator, run_worker};
use quorate_runtime::policies::PolicyFile;
use quorate_runtime::source::{AnySource, SimulatedConfig, SourceKind};
use quorate_runtime::spans::Tracer;
use reqwest::Url;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::args::{CoordinatorArgs, DevArgs, NatsArgs, OtlpArgs, SeedArgs, ServeArgs, SourceName, WorkerArgs};
use crate::descriptors::serve_limits;
use crate::otlp::Export;
use crate::{demo, signals, telemetry};

/// The send buffer of each connection, which holds what the client has not accepted yet.
const SEND_BUFFER_BYTES: u32 = 64 << 10;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// The name of coordinators, for NATS and for a collector of traces.
const COORDINATOR: &str = "quorate-coordinator";
/// The name of workers.
const WORKER: &str = "quorate-worker";
/// The workers of the embedded demo.
const DEMO_WORKERS: u32 = 3;

/// Runs a coordinator over NATS until a signal stops it.
///
/// # Errors
/// Unusable settings, an unusable NATS address, or an address that cannot be listened on.
pub async fn coordinator(args: CoordinatorArgs) -> anyhow::Result<()> {
    telemetry::init(&args.log)?;
    args.effective.warn();
    let (listener, address) = listen(args.serve.listen)?;
    let mut settings = coordinator_settings(&args.serve, address.port(), &args.seed)?;
    let clock = Clock::new();
    let traces = Traces::start(&args.otlp, COORDINATOR, &settings.driver.instance, clock, args.serve.otlp_sample)?;
    settings.api.tracer = traces.tracer();
    let bus = nats(args.nats, COORDINATOR)?;
    info!(%address, "the coordinator listens");
    let ran = run_coordinator(bus.clone(), clock, listener, settings, (), signals::stop()).await;
    bus.close().await;
    traces.stop().await;
    Ok(ran?)
}

/// Runs a worker over NATS until a signal stops it.
///
/// # Errors
/// An unusable source or NATS address.
pub async fn worker(args: WorkerArgs) -> anyhow::Result<()> {
    telemetry::init(&args.log)?;
    args.effective.warn();
    let id = args.id();
    let source = match args.source {
        SourceName::Simulated => simulated(&args.simulated.config(), seed(&args.seed)?)?,
        SourceName::Http => configured(&args, SourceKind::Http)?,
        SourceName::Command => configured(&args, SourceKind::Command)?,
    };
    let offer = args.queries.clone().map_or_else(|| source.offer(), Ok)?;
    let identity = WorkerIdentity { replicated: args.replicas, ..WorkerIdentity::new(id.clone())? };
    let traces = Traces::start(&args.otlp, WORKER, id.as_str(), Clock::new(), Millionths::ZERO)?;
    let machine = quorate_core::worker::Config { offer, ..args.work.machine() };
    let settings = WorkerSettings { machine, tracer: traces.tracer(), ..WorkerSettings::of(identity) };
    let bus = nats(args.nats, &format!("{WORKER} {id}"))?;
    info!(worker = %id, "the worker starts");
    let ran = run_worker(bus.clone(), settings, source, signals::stop()).await;
    bus.close().await;
    traces.stop().await;
    Ok(ran?)
}

/// The traces of one service, if they are exported.
struct Traces(Option<(Export, Tracer)>);

impl Traces {
    fn start(
        args: &OtlpArgs,
        service: &'static str,
        instance: &str,
        clock: Clock,
        sample: Millionths,
    ) -> anyhow::Result<Self> {
        let Some(url) = &args.otlp else { return Ok(Self(None)) };
        let export = Export::start(url, service, instance.to_owned())?;
        let tracer = export.tracer(clock, sample)?;
        Ok(Self(Some((export, tracer))))
    }

    fn tracer(&self) -> Option<Tracer> {
        self.0.as_ref().map(|(_, tracer)| tracer.clone())
    }

    /// Sends the recorded spans, within a few seconds.
    async fn stop(self) {
        if let Some((export, _)) = self.0 {
            export.stop().await;
        }
    }
}

fn simulated(config: &SimulatedConfig, seed: u64) -> anyhow::Result<AnySource> {
    AnySource::simulated(config, seed)
        .context("the simulated source cannot be used; see --delay-min-ms and --delay-max-ms")
}

fn configured(args: &WorkerArgs, kind: SourceKind) -> Result<AnySource, quorate_runtime::source::ConfigError> {
    let file = args.config.as_deref().expect("clap requires --config for this source");
    AnySource::from_config(file, args.id().as_str(), kind, Clock::new())
}

/// Runs a coordinator and simulated workers in this process until a signal stops it, and shows the demo with them.
///
/// # Errors
/// Unusable settings, or an address that cannot be listened on.
pub async fn dev(args: DevArgs) -> anyhow::Result<()> {
    telemetry::init(&args.log)?;
    args.effective.warn();
    let (listener, address) = listen(args.serve.listen)?;
    let mut settings = coordinator_settings(&args.serve, address.port(), &args.seed)?;
    let clock = Clock::new();
    let traces = Traces::start(&args.otlp, COORDINATOR, &settings.driver.instance, clock, args.serve.otlp_sample)?;
    let worker_traces = Traces::start(&args.otlp, WORKER, &settings.driver.instance, clock, Millionths::ZERO)?;
    settings.api.tracer = traces.tracer();
    let workers = Workers {
        count: args.workers,
        source: args.simulated.config(),
        seed: seed(&args.seed)?,
        tracer: worker_traces.tracer(),
    };
    let stop = CancellationToken::new();
    let cluster = embedded(listener, settings, clock, &workers, stop.clone())?;
    let url = url_of(address)?;
    info!(%address, "the coordinator listens; stop with Ctrl-C");
    let show = async {
        if args.workers > 0
            && let Err(error) = demo::run(&url, args.workers, args.output.json).await
        {
            info!("the demo ended early: {error:#}");
        }
        // If the output was closed, its reader has seen enough: the server continues.
        let at = localhost(address);
        let json = || serde_json::json!({ "serving": at }).to_string();
        let line = if args.output.json { json() } else { format!("Serving on {at} until Ctrl-C.") };
        let _ = writeln!(io::stdout(), "{line}");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = signals::stop() => {}
        () = show => {}
    }
    stop.cancel();
    let ended = cluster.ended().await;
    tokio::join!(traces.stop(), worker_traces.stop());
    ended
}

/// Runs the demo against a coordinator and three simulated workers in this process.
///
/// # Errors
/// Those of the demo.
pub async fn embedded_demo(json: bool) -> anyhow::Result<()> {
    let (listener, address) = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let settings = CoordinatorSettings {
        machine: quorate_core::coordinator::Config::default(),
        api: ApiSettings::new(address.port()),
        limits: ServeLimits::default(),
        driver: DriverSettings::new(random()?)?,
    };
    let stop = CancellationToken::new();
    let source = SimulatedConfig::default();
    let workers = Workers { count: DEMO_WORKERS, source, seed: random()?, tracer: None };
    let cluster = embedded(listener, settings, Clock::new(), &workers, stop.clone())?;
    let shown = demo::run(&url_of(address)?, DEMO_WORKERS, json).await;
    stop.cancel();
    cluster.ended().await?;
    shown
}

/// The simulated workers of this process.
struct Workers {
    count: u32,
    source: SimulatedConfig,
    seed: u64,
    tracer: Option<Tracer>,
}

/// A coordinator and workers that share this process.
struct Cluster {
    coordinator: tokio::task::JoinHandle<Result<(), NodeError>>,
    workers: JoinSet<Result<(), BusError>>,
}

impl Cluster {
    /// Waits until all of them have stopped.
    async fn ended(self) -> anyhow::Result<()> {
        self.coordinator.await.context("the coordinator panicked")??;
        self.workers.join_all().await.into_iter().collect::<Result<(), _>>()?;
        Ok(())
    }
}

/// Starts a coordinator and simulated workers on a bus within the process. `stop` stops them all: the workers still
/// answer their tasks, so that the coordinator can answer its callers.
fn embedded<L: Listener<Addr = SocketAddr>>(
    listener: L,
    settings: CoordinatorSettings,
    clock: Clock,
    workers: &Workers,
    stop: CancellationToken,
) -> anyhow::Result<Cluster> {
    let broker = LocalBus::new();
    let mut running = JoinSet::new();
    for n in 1..=workers.count {
        let id = WorkerId::new(&format!("worker-{n}")).expect("a short printable name");
        let settings = WorkerSettings { tracer: workers.tracer.clone(), ..WorkerSettings::new(id)? };
        let source = simulated(&workers.source, workers.seed.wrapping_add(u64::from(n)))?;
        running.spawn(run_worker(broker.connection(), settings, source, stop.clone().cancelled_owned()));
    }
    let bus = broker.connection();
    let coordinator =
        tokio::spawn(async move { run_coordinator(bus, clock, listener, settings, (), stop.cancelled()).await });
    Ok(Cluster { coordinator, workers: running })
}

fn coordinator_settings(args: &ServeArgs, port: u16, seeds: &SeedArgs) -> anyhow::Result<CoordinatorSettings> {
    let mut machine = args.machine();
    machine
        .policy
        .with(&Overrides::default(), &machine.limits)
        .context("the policy that the flags set for every request is not valid")?;
    if let Some(path) = &args.policies {
        let PolicyFile { policies, weights } = PolicyFile::read(path, &machine)?;
        machine.policies = policies;
        machine.weights = weights;
    }
    let limit = |per_second, burst| NonZeroU32::new(per_second).map(|per_second| RateLimit { per_second, burst });
    Ok(CoordinatorSettings {
        machine,
        api: ApiSettings {
            rate_limit: limit(args.rate_limit, args.rate_burst),
            read_limit: limit(args.read_rate_limit, args.read_rate_burst),
            trusted_proxies: args.trusted_proxies.clone(),
            events: EventLimits {
                max_subscribers: args.max_subscribers as usize,
                max_subscribers_per_client: args.max_subscribers_per_client as usize,
                ..EventLimits::default()
            },
            ..ApiSettings::new(port)
        },
        limits: serve_limits(args.max_connections_per_peer as usize),
        driver: DriverSettings::new(seed(seeds)?)?,
    })
}

fn listen(address: SocketAddr) -> anyhow::Result<(impl Listener<Addr = SocketAddr>, SocketAddr)> {
    let listener = bind(address).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "stop the program that listens there, or choose another address with --listen",
            _ => "choose another address with --listen",
        };
        anyhow!("cannot listen on {address}: {error}; {advice}")
    })?;
    let address = listener.local_addr().context("cannot read the address of the listener")?;
    // An answer is one small write, which Nagle's algorithm would only delay.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok((listener, address))
}

/// Listens with a small send buffer. Otherwise the system buffers megabytes for each slow reader of events, instead of
/// letting it fall behind.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Like `TcpListener::bind`, so that a restart can bind the address at once.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn nats(args: NatsArgs, name: &str) -> anyhow::Result<NatsBus> {
    let config = NatsConfig {
        urls: args.urls,
        credentials_file: args.credentials,
        root_certificates: args.root_certificates,
        name: name.to_owned(),
        ..NatsConfig::default()
    };
    NatsBus::connect(config).map_err(|error| {
        anyhow!(
            "cannot use the NATS settings: {error}; --nats takes addresses such as nats://localhost:4222, --nats-creds a \
             credentials file"
        )
    })
}

/// The URL under which a program on this machine reaches the address.
fn url_of(address: SocketAddr) -> anyhow::Result<Url> {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    Url::parse(&format!("http://{}", SocketAddr::new(ip, address.port()))).context("cannot write the address as a URL")
}

/// The address for people.
fn localhost(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

fn seed(args: &SeedArgs) -> anyhow::Result<u64> {
    args.seed.map_or_else(random, Ok)
}

fn random() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|error| anyhow!("the operating system provides no random numbers: {error}"))
}
