//! The servers: the coordinator, the worker, and both in one process.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::serve::Listener;
use futures_util::stream::{self, Stream, StreamExt as _};
use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{Config, Policies};
use quorate_core::id::WorkerId;
use quorate_core::offer::Offer;
use quorate_core::policy::Overrides;
use quorate_runtime::bus::BusError;
use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::clock::Clock;
use quorate_runtime::driver::{DriverSettings, WorkerIdentity, WorkerSettings};
use quorate_runtime::http::{ApiSettings, EventLimits, RateLimit, ServeLimits};
use quorate_runtime::node::{CoordinatorSettings, NodeError, run_coordinator, run_worker};
use quorate_runtime::policies;
use quorate_runtime::source::{AnySource, SimulatedConfig, SourceKind};
use quorate_runtime::spans::Tracer;
use quorate_runtime::wire::Subjects;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::args::{
    CoordinatorArgs, DevArgs, NatsArgs, OtlpArgs, SeedArgs, ServeArgs, SourceName, StoreArgs, StoreName, WorkerArgs,
};
use crate::descriptors::serve_limits;
use crate::exit::Unusable;
use crate::listener::{listen, localhost, say_who_reaches, url_of};
use crate::otlp::Export;
use crate::render::Digits;
use crate::store::Kept;
use crate::{check, demo, reload, signals, store, telemetry};

/// The name of coordinators, for NATS and for a collector of traces.
const COORDINATOR: &str = "quorate-coordinator";
/// The name of workers.
const WORKER: &str = "quorate-worker";
/// How long every NATS server must refuse the credentials at the start of a program until it ends. A service that
/// authorizes clients may start after the server.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// The workers of the embedded demo.
const DEMO_WORKERS: u32 = 3;

/// Runs a coordinator over NATS until a signal stops it.
///
/// # Errors
/// Unusable settings, an unusable NATS address, or an address that cannot be listened on.
pub async fn coordinator(args: CoordinatorArgs) -> anyhow::Result<()> {
    if args.check.check {
        return check::coordinator(&args);
    }
    telemetry::init(&args.log)?;
    args.effective.warn();
    let mut settings = coordinator_settings(&args.serve, args.listen.port(), &args.seed)?;
    settings.driver = settings.driver.with_subjects(args.nats.subject_prefix.clone());
    let clock = Clock::new();
    let bus = nats(&args.nats, COORDINATOR)?;
    let at = NatsConfig { name: format!("{COORDINATOR} store"), ..nats_config(&args.nats) };
    let at = Some((at, args.nats.subject_prefix.clone()));
    let (stored, opening) = store::open(&args.serve.store, at, &settings.machine, clock)?;
    let (listener, address) = listen(args.listen)?;
    settings.api.port = address.port();
    let traces = Traces::start(&args.otlp, COORDINATOR, &settings.driver.instance, clock, args.serve.otlp_sample)?;
    settings.api.tracer = traces.tracer();
    info!(%address, "the coordinator listens");
    say_who_reaches(address);
    let reloads = match (&args.serve.policies, &args.serve.store.feeds) {
        // The feed file is read again, and there is nothing to say of another one.
        (None, Some(_)) => stream::pending().left_stream(),
        (policies, _) => reload::policies(policies.clone(), settings.machine.clone()).right_stream(),
    };
    let running = run_coordinator(bus.clone(), clock, listener, settings, (), reloads, stored, signals::stop());
    let ran = tokio::select! {
        ran = Box::pin(running) => ran.map_err(Into::into),
        why = bus.refused(REFUSED_FOR) => Err(refused(&why)),
        why = opening => Err(why),
    };
    bus.close().await;
    traces.stop().await;
    ran
}

