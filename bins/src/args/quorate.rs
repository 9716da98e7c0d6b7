//! The flags of `quorate`, the operator's tool.

use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use quorate_core::aggregate::{Millionths, OutlierRule, Strategy};
use quorate_core::id::RequestId;
use quorate_core::policy::OnDispute;
use reqwest::Url;
use rust_decimal::Decimal;

use super::coordinator::{millis, positive, precision};
use super::values::{agreement, duration, fraction, on_disputes, outlier_rule, server_url, strategies, trim_share};
use super::{LogArgs, SeedArgs, ServeArgs, SimulatedArgs};

/// What `quorate` says at the end of its help.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 error, 2 wrong usage, 3 the coordinator answered with an error.\n\n\
    To see it work, run: quorate demo";

/// Ask many workers, get one answer with the evidence behind it
#[derive(Parser, Clone, Debug)]
#[command(name = "quorate", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct QuorateArgs {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Show five questions being answered, by a coordinator and three workers started for it
    Demo(DemoArgs),
    /// Run a coordinator and simulated workers in this process; needs no NATS
    Dev(Box<DevArgs>),
    /// Ask a coordinator one question
    #[command(after_help = EXIT_CODES)]
    Ask(AskArgs),
    /// List the workers a coordinator knows, with their reliability
    #[command(after_help = EXIT_CODES)]
    Workers(WorkersArgs),
    /// Measure a coordinator: connections that ask as fast as they are answered
    #[command(after_help = EXIT_CODES)]
    Load(LoadArgs),
}

/// The flags of `quorate demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Coordinator to ask [default: one started within this process, with three workers]
    #[arg(long, env = "QUORATE_URL", value_name = "URL", value_parser = server_url)]
    pub url: Option<Url>,
}

/// The flags of `quorate dev`.
#[derive(Args, Clone, Debug)]
pub struct DevArgs {
    /// Simulated workers to run
    #[arg(
        long,
        env = "QUORATE_WORKERS",
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(0..=1000)
    )]
    pub workers: u32,

    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub simulated: SimulatedArgs,
    #[command(flatten)]
    pub seed: SeedArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

/// Which coordinator to ask.
#[derive(Args, Clone, Debug)]
pub struct UrlArgs {
    /// Coordinator to ask
    #[arg(
        long,
        env = "QUORATE_URL",
        value_name = "URL",
        default_value = "http://localhost:8080",
        value_parser = server_url
    )]
    pub url: Url,

    /// Print JSON
    #[arg(long, env = "QUORATE_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
}

/// The flags of `quorate ask`.
#[derive(Args, Clone, Debug)]
pub struct AskArgs {
    /// What to ask, such as BTC/USD
    #[arg(env = "QUORATE_QUERY")]
    pub query: String,

    #[command(flatten)]
    pub server: UrlArgs,

    /// Name of the request: asked again under the same name, it has the same answer [default: one is drawn]
    #[arg(long, env = "QUORATE_ASK_ID", value_name = "ID", value_parser = request_id)]
    pub id: Option<RequestId>,

    /// How the values become one [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_STRATEGY", value_name = "NAME", value_parser = strategies())]
    pub strategy: Option<Strategy>,

    /// Usable answers below which the request fails [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_MIN_RESPONSES", value_name = "N", value_parser = positive)]
    pub min_responses: Option<u32>,

    /// Answer as soon as this many workers have succeeded [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_QUORUM", value_name = "N", value_parser = positive)]
    pub quorum: Option<u32>,

    /// Milliseconds until the request is answered with what has come [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_TIMEOUT_MS", value_name = "MS", value_parser = millis())]
    pub timeout_ms: Option<u64>,

    /// Leave out values farther from the median than this fraction of it, such as 0.05, or by mad:K or iqr:K [default:
    /// the coordinator's]
    #[arg(long, env = "QUORATE_ASK_MAX_DEVIATION", value_name = "RULE", value_parser = outlier_rule)]
    pub max_deviation: Option<OutlierRule>,

    /// How far from the answer a value still agrees with it, as a fraction of the answer [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_TOLERANCE", value_name = "FRACTION", value_parser = fraction)]
    pub tolerance: Option<Decimal>,

    /// Share of the used values, 0 to 1, that must agree with the answer, or it is disputed [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_MIN_AGREEMENT", value_name = "SHARE", value_parser = agreement)]
    pub min_agreement: Option<Millionths>,

    /// Whether a disputed answer is given, or refused with 409 [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_ON_DISPUTE", value_name = "WHAT", value_parser = on_disputes())]
    pub on_dispute: Option<OnDispute>,

    /// Leave out values that are known to be older than so many milliseconds [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_MAX_AGE_MS", value_name = "MS")]
    pub max_age_ms: Option<u64>,

    /// Share of the values that `trimmed_mean` leaves out at each end, from 0 to below 0.5 [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_TRIM_SHARE", value_name = "SHARE", value_parser = trim_share)]
    pub trim_share: Option<Millionths>,

    /// Decimals that `majority` keeps when it compares numbers, 0 to 28 [default: the coordinator's]
    #[arg(long, env = "QUORATE_ASK_PRECISION", value_name = "N", value_parser = precision())]
    pub precision: Option<u32>,
}

/// The flags of `quorate workers`.
#[derive(Args, Clone, Debug)]
pub struct WorkersArgs {
    #[command(flatten)]
    pub server: UrlArgs,
}

/// The flags of `quorate load`.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    #[command(flatten)]
    pub server: UrlArgs,

    /// What to ask
    #[arg(long, env = "QUORATE_LOAD_QUERY", value_name = "QUERY", default_value = "BTC/USD")]
    pub query: String,

    /// Connections; each asks again as soon as it is answered
    #[arg(long, env = "QUORATE_LOAD_CONNECTIONS", value_name = "N", default_value_t = 64, value_parser = positive)]
    pub connections: u32,

    /// How long to measure, such as 500ms, 10s or 1.5m
    #[arg(
        long,
        env = "QUORATE_LOAD_DURATION",
        value_name = "TIME",
        default_value = "10s",
        value_parser = duration,
        conflicts_with = "requests"
    )]
    pub duration: Duration,

    /// Measure this many requests instead of a time
    #[arg(long, env = "QUORATE_LOAD_REQUESTS", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,

    /// How long to ask before measuring begins, such as 2s
    #[arg(long, env = "QUORATE_LOAD_WARMUP", value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub warmup: Duration,

    /// Milliseconds to wait for one answer before it counts as a timeout
    #[arg(long, env = "QUORATE_LOAD_TIMEOUT_MS", value_name = "MS", default_value_t = 10_000, value_parser = millis())]
    pub timeout_ms: u64,
}

fn request_id(text: &str) -> Result<RequestId, String> {
    RequestId::new(text).map_err(|error| error.to_string())
}
