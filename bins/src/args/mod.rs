//! The command lines of the three programs: every flag, its environment variable, its unit and its default.

mod ask;
mod context;
mod coordinator;
mod effects;
mod exchange;
mod follow;
mod generate;
mod quorate;
mod store;
mod time;
mod values;
mod watch;
mod worker;

use std::fmt;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use quorate_runtime::wire::Subjects;
use reqwest::Url;

pub use ask::AskArgs;
pub use context::{AddContextArgs, ContextArgs, ContextCommand};
pub use coordinator::{CoordinatorArgs, PolicyArgs, ServeArgs};
pub use effects::{Contradiction, Effective, Effects, Idle};
pub use exchange::ExchangeArgs;
pub use follow::{FollowArgs, FollowNatsArgs};
pub use generate::{CompletionsArgs, ManArgs, Program};
pub use quorate::{
    Command, DemoArgs, DevArgs, HealthArgs, JsonArgs, LoadArgs, NumberArgs, PoliciesArgs, QueriesArgs, QuorateArgs,
    UrlArgs, WorkersArgs,
};
pub use store::{StorageName, StoreArgs, StoreName};
pub use time::duration;
use values::{collector_url, subjects};
pub use values::{network, server_url, share};
pub use watch::WatchArgs;
pub use worker::{SimulatedArgs, SourceName, WorkArgs, WorkerArgs};

/// The NATS servers. Addresses may contain passwords, so neither `Debug` nor the help shows them.
#[derive(Args, Clone)]
#[command(next_help_heading = "NATS")]
pub struct NatsArgs {
    /// NATS server to connect to; several are separated by commas or repeated, and tried in turn
    #[arg(
        long = "nats",
        env = "NATS_URL",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ',',
        default_value = "nats://localhost:4222"
    )]
    pub urls: Vec<String>,

    /// First tokens of all subjects, by which several deployments share a NATS account without seeing each other
    #[arg(long, env = "QUORATE_SUBJECT_PREFIX", value_name = "PREFIX", default_value = "oracle", value_parser = subjects)]
    pub subject_prefix: Subjects,

    /// Credentials file, as `nsc` writes it
    #[arg(long = "nats-creds", env = "NATS_CREDS", value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// PEM certificates to trust instead of the system's, if the connection is encrypted
    #[arg(long = "nats-ca", env = "NATS_CA", value_name = "FILE")]
    pub root_certificates: Option<PathBuf>,
}

impl fmt::Debug for NatsArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsArgs").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

/// Whether to check the settings only.
#[derive(Args, Clone, Copy, Debug)]
pub struct CheckArgs {
    /// Check the flags and all files, print what was checked, and exit: with 0, or with 2 if something is wrong. Nothing is
    /// contacted
    #[arg(long, env = "QUORATE_CHECK", value_parser = FalseyValueParser::new())]
    pub check: bool,
}

/// What is logged, and how. Logs go to standard error.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// Format of the log on standard error
    #[arg(long = "log-format", env = "QUORATE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub format: LogFormat,

    /// What to log: a level (error, warn, info, debug, trace), or levels by module
    #[arg(long = "log", env = "QUORATE_LOG", value_name = "FILTER", default_value = "info,async_nats=off")]
    pub filter: String,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

/// The destination of spans.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Traces")]
pub struct OtlpArgs {
    /// Base address of an OpenTelemetry collector that receives the spans of traces, by OTLP over HTTP [default: none]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", value_parser = collector_url)]
    pub otlp: Option<Url>,
}

/// Random choices.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Chance")]
pub struct SeedArgs {
    /// Seed of random choices, to repeat them; a coordinator's ids also depend on its process [default: from the
    /// operating system]
    #[arg(long, env = "QUORATE_SEED", value_name = "N")]
    pub seed: Option<u64>,
}