/// Runs a worker over NATS until a signal stops it.
///
/// # Errors
/// An unusable source or NATS address.
pub async fn worker(args: WorkerArgs) -> anyhow::Result<()> {
    if args.check.check {
        return check::worker(&args);
    }
    telemetry::init(&args.log)?;
    args.effective.warn();
    let id = args.id();
    let (source, offer) = source(&args)?;
    let identity = WorkerIdentity { replicated: args.replicas, ..WorkerIdentity::new(id.clone())? };
    let traces = Traces::start(&args.otlp, WORKER, id.as_str(), Clock::new(), Millionths::ZERO)?;
    let machine = quorate_core::worker::Config { offer, ..args.work.machine() };
    let subjects = args.nats.subject_prefix.clone();
    let settings = WorkerSettings { machine, subjects, tracer: traces.tracer(), ..WorkerSettings::of(identity) };
    let bus = nats(&args.nats, &format!("{WORKER} {id}"))?;
    info!(worker = %id, "the worker starts");
    let ran = tokio::select! {
        ran = run_worker(bus.clone(), settings, source, signals::stop()) => ran.map_err(Into::into),
        why = bus.refused(REFUSED_FOR) => Err(refused(&why)),
    };
    bus.close().await;
    traces.stop().await;
    ran
}

/// The source of a worker, and the queries that the worker offers.
pub(crate) fn source(args: &WorkerArgs) -> anyhow::Result<(AnySource, Offer)> {
    let source = match args.source {
        SourceName::Simulated => simulated(&args.simulated.config(), seed(&args.seed)?)?,
        SourceName::Http => configured(args, SourceKind::Http).map_err(Unusable::mark)?,
        SourceName::Command => configured(args, SourceKind::Command).map_err(Unusable::mark)?,
    };
    let offer = args.queries.clone().map_or_else(|| source.offer(), Ok).map_err(Unusable::mark)?;
    Ok((source, offer))
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
        let export = Export::start(url, service, instance.to_owned()).map_err(Unusable::mark)?;
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
        .map_err(Unusable::mark)
}

fn configured(args: &WorkerArgs, kind: SourceKind) -> Result<AnySource, quorate_runtime::source::ConfigError> {
    let file = args.config.as_deref().expect("clap requires --config for this source");
    AnySource::from_config(file, args.id().as_str(), kind, Clock::new())
}

/// Runs a coordinator and simulated workers in this process until a signal stops it, and meanwhile shows the demo with
/// them.
///
/// # Errors
/// Unusable settings, or an address that cannot be listened on.
pub async fn dev(args: DevArgs) -> anyhow::Result<()> {
    telemetry::init(&args.log)?;
    args.effective.warn();
    let mut settings = coordinator_settings(&args.serve, args.listen.port(), &args.seed)?;
    let (listener, address) = listen(args.listen)?;
    settings.api.port = address.port();
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
    // Without a file, closing the terminal ends it.
    let reloads = match args.serve.policies.clone() {
        Some(file) => reload::policies(Some(file), settings.machine.clone()).left_stream(),
        None => stream::pending().right_stream(),
    };
    let nats = (!args.nats.is_empty()).then(|| {
        let name = format!("{COORDINATOR} store");
        (NatsConfig { urls: args.nats.clone(), name, ..NatsConfig::default() }, Subjects::default())
    });
    // Without being told, it keeps what it can: nothing else is lost when it ends.
    let usual = if args.nats.is_empty() { StoreName::Memory } else { StoreName::Jetstream };
    let keeps = StoreArgs { store: args.serve.store.store.or(Some(usual)), ..args.serve.store.clone() };
    let (stored, opening) = store::open(&keeps, nats, &settings.machine, clock)?;
    let cluster = embedded(listener, settings, clock, &workers, reloads, stored, stop.clone())?;
    let url = url_of(address)?;
    info!(%address, "the coordinator listens; stop with Ctrl-C");
    say_who_reaches(address);
    let show = async {
        let at = localhost(address);
        let json = || serde_json::json!({ "serving": at }).to_string();
        let line = if args.output.json { json() } else { format!("Serving on {at} until Ctrl-C.") };
        // If the output was closed, its reader has seen enough: the server continues.
        let _ = writeln!(io::stdout(), "{line}");
        if args.workers > 0
            && let Err(error) = demo::run(&url, args.workers, args.output.json, Digits::Few).await
        {
            info!("the demo ended early: {error:#}");
        }
        std::future::pending::<()>().await;
    };
    let unusable = tokio::select! {
        () = signals::stop() => None,
        () = show => None,
        why = opening => Some(why),
    };
    stop.cancel();
    let ended = cluster.ended().await;
    tokio::join!(traces.stop(), worker_traces.stop());
    unusable.map_or(ended, Err)
}

