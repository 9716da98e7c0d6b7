//! The flags of `quorate`, the operator's tool.

use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches as _, Parser, Subcommand};
use reqwest::Url;

use super::coordinator::{TRACING, positive};
use super::effects::{Contradiction, Effective, Effects, Idle, is_given};
use super::time::{duration, millis};
use super::values::{listen_address, server_url};
use super::watch::WATCHING;
use super::{
    AskArgs, CompletionsArgs, ContextArgs, CoordinatorArgs, ExchangeArgs, FollowArgs, LogArgs, ManArgs, OtlpArgs,
    SeedArgs, ServeArgs, SimulatedArgs, WatchArgs, WorkerArgs,
};
use crate::{config, exit};

/// Ask many workers and get one answer, with its evidence
#[derive(Parser, Clone, Debug)]
#[command(name = "quorate", version, arg_required_else_help = true, after_help = exit::QUORATE.help() + "\n\nTo see it work, run: quorate demo")]
pub struct QuorateArgs {
    #[command(subcommand)]
    pub command: Command,
}

impl QuorateArgs {
    /// Reads the command line, with the values of the configuration file as defaults of what it and the variables leave
    /// out.
    ///
    /// # Errors
    /// An invalid command line, or a configuration that cannot be used.
    pub fn read() -> Result<Self, clap::Error> {
        let command = Self::command();
        let matches = command.clone().try_get_matches()?;
        // It depends on the command line which part of the configuration counts. So the line is read twice.
        let mut command = config::apply(command.clone(), &matches).map_err(|error| {
            let said = format!("{error}\n");
            command.clone().error(ErrorKind::ValueValidation, said)
        })?;
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// Whether the error of an invalid command line is printed as JSON.
    pub fn wants_json() -> bool {
        let flag = std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
        let variable = std::env::var("QUORATE_JSON").ok();
        let parser = FalseyValueParser::new();
        let set = |value: &String| {
            let value = clap::builder::TypedValueParser::parse_ref(&parser, &Self::command(), None, value.as_ref());
            value.is_ok_and(|set| set)
        };
        flag || variable.as_ref().is_some_and(set)
    }
}

/// The subcommands.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Show how a coordinator and three workers, started for it, answer five questions
    #[command(after_help = exit::QUORATE.help())]
    Demo(DemoArgs),
    /// Run a coordinator and simulated workers in this process, without NATS
    #[command(after_help = exit::QUORATE.help())]
    Dev(Box<DevArgs>),
    /// Ask a coordinator one question
    #[command(after_help = exit::QUORATE.help())]
    Ask(AskArgs),
    /// Show the outcomes of requests as they come, over HTTP or NATS
    #[command(after_help = exit::QUORATE.help())]
    Follow(FollowArgs),
    /// List the workers that a coordinator knows, with their scores
    #[command(after_help = exit::QUORATE.help())]
    Workers(WorkersArgs),
    /// List the queries that the workers offer
    #[command(after_help = exit::QUORATE.help())]
    Queries(QueriesArgs),
    /// Show how requests that set no policy of their own are answered, as a policy file
    #[command(after_help = exit::QUORATE.help())]
    Policies(PoliciesArgs),
    /// Check whether a coordinator is alive, or ready; for health checks
    #[command(after_help = exit::QUORATE.help())]
    Health(HealthArgs),
    /// Measure a coordinator with connections that ask as fast as they are answered
    #[command(after_help = exit::QUORATE.help())]
    Load(LoadArgs),
    /// Run a coordinator over NATS
    #[command(after_help = exit::SERVER.help())]
    Coordinator(Box<CoordinatorArgs>),
    /// Run a worker over NATS
    #[command(after_help = exit::SERVER.help())]
    Worker(Box<WorkerArgs>),
    /// Run three simulated exchanges over HTTP, for trials and tests without the internet
    #[command(after_help = exit::QUORATE.help())]
    Exchange(ExchangeArgs),
    /// Name coordinators, and select the one to ask
    Context(ContextArgs),
    /// Write a completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages of all programs
    Man(ManArgs),
}

