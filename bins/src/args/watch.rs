//! The flags that repeat a question.

use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::effects::Idle;
use super::time::interval;

/// Whether and how to repeat a question.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Watching")]
pub struct WatchArgs {
    /// Ask repeatedly, until Ctrl-C
    #[arg(long, env = "QUORATE_WATCH", value_parser = FalseyValueParser::new())]
    pub watch: bool,

    /// Time from one question to the next, such as 500ms or 5s; at least 10ms
    #[arg(
        long,
        env = "QUORATE_INTERVAL",
        value_name = "TIME",
        default_value = "1s",
        value_parser = interval
    )]
    pub interval: Duration,

    /// End after this number of questions
    #[arg(
        long,
        env = "QUORATE_COUNT",
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub count: Option<u64>,
}

/// What has no effect on one question.
pub(super) const WATCHING: Idle =
    Idle { flags: &["interval", "count"], when: |matches| !matches.get_flag("watch"), because: "without --watch" };