/// Runs the demo against a coordinator and three simulated workers in this process.
///
/// # Errors
/// Those of the demo.
pub async fn embedded_demo(json: bool, digits: Digits) -> anyhow::Result<()> {
    let (listener, address) = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let settings = CoordinatorSettings {
        machine: Config::default(),
        api: ApiSettings::new(address.port()),
        limits: ServeLimits::default(),
        driver: DriverSettings::new(random()?)?,
    };
    let stop = CancellationToken::new();
    let source = SimulatedConfig::default();
    let workers = Workers { count: DEMO_WORKERS, source, seed: random()?, tracer: None };
    let cluster = embedded(listener, settings, Clock::new(), &workers, stream::pending(), None, stop.clone())?;
    let shown = demo::run(&url_of(address)?, DEMO_WORKERS, json, digits).await;
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
    reloads: impl Stream<Item = Policies> + Send + 'static,
    stored: Option<Kept>,
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
    let coordinator = tokio::spawn(async move {
        run_coordinator(bus, clock, listener, settings, (), reloads, stored, stop.cancelled()).await
    });
    Ok(Cluster { coordinator, workers: running })
}

/// The settings of the machine by the flags, without those of the policy file.
pub(crate) fn machine(args: &ServeArgs) -> anyhow::Result<Config> {
    let machine = args.machine();
    machine
        .policy
        .with(&Overrides::default(), &machine.limits)
        .context("the policy that the flags set for every request is not valid")
        .map_err(Unusable::mark)?;
    Ok(machine)
}

fn coordinator_settings(args: &ServeArgs, port: u16, seeds: &SeedArgs) -> anyhow::Result<CoordinatorSettings> {
    let mut machine = machine(args)?;
    if let Some(path) = &args.policies {
        let Policies { policies, weights } = policies::read(path, &machine).map_err(Unusable::mark)?;
        machine = Config { policies, weights, ..machine };
    }
    let limit = |per_second, burst| NonZeroU32::new(per_second).map(|per_second| RateLimit { per_second, burst });
    Ok(CoordinatorSettings {
        machine,
        api: ApiSettings {
            rate_limit: limit(args.rate_limit, args.rate_burst),
            read_limit: limit(args.read_rate_limit, args.read_rate_burst),
            trusted_proxies: args.trusted_proxies.clone(),
            cors: args.cors.clone(),
            events: EventLimits {
                max_subscribers: args.max_subscribers as usize,
                max_subscribers_per_client: args.max_subscribers_per_client as usize,
                ..EventLimits::default()
            },
            keep_outcomes: args.store.keep_outcomes,
            ..ApiSettings::new(port)
        },
        limits: serve_limits(args.max_connections_per_peer as usize),
        driver: DriverSettings::new(seed(seeds)?)?,
    })
}

pub(crate) fn nats(args: &NatsArgs, name: &str) -> anyhow::Result<NatsBus> {
    NatsBus::connect(NatsConfig { name: name.to_owned(), ..nats_config(args) }).map_err(|error| unusable_nats(&error))
}

/// How to reach NATS.
pub(crate) fn nats_config(args: &NatsArgs) -> NatsConfig {
    NatsConfig {
        urls: args.urls.clone(),
        credentials_file: args.credentials.clone(),
        root_certificates: args.root_certificates.clone(),
        inbox: args.subject_prefix.inbox().to_owned(),
        ..NatsConfig::default()
    }
}

pub(crate) fn unusable_nats(error: &BusError) -> anyhow::Error {
    Unusable::mark(anyhow!(
        "cannot use the NATS settings: {error}; --nats takes addresses such as nats://localhost:4222, --nats-creds a \
         credentials file, --nats-ca PEM certificates"
    ))
}

/// The error of a program that NATS has never let in.
pub(crate) fn refused(why: &str) -> anyhow::Error {
    Unusable::mark(anyhow!(
        "NATS refuses the credentials: {why}; correct them in --nats (nats://user:password@host or nats://token@host) or \
         --nats-creds"
    ))
}

pub(crate) fn seed(args: &SeedArgs) -> anyhow::Result<u64> {
    args.seed.map_or_else(random, Ok)
}

fn random() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|error| anyhow!("the operating system provides no random numbers: {error}"))
}