impl Command {
    /// Whether answers and errors are printed as JSON.
    pub fn json(&self) -> bool {
        match self {
            Self::Demo(args) => args.output.json,
            Self::Dev(args) => args.output.json,
            Self::Ask(args) => args.server.output.json,
            Self::Follow(args) => args.server.output.json,
            Self::Workers(args) => args.server.output.json,
            Self::Queries(args) => args.server.output.json,
            Self::Policies(args) => args.server.output.json,
            Self::Health(args) => args.server.output.json,
            Self::Load(args) => args.server.output.json,
            Self::Context(args) => args.command.json(),
            Self::Coordinator(_) | Self::Worker(_) | Self::Exchange(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }
}

/// How answers and errors are printed.
#[derive(Args, Clone, Copy, Debug)]
pub struct JsonArgs {
    /// Print JSON, one object per line, including errors
    #[arg(long, env = "QUORATE_JSON", value_parser = FalseyValueParser::new())]
    pub json: bool,
}

/// What has no effect on JSON, which has all digits. If JSON is only a default, of a variable or the configuration, the
/// flag is not refused: the user gets what it asks for.
pub(super) const EXACT: Idle = Idle {
    flags: &["exact"],
    when: |matches| matches.value_source("json") == Some(ValueSource::CommandLine),
    because: "with --json",
};

/// How numbers are shown to people.
#[derive(Args, Clone, Copy, Debug)]
pub struct NumberArgs {
    /// Show answers with all their digits [default: the decimals of the values, and up to two more]
    #[arg(long, env = "QUORATE_EXACT", value_parser = FalseyValueParser::new())]
    pub exact: bool,
}

/// The flags of `quorate demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// Coordinator to ask [default: one in this process, with three workers]
    #[arg(long, env = "QUORATE_URL", value_name = "URL", value_parser = server_url)]
    pub url: Option<Url>,

    #[command(flatten)]
    pub output: JsonArgs,
    #[command(flatten)]
    pub numbers: NumberArgs,
}

/// The flags of `quorate dev`.
#[derive(Args, Clone, Debug)]
pub struct DevArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

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
    pub output: JsonArgs,

    /// Address and port of the HTTP API; 0.0.0.0:8080 lets other hosts reach it
    #[arg(
        long,
        env = "QUORATE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        value_parser = listen_address
    )]
    pub listen: SocketAddr,

    /// NATS server in whose JetStream the store is; several are separated by commas or repeated [default: none, a store in
    /// memory]
    #[arg(
        long = "nats",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ',',
        help_heading = "Feeds and the store"
    )]
    pub nats: Vec<String>,

    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub simulated: SimulatedArgs,
    #[command(flatten)]
    pub otlp: OtlpArgs,
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

    /// Context that names the coordinator and the output [default: the selected one]
    #[arg(long, env = "QUORATE_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,

    #[command(flatten)]
    pub output: JsonArgs,
}

/// The flags of `quorate workers`.
#[derive(Args, Clone, Debug)]
pub struct WorkersArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,
    #[command(flatten)]
    pub server: UrlArgs,
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// The flags of `quorate queries`.
#[derive(Args, Clone, Debug)]
pub struct QueriesArgs {
    #[command(flatten)]
    pub server: UrlArgs,
}

/// The flags of `quorate policies`.
#[derive(Args, Clone, Debug)]
pub struct PoliciesArgs {
    /// Show only the policy that applies to this query [default: all policies]
    #[arg(env = "QUORATE_POLICIES_QUERY")]
    pub query: Option<String>,

    #[command(flatten)]
    pub server: UrlArgs,
}

/// The flags of `quorate health`.
#[derive(Args, Clone, Debug)]
pub struct HealthArgs {
    #[command(flatten)]
    pub server: UrlArgs,

    /// Check whether it can answer a question now, not only whether it is alive, and list the policies that lack workers
    #[arg(long, env = "QUORATE_READY", value_parser = FalseyValueParser::new())]
    pub ready: bool,
}

/// The flags of `quorate load`.
#[derive(Args, Clone, Debug)]
pub struct LoadArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    #[command(flatten)]
    pub server: UrlArgs,

    /// The question
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
        value_parser = duration
    )]
    pub duration: Duration,

    /// Measure this number of requests instead of a time
    #[arg(long, env = "QUORATE_LOAD_REQUESTS", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,

    /// How long to ask before measuring, such as 2s
    #[arg(long, env = "QUORATE_LOAD_WARMUP", value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub warmup: Duration,

    /// Milliseconds to wait for one answer before it counts as a timeout
    #[arg(long, env = "QUORATE_LOAD_TIMEOUT_MS", value_name = "MS", default_value_t = 10_000, value_parser = millis)]
    pub timeout_ms: u64,
}

impl Effects for DevArgs {
    const IDLE: &'static [Idle] = &[
        TRACING,
        Idle {
            flags: &["store_replicas", "store_storage"],
            when: |matches| !is_given(matches, "nats"),
            because: "without --nats",
        },
        Idle {
            flags: &["delay_min_ms", "delay_max_ms", "failure_rate", "variance"],
            when: |matches| matches.get_one::<u32>("workers") == Some(&0),
            because: "with --workers 0",
        },
    ];
}

impl Effects for DemoArgs {
    const IDLE: &'static [Idle] = &[EXACT];
}

impl Effects for WorkersArgs {
    const IDLE: &'static [Idle] = &[WATCHING];
}

impl Effects for LoadArgs {
    const CONTRADICTIONS: &'static [Contradiction] = &[Contradiction { flags: ["requests", "duration"] }];
}
