//! The flags of the coordinator.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use ipnet::IpNet;
use quorate_core::aggregate::{Millionths, OutlierRule, Rule, Strategy};
use quorate_core::coordinator::{Config, Expected, Score};
use quorate_core::id::WorkerId;
use quorate_core::policy::{Limits, MAX_DECIMALS, OnDispute, Policy};
use quorate_runtime::http::AllowedOrigin;
use rust_decimal::Decimal;

use super::effects::{Effective, Effects, Idle, is_given};
use super::store::STORE_IDLE;
use super::time::{millis, millis_from_zero};
use super::values::{
    agreement, fraction, listen_address, network, on_disputes, outlier_rule, share, strategies, trim_share,
};
use super::{CheckArgs, LogArgs, NatsArgs, OtlpArgs, SeedArgs, StoreArgs};
use crate::exit;

/// Asks many workers over NATS and answers over HTTP, with one value and its evidence
#[derive(Parser, Clone, Debug)]
#[command(name = "coordinator", version, after_help = exit::SERVER.help())]
pub struct CoordinatorArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,
    #[command(flatten)]
    pub check: CheckArgs,
    #[command(flatten)]
    pub nats: NatsArgs,
    /// Address and port of the HTTP API; other hosts reach it unless it is one of this machine only, such as 127.0.0.1:8080
    #[arg(
        long,
        env = "QUORATE_LISTEN",
        value_name = "ADDR",
        default_value = "0.0.0.0:8080",
        value_parser = listen_address,
        help_heading = "Coordinator"
    )]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub otlp: OtlpArgs,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

/// The flags of a coordinator on any bus.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Coordinator")]
pub struct ServeArgs {
    /// Threads that serve; on few processors, one does it with the least work
    #[arg(
        long,
        env = "QUORATE_THREADS",
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    pub threads: u16,

    /// Questions per second that one client address may ask; 0 turns the limit off
    #[arg(long, env = "QUORATE_RATE_LIMIT", value_name = "N", default_value_t = 10)]
    pub rate_limit: u32,

    /// Questions that one client address may ask at once before the rate limit applies
    #[arg(long, env = "QUORATE_RATE_BURST", value_name = "N", default_value = "20")]
    pub rate_burst: NonZeroU32,

    /// Requests per second that one client address may make to all other routes together, except GET /health and GET
    /// /ready; 0 turns the limit off
    #[arg(long, env = "QUORATE_READ_RATE_LIMIT", value_name = "N", default_value_t = 100)]
    pub read_rate_limit: u32,

    /// Requests to those routes that one client address may make at once before their rate limit applies
    #[arg(long, env = "QUORATE_READ_RATE_BURST", value_name = "N", default_value = "200")]
    pub read_rate_burst: NonZeroU32,

