//! Starts coordinators and workers for a test, and sends requests to them over HTTP.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::stream;
use quorate_core::coordinator::Config;
use quorate_core::id::WorkerId;
use quorate_core::value::Value;
use quorate_core::worker;
use quorate_runtime::bus::Bus;
use quorate_runtime::clock::Clock;
use quorate_runtime::driver::{DriverSettings, Inbox, WorkerDriver, WorkerIdentity, WorkerSettings};
use quorate_runtime::feeds;
use quorate_runtime::http::{AllowedOrigin, ApiSettings, EventLimits, RateLimit, ServeLimits};
use quorate_runtime::node::{CoordinatorSettings, Stored, run_coordinator};
use quorate_runtime::source::{Reading, Source, SourceError};
use quorate_runtime::store::Store;
use quorate_runtime::store::memory::MemoryStore;
use quorate_test_support::Exposition;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

static NEXT: AtomicU64 = AtomicU64::new(1);

fn unique(prefix: &str) -> String {
    format!("{prefix}{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A source that calls a function after a delay.
pub(crate) struct Scripted<F> {
    pub(crate) delay: Duration,
    pub(crate) answer: F,
}

impl<F, R> Source for Scripted<F>
where
    F: Fn(&str) -> Result<R, SourceError> + Send + Sync + 'static,
    R: Into<Reading>,
{
    async fn observe(&self, query: &str, _time_left: Duration) -> Result<Reading, SourceError> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        (self.answer)(query).map(Into::into)
    }
}

/// A source that always returns this number.
pub(crate) fn number(text: &'static str) -> impl Source {
    delayed(text, Duration::ZERO)
}

/// A source that returns this number after a delay.
pub(crate) fn delayed(text: &'static str, delay: Duration) -> impl Source {
    Scripted { delay, answer: move |_: &str| Ok(Value::number(text).expect("a number")) }
}

/// A source that always fails.
pub(crate) fn failing(why: &'static str) -> impl Source {
    Scripted { delay: Duration::ZERO, answer: move |_: &str| Err::<Value, _>(SourceError::Failed(why.to_owned())) }
}

/// A running worker.
pub(crate) struct TestWorker {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl TestWorker {
    /// Stops like a killed process, without a farewell. It is gone when this returns, whatever it was doing.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("a killed worker ends in time");
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it was at work when it was killed");
    }

    /// Stops like a process that is told to stop, and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.stop.take();
        tokio::time::timeout(PATIENCE, &mut self.task).await.expect("a worker stops in time").expect("and cleanly");
    }
}

/// Starts a worker that announces itself often.
pub(crate) async fn worker(bus: impl Bus, id: &str, source: impl Source) -> TestWorker {
    let machine = worker::Config { announce_every: Duration::from_millis(100), ..worker::Config::default() };
    worker_with(bus, id, false, machine, source).await
}

pub(crate) async fn worker_with(
    bus: impl Bus,
    id: &str,
    replicated: bool,
    machine: worker::Config,
    source: impl Source,
) -> TestWorker {
    let identity = WorkerIdentity {
        id: WorkerId::new(id).expect("an id"),
        instance: unique("w"),
        replicated,
        started: SystemTime::now(),
    };
    let settings = WorkerSettings { machine, ..WorkerSettings::of(identity) };
    let driver = WorkerDriver::new(bus, Clock::new(), settings, source).await.expect("the bus subscribes");
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(driver.run(async {
        let _ = stopped.await;
    }));
    TestWorker { stop: Some(stop), task }
}

/// A running coordinator with its HTTP API.
pub(crate) struct TestCoordinator {
    pub(crate) address: SocketAddr,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// How a test sets a coordinator up.
pub(crate) struct Setup {
    pub(crate) machine: Config,
    pub(crate) rate_limit: Option<(u32, u32)>,
    pub(crate) trusted_proxies: Vec<ipnet::IpNet>,
    pub(crate) cors: Vec<AllowedOrigin>,
    pub(crate) limits: ServeLimits,
    pub(crate) read_limit: Option<(u32, u32)>,
    pub(crate) events: EventLimits,
    /// Zero by default, so that a test reads the current state.
    pub(crate) snapshot_every: Duration,
    pub(crate) keep_outcomes: bool,
    /// The text of a feed file.
    pub(crate) feeds: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            machine: Config { presence: Duration::from_millis(500), ..Config::default() },
            rate_limit: None,
            trusted_proxies: Vec::new(),
            cors: Vec::new(),
            limits: ServeLimits::default(),
            read_limit: None,
            events: EventLimits::default(),
            snapshot_every: Duration::ZERO,
            keep_outcomes: false,
            feeds: String::new(),
        }
    }
}

impl TestCoordinator {
    pub(crate) async fn start(bus: impl Bus) -> Self {
        Self::start_with(bus, Setup::default()).await
    }

    pub(crate) async fn start_with(bus: impl Bus, setup: Setup) -> Self {
        Self::start_stored(bus, setup, None::<MemoryStore>).await
    }

