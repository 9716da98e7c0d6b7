//! The flags of `quorate context`.

use clap::{Args, Subcommand};
use reqwest::Url;

use super::JsonArgs;
use super::values::server_url;
use crate::config::Output;
use crate::exit;

/// The flags of `quorate context`.
#[derive(Args, Clone, Debug)]
pub struct ContextArgs {
    #[command(subcommand)]
    pub command: ContextCommand,
}

/// What to do with contexts.
#[derive(Subcommand, Clone, Debug)]
pub enum ContextCommand {
    /// Add a context
    #[command(after_help = exit::QUORATE.help())]
    Add(AddContextArgs),
    /// List the contexts
    #[command(after_help = exit::QUORATE.help())]
    Ls(ListContextsArgs),
    /// Select the context that counts if --context names no other
    #[command(after_help = exit::QUORATE.help())]
    Select(SelectContextArgs),
    /// Remove a context
    #[command(after_help = exit::QUORATE.help())]
    Rm(RemoveContextArgs),
    /// Show what is in force: the settings of a context, and the configuration file
    #[command(after_help = exit::QUORATE.help())]
    Show(ShowContextArgs),
}

impl ContextCommand {
    /// Whether lists and errors are printed as JSON.
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Ls(args) => args.output.json,
            Self::Show(args) => args.output.json,
            Self::Add(_) | Self::Select(_) | Self::Rm(_) => false,
        }
    }
}

/// The flags of `quorate context add`.
#[derive(Args, Clone, Debug)]
pub struct AddContextArgs {
    /// Name of the context, such as staging
    pub name: String,

    /// Coordinator that the context names
    #[arg(long, env = "QUORATE_CONTEXT_URL", value_name = "URL", value_parser = server_url)]
    pub url: Url,

    /// How its answers and errors are printed [default: that of the configuration file, or text]
    #[arg(long, env = "QUORATE_CONTEXT_OUTPUT", value_name = "FORMAT")]
    pub output: Option<Output>,

    /// What the context is for
    #[arg(long, env = "QUORATE_CONTEXT_DESCRIPTION", value_name = "TEXT")]
    pub description: Option<String>,

    /// Replace the context of this name, if there is one
    #[arg(long, env = "QUORATE_CONTEXT_REPLACE", value_parser = clap::builder::FalseyValueParser::new())]
    pub replace: bool,
}

/// The flags of `quorate context ls`.
#[derive(Args, Clone, Debug)]
pub struct ListContextsArgs {
    #[command(flatten)]
    pub output: JsonArgs,
}

/// The flags of `quorate context select`.
#[derive(Args, Clone, Debug)]
pub struct SelectContextArgs {
    /// Name of the context [default: none is selected any more]
    pub name: Option<String>,
}

/// The flags of `quorate context rm`.
#[derive(Args, Clone, Debug)]
pub struct RemoveContextArgs {
    /// Name of the context
    pub name: String,
}

/// The flags of `quorate context show`.
#[derive(Args, Clone, Debug)]
pub struct ShowContextArgs {
    /// Name of the context [default: the selected one]
    #[arg(env = "QUORATE_CONTEXT")]
    pub name: Option<String>,

    #[command(flatten)]
    pub output: JsonArgs,
}
