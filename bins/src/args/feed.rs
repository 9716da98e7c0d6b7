//! The flags of `quorate feed`.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use quorate_client::Bound;
use quorate_core::feed::FeedName;

use super::effects::{Effective, Effects, Idle};
use super::quorate::EXACT;
use super::values::{bound, feed_name};
use super::{NumberArgs, UrlArgs};
use crate::exit;

/// How many rounds are shown if nothing says which.
const ROUNDS: u64 = 20;

/// The flags of `quorate feed`.
#[derive(Args, Clone, Debug)]
pub struct FeedArgs {
    #[command(subcommand)]
    pub command: FeedCommand,
}

/// What to do with feeds.
#[derive(Subcommand, Clone, Debug)]
pub enum FeedCommand {
    /// List the feeds, with their last reports
    #[command(after_help = exit::QUORATE.help())]
    Ls(ListFeedsArgs),
    /// Show the last report of a feed, with its age and its evidence
    #[command(after_help = exit::QUORATE.help())]
    Get(GetFeedArgs),
    /// List the recorded rounds of a feed, the oldest first
    #[command(after_help = exit::QUORATE.help())]
    History(FeedHistoryArgs),
    /// Show the rounds of feeds as they are recorded
    #[command(after_help = exit::QUORATE.help())]
    Watch(WatchFeedArgs),
}

impl FeedCommand {
    /// Whether reports and errors are printed as JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Ls(args) => args.server.output.json,
            Self::Get(args) => args.server.output.json,
            Self::History(args) => args.server.output.json,
            Self::Watch(args) => args.server.output.json,
        }
    }
}

/// The flags of `quorate feed ls`.
#[derive(Args, Clone, Debug)]
pub struct ListFeedsArgs {
    #[command(flatten)]
    pub server: UrlArgs,
}

/// The flags of `quorate feed get`.
#[derive(Args, Clone, Debug)]
pub struct GetFeedArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// Name of the feed, such as BTC-USD
    #[arg(value_parser = feed_name)]
    pub name: FeedName,

    #[command(flatten)]
    pub server: UrlArgs,
    #[command(flatten)]
    pub numbers: NumberArgs,

    /// Exit with code 6 if the report is older than the feed allows
    #[arg(long, env = "QUORATE_FEED_FAIL_ON_STALE", value_parser = FalseyValueParser::new())]
    pub fail_on_stale: bool,
}

/// The flags of `quorate feed history`.
#[derive(Args, Clone, Debug)]
pub struct FeedHistoryArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// Name of the feed, such as BTC-USD
    #[arg(value_parser = feed_name)]
    pub name: FeedName,

    #[command(flatten)]
    pub server: UrlArgs,
    #[command(flatten)]
    pub numbers: NumberArgs,

    /// First round, or the time from which rounds are listed, such as 4711 or 2026-11-30T08:00:00Z [default: the oldest that
    /// is kept with --to, or else the newest --limit rounds]
    #[arg(long, env = "QUORATE_FEED_FROM", value_name = "PLACE", value_parser = bound)]
    pub from: Option<Bound>,

    /// Last round, or the time until which rounds are listed [default: the newest]
    #[arg(long, env = "QUORATE_FEED_TO", value_name = "PLACE", value_parser = bound)]
    pub to: Option<Bound>,

    /// List this number of rounds at most [default: 20, or all with --from or --to]
    #[arg(long, env = "QUORATE_FEED_LIMIT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// The flags of `quorate feed watch`.
#[derive(Args, Clone, Debug)]
pub struct WatchFeedArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// Name of the feed to watch [default: all feeds]
    #[arg(value_parser = feed_name)]
    pub name: Option<FeedName>,

    #[command(flatten)]
    pub server: UrlArgs,
    #[command(flatten)]
    pub numbers: NumberArgs,

    /// End after this number of rounds
    #[arg(long, env = "QUORATE_FEED_COUNT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

impl FeedHistoryArgs {
    /// How many rounds to list; `None` for all.
    pub fn rounds(&self) -> Option<u64> {
        self.limit.or_else(|| self.is_newest().then_some(ROUNDS))
    }

    /// Whether the newest rounds are wanted, wherever they begin.
    pub fn is_newest(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }
}

impl Effects for GetFeedArgs {
    const IDLE: &'static [Idle] = &[EXACT];
}

impl Effects for FeedHistoryArgs {
    const IDLE: &'static [Idle] = &[EXACT];
}

impl Effects for WatchFeedArgs {
    const IDLE: &'static [Idle] = &[EXACT];
}
