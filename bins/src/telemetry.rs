//! Logs to standard error: lines for people, or JSON.

use std::io;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::args::{LogArgs, LogFormat};
use crate::exit::Unusable;
use crate::render::Paint;

/// Installs the logger of the process; once per process.
///
/// # Errors
/// An invalid filter, or a logger that is already installed.
pub fn init(args: &LogArgs) -> anyhow::Result<()> {
    let filter = filter(args)?;
    // A line that cannot be written is lost. Reporting that on the same stream would fail, too, and end the task that
    // logs.
    let builder = tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter).with_writer(io::stderr);
    let installed = match args.format {
        LogFormat::Text => builder.with_ansi(Paint::for_stderr().is_on()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}

/// What is logged.
///
/// # Errors
/// An invalid filter.
pub(crate) fn filter(args: &LogArgs) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(&args.filter)
        .with_context(|| format!("cannot understand the log filter {:?}; give a level such as info", args.filter))
        .map_err(Unusable::mark)
}
