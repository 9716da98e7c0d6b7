//! Exports spans to a collector: OTLP over HTTP, in batches, and never in the way of a request.
//!
//! Finished spans wait in a bounded queue. Spans that find it full are lost, and so are those that the collector
//! refuses; losses are counted and logged. A task of this runtime sends the batches instead of the SDK's own processor,
//! which needs a thread and a blocking client, and reports neither how many spans are lost nor when that ends.

mod convert;
mod losses;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use quorate_client::transport;
use quorate_core::aggregate::Millionths;
use quorate_runtime::clock::Clock;
use quorate_runtime::spans::{Span, SpanSink, Tracer};
use reqwest::Url;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use convert::span_data;
use losses::Losses;

/// The most finished spans that wait.
const QUEUE: usize = 8192;
/// The most spans in one batch.
const BATCH: usize = 512;
/// The pause between two looks at the queue: spans do not wake the task.
const EVERY: Duration = Duration::from_millis(200);
/// How long the collector may take for one batch, retries included.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a program that stops waits for the collector to accept the rest.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// The route that accepts spans, under the collector's base address.
const ROUTE: &str = "v1/traces";

/// Sends the spans of one service to a collector, from its start until [`Export::stop`].
#[derive(Debug)]
pub struct Export {
    queue: Queue,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Where spans wait to be sent.
#[derive(Clone, Debug)]
struct Queue {
    spans: mpsc::Sender<Span>,
    lost: Arc<AtomicU64>,
}

impl SpanSink for Queue {
    fn take(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Export {
    /// Starts to send to the collector at `url`, which need not be reachable yet. The spans are shown under `service`
    /// and `instance`.
    ///
    /// # Errors
    /// Certificates or settings in the environment that cannot be used.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start(url: &Url, service: &'static str, instance: String) -> anyhow::Result<Self> {
        let http =
            transport::builder(url)?.timeout(EXPORT_TIMEOUT).build().context("cannot prepare the HTTP client")?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(http)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(transport::route_url(url, ROUTE))
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|error| anyhow!("cannot use the settings of the OTLP export: {error}"))?;
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance));
        exporter.set_resource(&resource.build());
        info!(%url, service, "spans are sent to the collector");

        let (sender, spans) = mpsc::channel(QUEUE);
        let (stop, lost) = (CancellationToken::new(), Arc::default());
        let queue = Queue { spans: sender, lost: Arc::clone(&lost) };
        let scope = InstrumentationScope::builder("quorate").with_version(env!("CARGO_PKG_VERSION")).build();
        let sender = Sender { spans, exporter, scope, losses: Losses::new(lost), url: url.clone() };
        let task = tokio::spawn(sender.run(stop.clone()));
        Ok(Self { queue, stop, task })
    }

    /// A tracer that reads `clock`. It records the share `sample` of the traces that begin here.
    ///
    /// # Errors
    /// The operating system gives no random number.
    pub fn tracer(&self, clock: Clock, sample: Millionths) -> anyhow::Result<Tracer> {
        // Never from --seed: trace ids must not repeat.
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| anyhow!("the operating system provides no random numbers: {error}"))?;
        Ok(Tracer::new(self.queue.clone(), clock, sample, seed))
    }

    /// Sends the rest, within `FLUSH_TIMEOUT`.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if timeout(FLUSH_TIMEOUT, &mut self.task).await.is_err() {
            self.task.abort();
            warn!("the collector did not accept the last spans in time; they are lost");
        }
    }
}

/// The task that sends.
struct Sender {
    spans: mpsc::Receiver<Span>,
    exporter: SpanExporter,
    scope: InstrumentationScope,
    losses: Losses,
    url: Url,
}

impl Sender {
    async fn run(mut self, stop: CancellationToken) {
        let mut last = false;
        while !last {
            tokio::select! {
                () = sleep(EVERY) => {}
                () = stop.cancelled() => last = true,
            }
            loop {
                let next = std::iter::from_fn(|| self.spans.try_recv().ok());
                let batch: Vec<_> = next.take(BATCH).map(|span| span_data(span, &self.scope)).collect();
                if batch.is_empty() {
                    break;
                }
                let count = batch.len() as u64;
                match self.exporter.export(batch).await {
                    Ok(()) => {
                        if let Some(lost) = self.losses.taken() {
                            info!(lost, url = %self.url, "the collector accepts spans again; some were lost in the meantime");
                        }
                    }
                    Err(error) => {
                        if let Some(lost) = self.losses.failed(count) {
                            warn!(lost, url = %self.url, %error, "the collector accepts no spans; they are lost");
                        }
                    }
                }
            }
            if let Some(lost) = self.losses.overflowed() {
                warn!(lost, url = %self.url, "spans come faster than the collector accepts them; some are lost");
            }
        }
    }
}
