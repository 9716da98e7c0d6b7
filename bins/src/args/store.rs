//! The flags of what outlives a coordinator.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgMatches, Args, ValueEnum};

use super::effects::{Idle, is_given};
use super::time::kept;

/// What a coordinator keeps, and where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Feeds and the store")]
pub struct StoreArgs {
    /// TOML file with the feeds to keep fresh, read again at SIGHUP [default: none]
    #[arg(long, env = "QUORATE_FEEDS", value_name = "FILE")]
    pub feeds: Option<PathBuf>,

    /// Where feeds, durable requests and outcomes are kept [default: nowhere, or auto with --feeds]
    #[arg(long, env = "QUORATE_STORE", value_name = "STORE")]
    pub store: Option<StoreName>,

    /// NATS servers that keep each stream: 1, 3 or 5; counts when the streams are made
    #[arg(
        long,
        env = "QUORATE_STORE_REPLICAS",
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(1..=5)
    )]
    pub store_replicas: u8,

    /// Where NATS servers keep the streams; counts when they are made
    #[arg(long, env = "QUORATE_STORE_STORAGE", value_name = "STORAGE", default_value = "file")]
    pub store_storage: StorageName,

    /// How long the history of feeds is kept, 100ms to 30d; counts when the streams are made
    #[arg(long, env = "QUORATE_KEEP_REPORTS", value_name = "TIME", default_value = "30d", value_parser = kept)]
    pub keep_reports: Duration,

    /// How long durable requests and outcomes are kept, 100ms to 30d; counts when the streams are made
    #[arg(long, env = "QUORATE_KEEP_REQUESTS", value_name = "TIME", default_value = "7d", value_parser = kept)]
    pub keep_requests: Duration,

    /// Keep the outcomes of all requests, not only of durable ones and of those with an id: GET /outcomes shows them
    #[arg(long, env = "QUORATE_KEEP_OUTCOMES", value_parser = FalseyValueParser::new())]
    pub keep_outcomes: bool,
}

/// A store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StoreName {
    /// In JetStream if the NATS server has it, or else in memory
    Auto,
    /// In this process, and gone with it
    Memory,
    /// In JetStream, the persistence of NATS 2.11 or later
    Jetstream,
}

/// Where a NATS server keeps a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StorageName {
    /// On disk
    File,
    /// In memory
    Memory,
}

impl StoreArgs {
    /// The store to use, if any.
    pub fn store(&self) -> Option<StoreName> {
        self.store.or_else(|| self.feeds.as_ref().map(|_| StoreName::Auto))
    }
}

/// The flags that have no effect without a store.
pub(super) const STORE_IDLE: Idle = Idle {
    flags: &["store_replicas", "store_storage", "keep_reports", "keep_requests", "keep_outcomes"],
    when: is_without_store,
    because: "without --store or --feeds",
};

fn is_without_store(matches: &ArgMatches) -> bool {
    !is_given(matches, "store") && !is_given(matches, "feeds")
}
