//! The flags of the subcommands that write completions and manual pages.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::effects::{Contradiction, Effective, Effects};

/// The flags of `quorate completions`.
#[derive(Args, Clone, Copy, Debug)]
pub struct CompletionsArgs {
    /// Shell to write the script for
    pub shell: Shell,

    /// Program to complete
    #[arg(long, env = "QUORATE_COMPLETIONS_PROGRAM", value_name = "NAME", default_value = "quorate")]
    pub program: Program,
}

/// The flags of `quorate man`.
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    #[command(flatten)]
    pub effective: Effective<Self>,

    /// Page to print, such as quorate-ask or worker
    #[arg(value_name = "PAGE", default_value = "quorate")]
    pub page: String,

    /// Write all pages into this directory, and create it if necessary
    #[arg(long, env = "QUORATE_MAN_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

impl Effects for ManArgs {
    const CONTRADICTIONS: &'static [Contradiction] = &[Contradiction { flags: ["dir", "page"] }];
}

/// The programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Program {
    /// The operator's tool
    Quorate,
    /// The coordinator
    Coordinator,
    /// A worker
    Worker,
}
