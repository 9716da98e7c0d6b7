//! The flags of the worker.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, ValueEnum};
use quorate_core::id::WorkerId;
use quorate_core::offer::Offer;
use quorate_core::worker::Config;
use quorate_runtime::source::SimulatedConfig;
use rust_decimal::Decimal;

use super::coordinator::{positive, worker_id};
use super::effects::{Effective, Effects, Idle, is_given, is_one_of};
use super::time::{millis, millis_from_zero};
use super::values::{offer, share};
use super::{CheckArgs, LogArgs, NatsArgs, OtlpArgs, SeedArgs};
use crate::exit;

/// Answers the questions of coordinators over NATS, from a source: simulated values, an HTTP service, or a program
#[derive(Parser, Clone, Debug)]
#[command(name = "worker", version, after_help = exit::SERVER.help())]
pub struct WorkerArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// Name of this worker, unique among all workers [default: worker-PORT]
    #[arg(long, env = "QUORATE_ID", value_name = "ID", value_parser = worker_id)]
    pub id: Option<WorkerId>,

    /// Number that names the worker without --id; nothing listens on it
    #[arg(long, env = "QUORATE_PORT", value_name = "PORT", default_value_t = 8081)]
    pub port: u16,

    /// Share this worker's name with other processes; each task goes to one of them
    #[arg(long, env = "QUORATE_REPLICAS", value_parser = FalseyValueParser::new())]
    pub replicas: bool,

    /// Where values come from; http and command need --config
    #[arg(long, env = "QUORATE_SOURCE", value_name = "KIND", default_value = "simulated")]
    pub source: SourceName,

    /// TOML file that says where the value of each query comes from
    #[arg(
        long,
        env = "QUORATE_CONFIG",
        value_name = "FILE",
        required_if_eq_any = [("source", "http"), ("source", "command")]
    )]
    pub config: Option<PathBuf>,

    /// Queries that it answers, separated by commas; * stands for any characters [default: those of its entries in the
    /// source file, or all]
    #[arg(long, env = "QUORATE_QUERIES", value_name = "QUERIES", value_parser = offer)]
    pub queries: Option<Offer>,

    #[command(flatten)]
    pub check: CheckArgs,
    #[command(flatten)]
    pub nats: NatsArgs,
    #[command(flatten)]
    pub work: WorkArgs,
    #[command(flatten)]
    pub simulated: SimulatedArgs,
    #[command(flatten)]
    pub otlp: OtlpArgs,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

/// The load that a worker accepts, and how often it announces itself.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Work")]
pub struct WorkArgs {
    /// Tasks that run at once
    #[arg(long, env = "QUORATE_MAX_CONCURRENT", value_name = "N", default_value_t = 64, value_parser = positive)]
    pub max_concurrent: u32,

    /// Tasks that may wait; further ones are answered with a failure at once
    #[arg(long, env = "QUORATE_MAX_QUEUE", value_name = "N", default_value_t = 1024)]
    pub max_queue: u32,

    /// Milliseconds between presence announcements; at most a third of the coordinator's --presence-ms
    #[arg(long, env = "QUORATE_ANNOUNCE_MS", value_name = "MS", default_value_t = 2_000, value_parser = millis)]
    pub announce_ms: u64,
}

/// How a simulated source behaves.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Simulated source")]
pub struct SimulatedArgs {
    /// Shortest delay before an answer, in milliseconds
    #[arg(long, env = "QUORATE_DELAY_MIN_MS", value_name = "MS", default_value_t = 100, value_parser = millis_from_zero)]
    pub delay_min_ms: u64,

    /// Longest delay before an answer, in milliseconds
    #[arg(long, env = "QUORATE_DELAY_MAX_MS", value_name = "MS", default_value_t = 2_000, value_parser = millis_from_zero)]
    pub delay_max_ms: u64,

    /// Share of the queries that fail, 0 to 1
    #[arg(long, env = "QUORATE_FAILURE_RATE", value_name = "SHARE", default_value = "0.1", value_parser = share)]
    pub failure_rate: Decimal,

    /// How far a value may be from its base, as a share of the base, 0 to 1
    #[arg(long, env = "QUORATE_VARIANCE", value_name = "SHARE", default_value = "0.01", value_parser = share)]
    pub variance: Decimal,
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    /// Random values around a base for each query
    Simulated,
    /// An HTTP service
    Http,
    /// A program on this machine
    Command,
}

impl Effects for WorkerArgs {
    const IDLE: &'static [Idle] = &[
        Idle { flags: &["port"], when: |matches| is_given(matches, "id"), because: "with --id" },
        Idle {
            flags: &["config"],
            when: |matches| is_one_of(matches, "source", &["simulated"]),
            because: "without --source http or --source command",
        },
        Idle {
            flags: &["delay_min_ms", "delay_max_ms", "failure_rate", "variance", "seed"],
            when: |matches| !is_one_of(matches, "source", &["simulated"]),
            because: "on a --source other than simulated",
        },
    ];
}

impl WorkerArgs {
    /// The worker's name.
    pub fn id(&self) -> WorkerId {
        self.id.clone().unwrap_or_else(|| {
            WorkerId::new(&format!("worker-{}", self.port)).expect("a name made of a port is short and printable")
        })
    }
}

impl WorkArgs {
    /// The settings of the worker's state machine.
    pub fn machine(&self) -> Config {
        Config {
            max_concurrent: self.max_concurrent as usize,
            max_queued: self.max_queue as usize,
            announce_every: Duration::from_millis(self.announce_ms),
            ..Config::default()
        }
    }
}

impl SimulatedArgs {
    /// The configuration of the source, which checks its ranges.
    pub fn config(&self) -> SimulatedConfig {
        SimulatedConfig {
            delay_min: Duration::from_millis(self.delay_min_ms),
            delay_max: Duration::from_millis(self.delay_max_ms),
            failure_rate: self.failure_rate,
            variance: self.variance,
        }
    }
}