    /// Starts with a store, if there is one.
    pub(crate) async fn start_stored(bus: impl Bus, setup: Setup, store: Option<impl Store>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let nonzero = |n: u32| NonZeroU32::new(n).expect("a rate is not zero");
        let limit = |limit: Option<(u32, u32)>| {
            limit.map(|(rate, burst)| RateLimit { per_second: nonzero(rate), burst: nonzero(burst) })
        };
        let feeds = feeds::parse("feeds.toml", &setup.feeds, &setup.machine).expect("a feed file");
        let settings = CoordinatorSettings {
            machine: setup.machine,
            api: ApiSettings {
                rate_limit: limit(setup.rate_limit),
                read_limit: limit(setup.read_limit),
                trusted_proxies: setup.trusted_proxies,
                cors: setup.cors,
                events: setup.events,
                snapshot_every: setup.snapshot_every,
                keep_outcomes: setup.keep_outcomes,
                ..ApiSettings::new(address.port())
            },
            limits: setup.limits,
            driver: DriverSettings::named(unique("c"), Inbox::of(&unique("s")), 1),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            let policies = stream::pending();
            let stored = store.map(|store| Stored { store, feeds, reloads: Box::pin(stream::pending()) });
            run_coordinator(bus, Clock::new(), listener, settings, (), policies, stored, stop)
                .await
                .expect("the coordinator runs");
        });
        Self { address, client: client(), stop: Some(stop), task }
    }

    /// Starts on `bus` and waits until `workers` workers are live.
    pub(crate) async fn with_workers(bus: impl Bus, workers: usize) -> Self {
        let coordinator = Self::start(bus).await;
        coordinator.wait_for_live(workers).await;
        coordinator
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a request with this body, and returns the status and the JSON of the response.
    pub(crate) async fn ask(&self, body: Json) -> (u16, Json) {
        answer_of(self.post(&body).send().await.expect("an answer")).await
    }

    /// Prepares a request with this body.
    pub(crate) fn post(&self, body: &Json) -> reqwest::RequestBuilder {
        let request = self.client.post(self.url("/request")).header("content-type", "application/json");
        request.body(body.to_string())
    }

    /// Leaves a request with this body, and returns the response.
    pub(crate) async fn submit(&self, body: Json, key: Option<&str>) -> reqwest::Response {
        let request = self.client.post(self.url("/requests")).header("content-type", "application/json");
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        request.body(body.to_string()).send().await.expect("an answer")
    }

    /// Sends a query that must be answered, and returns the answer.
    pub(crate) async fn answer(&self, query: &str) -> Json {
        let (status, body) = self.ask(json!({ "query": query })).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Json) {
        answer_of(self.client.get(self.url(path)).send().await.expect("an answer")).await
    }

    /// What `GET /metrics` shows.
    pub(crate) async fn metrics(&self) -> Exposition {
        let response = self.client.get(self.url("/metrics")).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let text = response.text().await.expect("a body");
        Exposition::parse(&text).unwrap_or_else(|wrong| panic!("{wrong} in {text}"))
    }

    pub(crate) async fn counter(&self, name: &str) -> u64 {
        self.get("/workers").await.1["counters"][name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// Waits until exactly `expected` workers are live.
    pub(crate) async fn wait_for_live(&self, expected: usize) {
        until(&format!("{expected} live workers"), async || {
            let (_, body) = self.get("/workers").await;
            body["workers"]
                .as_array()
                .is_some_and(|workers| workers.iter().filter(|worker| worker["state"] == "live").count() == expected)
        })
        .await;
    }

    /// Begins a graceful stop.
    pub(crate) fn begin_stop(&mut self) {
        self.stop.take();
    }

    /// Waits for the end of a graceful stop.
    pub(crate) async fn stopped(self) {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it stops in time").expect("and cleanly");
    }
}

pub(crate) async fn answer_of(response: reqwest::Response) -> (u16, Json) {
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}")))
}

/// A client that ignores the proxies of the environment.
pub(crate) fn client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().expect("a client")
}

/// Polls until a condition holds; fails after [`PATIENCE`].
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The workers' results in a response.
pub(crate) fn responses(body: &Json) -> &Vec<Json> {
    body["worker_responses"].as_array().unwrap_or_else(|| panic!("no responses in {body}"))
}

/// Runs checks on the bus within the process and on a NATS server. `connect` opens another connection.
macro_rules! on_both_buses {
    ($($check:ident,)*) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                let broker = quorate_runtime::bus::local::LocalBus::new();
                super::$check(move || broker.connection()).await;
            })*
        }
        mod nats {
            use quorate_runtime::bus::nats::{NatsBus, NatsConfig};

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                let server = quorate_test_support::NatsServer::start();
                let url = server.url();
                super::$check(move || NatsBus::connect(NatsConfig::new(&url)).expect("a good address")).await;
                drop(server);
            })*
        }
    };
}
pub(crate) use on_both_buses;