    /// Connections that one peer address may hold; further ones are refused with 503. A trusted proxy may hold more
    #[arg(
        long,
        env = "QUORATE_MAX_CONNECTIONS_PER_PEER",
        value_name = "N",
        default_value_t = 1024,
        value_parser = positive
    )]
    pub max_connections_per_peer: u32,

    /// Network of a proxy whose X-Forwarded-For header names the client; several separated by commas
    #[arg(
        long = "trusted-proxy",
        env = "QUORATE_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = network
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// Origin of web pages that may use the API from a browser, or * for every page; several separated by commas
    /// [default: none]
    #[arg(long, env = "QUORATE_CORS", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors: Vec<AllowedOrigin>,

    /// Clients that may read GET /events at once, as each open dashboard does; further ones are refused with 503
    #[arg(long, env = "QUORATE_MAX_SUBSCRIBERS", value_name = "N", default_value_t = 256)]
    pub max_subscribers: u32,

    /// Clients of one address that may read GET /events at once; further ones are refused with 429
    #[arg(long, env = "QUORATE_MAX_SUBSCRIBERS_PER_CLIENT", value_name = "N", default_value_t = 32)]
    pub max_subscribers_per_client: u32,

    /// Requests that may be in flight at once; further ones are refused with 503
    #[arg(long, env = "QUORATE_MAX_IN_FLIGHT", value_name = "N", default_value_t = 10_000, value_parser = positive)]
    pub max_in_flight: u32,

    /// Bytes that the requests in flight and their answers may take; further requests are refused with 503
    #[arg(long, env = "QUORATE_MAX_IN_FLIGHT_BYTES", value_name = "BYTES", default_value_t = 268_435_456)]
    pub max_in_flight_bytes: usize,

    /// Milliseconds without a further result after which a request ends while no worker is known
    #[arg(long, env = "QUORATE_STALL_MS", value_name = "MS", default_value_t = 300, value_parser = millis)]
    pub stall_ms: u64,

    /// Least milliseconds that a request waits for a worker that is silent for longer than usual; 0 waits until the
    /// deadline
    #[arg(long, env = "QUORATE_SUSPECT_AFTER_MS", value_name = "MS", default_value_t = 100, value_parser = millis_from_zero)]
    pub suspect_after_ms: u64,

    /// Milliseconds that a worker counts as live after it was last heard
    #[arg(long, env = "QUORATE_PRESENCE_MS", value_name = "MS", default_value_t = 10_000, value_parser = millis)]
    pub presence_ms: u64,

    /// Milliseconds that an outcome is remembered by its id, for retries
    #[arg(long, env = "QUORATE_REMEMBER_MS", value_name = "MS", default_value_t = 60_000, value_parser = millis)]
    pub remember_ms: u64,

    /// Outcomes that are remembered; the oldest is forgotten first
    #[arg(long, env = "QUORATE_MAX_REMEMBERED", value_name = "N", default_value_t = 10_000)]
    pub max_remembered: u32,

    /// Bytes that the remembered outcomes may take; the oldest is forgotten first
    #[arg(long, env = "QUORATE_MAX_REMEMBERED_BYTES", value_name = "BYTES", default_value_t = 67_108_864)]
    pub max_remembered_bytes: usize,

    /// Share of the timeout after which a task is redispatched to silent workers, 0 to 1; 0 turns that off
    #[arg(
        long,
        env = "QUORATE_REDISPATCH_SHARE",
        value_name = "SHARE",
        default_value = "0.5",
        value_parser = share
    )]
    pub redispatch_share: Decimal,

    /// Worker that is admitted; several separated by commas [default: every worker]
    #[arg(
        long = "allow-worker",
        env = "QUORATE_ALLOW_WORKER",
        value_name = "ID",
        value_delimiter = ',',
        value_parser = worker_id
    )]
    pub allowed_workers: Vec<WorkerId>,

    /// Score, 0 to 1, below which a worker is quarantined: it is asked, and its values are not used [default: none is]
    #[arg(long, env = "QUORATE_QUARANTINE_BELOW", value_name = "SCORE", value_parser = share)]
    pub quarantine_below: Option<Decimal>,

    /// The old name of --quarantine-below, which takes precedence if both are set
    #[arg(long, env = "QUORATE_CORDON_BELOW", value_name = "SCORE", value_parser = share, hide = true)]
    cordon_below: Option<Decimal>,

    /// Workers without a record that may take part in one answer
    #[arg(long, env = "QUORATE_MAX_NEWCOMERS", value_name = "N", default_value_t = 3)]
    pub max_newcomers: u32,

    /// TOML file with policies for some queries, and with weights of workers [default: none]
    #[arg(long, env = "QUORATE_POLICIES", value_name = "FILE")]
    pub policies: Option<PathBuf>,

    /// Share of the requests outside any trace, 0 to 1, that begin one; with --otlp
    #[arg(long, env = "QUORATE_OTLP_SAMPLE", value_name = "SHARE", default_value = "1", value_parser = agreement)]
    pub otlp_sample: Millionths,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub policy: PolicyArgs,
}

/// The policy of requests that do not set their own.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Policy of requests that do not set their own")]
pub struct PolicyArgs {
    /// Milliseconds until the deadline of a request, when it is answered with what has come
    #[arg(long, env = "QUORATE_TIMEOUT_MS", value_name = "MS", default_value_t = 5_000, value_parser = millis)]
    pub timeout_ms: u64,

    /// Longest timeout, in milliseconds, that a request may set
    #[arg(long, env = "QUORATE_MAX_TIMEOUT_MS", value_name = "MS", default_value_t = 60_000, value_parser = millis)]
    pub max_timeout_ms: u64,

    /// Usable answers below which a request fails
    #[arg(long, env = "QUORATE_MIN_RESPONSES", value_name = "N", default_value_t = 1, value_parser = positive)]
    pub min_responses: u32,

    /// Usable values with which a request ends early [default: wait for all]
    #[arg(long, env = "QUORATE_QUORUM", value_name = "N", value_parser = positive)]
    pub quorum: Option<u32>,

    /// How to combine the values
    #[arg(long, env = "QUORATE_STRATEGY", value_name = "NAME", default_value = "average", value_parser = strategies())]
    pub strategy: Strategy,

