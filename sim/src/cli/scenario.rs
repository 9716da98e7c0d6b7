//! `scenario`: prints the scenario of a seed.

use std::io::{self, Write as _};

use clap::Args;
use quorate_sim::Scenario;

use super::Verdict;

/// The flags of `scenario`.
#[derive(Args, Clone, Debug)]
pub(super) struct ScenarioArgs {
    /// Seed to make the scenario from
    #[arg(long, value_name = "N")]
    seed: u64,
}

pub(super) fn scenario(args: &ScenarioArgs) -> anyhow::Result<Verdict> {
    let text = serde_json::to_string_pretty(&Scenario::generate(args.seed))?;
    writeln!(io::stdout(), "{text}")?;
    Ok(Verdict::Well)
}