    /// Decimals that `majority` keeps when it compares numbers, 0 to 28
    #[arg(
        long,
        env = "QUORATE_PRECISION",
        value_name = "N",
        default_value_t = 2,
        value_parser = precision()
    )]
    pub precision: u32,

    /// Share of the values that `trimmed_mean` drops at each end, from 0 to below 0.5
    #[arg(long, env = "QUORATE_TRIM_SHARE", value_name = "SHARE", default_value = "0.25", value_parser = trim_share)]
    pub trim_share: Millionths,

    /// Exclude values farther from the median than this fraction of it, such as 0.06, or by mad:K or iqr:K; or none
    #[arg(long, env = "QUORATE_MAX_DEVIATION", value_name = "RULE", default_value = "0.06", value_parser = outlier_rule)]
    pub max_deviation: OutlierRule,

    /// Distance from the answer within which a value agrees with it, as a fraction of the answer [default: 0.06, or 0
    /// for majority]
    #[arg(long, env = "QUORATE_TOLERANCE", value_name = "FRACTION", value_parser = fraction)]
    pub tolerance: Option<Decimal>,

    /// Share of the used values, 0 to 1, that must agree with the answer; with fewer it is disputed
    #[arg(
        long,
        env = "QUORATE_MIN_AGREEMENT",
        value_name = "SHARE",
        default_value = "0.51",
        value_parser = agreement
    )]
    pub min_agreement: Millionths,

    /// Whether a disputed answer is returned, or rejected with 409
    #[arg(long, env = "QUORATE_ON_DISPUTE", value_name = "WHAT", default_value = "answer", value_parser = on_disputes())]
    pub on_dispute: OnDispute,

    /// Decimals to which an answer that is a number is rounded, 0 to 28; its evidence keeps the exact number [default: all]
    #[arg(long, env = "QUORATE_DECIMALS", value_name = "N", value_parser = decimals())]
    pub decimals: Option<u8>,

    /// Worker that should be there; several separated by commas. One that is not is missing from each answer, and is not
    /// waited for [default: none]
    #[arg(
        long,
        env = "QUORATE_EXPECT",
        value_name = "ID",
        value_delimiter = ',',
        value_parser = worker_id
    )]
    pub expect: Vec<WorkerId>,

    /// Number of workers that should be there; those that are not are missing from each answer
    #[arg(
        long,
        env = "QUORATE_MIN_EXPECTED",
        value_name = "N",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=1000)
    )]
    pub min_expected: u32,

    /// Exclude values known to be older than this many milliseconds [default: no maximum]
    #[arg(long, env = "QUORATE_MAX_AGE_MS", value_name = "MS", value_parser = millis_from_zero)]
    pub max_age_ms: Option<u64>,
}

/// What has no effect without traces.
pub(super) const TRACING: Idle =
    Idle { flags: &["otlp_sample"], when: |matches| !is_given(matches, "otlp"), because: "without --otlp" };

impl Effects for CoordinatorArgs {
    const IDLE: &'static [Idle] = &[TRACING, STORE_IDLE];
}

impl ServeArgs {
    /// The settings of the state machine by the flags, without those of the policy file. The machine checks whether the
    /// policy is within the limits.
    pub fn machine(&self) -> Config {
        let defaults = Config::default();
        Config {
            policy: self.policy.policy(),
            limits: Limits { max_timeout: Duration::from_millis(self.policy.max_timeout_ms), ..defaults.limits },
            max_in_flight: self.max_in_flight as usize,
            max_in_flight_bytes: self.max_in_flight_bytes,
            remember: Duration::from_millis(self.remember_ms),
            max_remembered: self.max_remembered as usize,
            max_remembered_bytes: self.max_remembered_bytes,
            presence: Duration::from_millis(self.presence_ms),
            stall: Duration::from_millis(self.stall_ms),
            suspect_after: (self.suspect_after_ms > 0).then(|| Duration::from_millis(self.suspect_after_ms)),
            expected: Expected {
                workers: self.policy.expect.iter().cloned().collect(),
                least: self.policy.min_expected,
            },
            redispatch_permille: parts(self.redispatch_share, 1_000),
            admitted: (!self.allowed_workers.is_empty()).then(|| self.allowed_workers.iter().cloned().collect()),
            max_newcomers: self.max_newcomers,
            quarantine_below: self.quarantine_below().map(|score| Score::from_millionths(parts(score, 1_000_000))),
            ..defaults
        }
    }

    /// The score below which workers are quarantined, by the flag's new or old name.
    fn quarantine_below(&self) -> Option<Decimal> {
        self.quarantine_below.or(self.cordon_below)
    }
}

impl PolicyArgs {
    /// The policy of requests that do not set their own.
    pub fn policy(&self) -> Policy {
        Policy {
            rule: Rule {
                strategy: self.strategy,
                precision: self.precision,
                trim_share: self.trim_share,
                max_deviation: self.max_deviation,
                tolerance: self.tolerance,
                min_agreement: Some(self.min_agreement),
                max_age: self.max_age_ms.map(Duration::from_millis),
            },
            min_responses: self.min_responses,
            quorum: self.quorum,
            timeout: Duration::from_millis(self.timeout_ms),
            on_dispute: self.on_dispute,
            decimals: self.decimals,
        }
    }
}

/// A share from 0 to 1 in parts of `whole`, rounded to the nearest.
fn parts(share: Decimal, whole: u32) -> u32 {
    let parts = (share * Decimal::from(whole)).round();
    u32::try_from(parts).expect("a share of 0 to 1 is at most the whole")
}

/// The name of a worker.
pub(super) fn worker_id(text: &str) -> Result<WorkerId, String> {
    WorkerId::new(text).map_err(|error| error.to_string())
}

/// The number of decimals that `majority` compares.
pub(super) fn precision() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=i64::from(MAX_DECIMALS))
}

/// The number of decimals of an answer.
pub(super) fn decimals() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(0..=i64::from(MAX_DECIMALS))
}

/// A count of at least 1.
pub(super) fn positive(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a whole number of at least 1".to_owned())
}
