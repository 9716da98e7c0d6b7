//! `shrink`: shrinks a failing scenario.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use quorate_sim::explain::words;
use quorate_sim::shrink::{self, Budget, Shrunk, Size};
use quorate_sim::{Depth, Scenario};

use super::play::{is_same, play};
use super::{DepthArgs, Source, Verdict, command, depth_name};

/// The flags of `shrink`.
#[derive(Args, Clone, Debug)]
pub(super) struct ShrinkArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    depth: DepthArgs,

    /// Where to write the scenario [default: seed-N.DEPTH.json, or FILE.DEPTH.json]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Seconds to spend [default: as many as it takes]
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,

    /// Scenarios to try [default: as many as it takes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
}

pub(super) fn shrink(args: &ShrinkArgs) -> anyhow::Result<Verdict> {
    let depth = args.depth.depth;
    let scenario = args.source.load()?;
    let budget =
        Budget { runs: args.runs.unwrap_or(u32::MAX), time: args.seconds.map_or(Duration::MAX, Duration::from_secs) };
    let Some(shrunk) = shrunk(&scenario, depth, budget) else {
        bail!("there is nothing to shrink: every invariant holds at this depth");
    };
    let path = args.output.clone();
    let path = path.unwrap_or_else(|| format!("{}.{}.json", args.source.stem(), depth_name(depth)).into());
    shrunk.scenario.write(&path)?;
    print(&mut io::stdout().lock(), &scenario, &shrunk, &path, depth)?;
    Ok(Verdict::Broken)
}

/// Shrinks a scenario; `None` if it does not fail.
pub(super) fn shrunk(scenario: &Scenario, depth: Depth, budget: Budget) -> Option<Shrunk> {
    let mut first = None;
    shrink::shrink(scenario, budget, |scenario| {
        let violation = play(scenario, depth, None).violation?;
        is_same(first.get_or_insert_with(|| violation.clone()), &violation).then_some(violation)
    })
}

/// Prints how a scenario was shrunk.
pub(super) fn print(
    to: &mut impl Write,
    before: &Scenario,
    shrunk: &Shrunk,
    path: &Path,
    depth: Depth,
) -> io::Result<()> {
    let Shrunk { scenario, violation, runs, minimal } = shrunk;
    let why = if *minimal { "nothing more can be removed" } else { "the budget is used up" };
    writeln!(to, "shrunk in {runs} runs; {why}")?;
    let (old, new) = (Size::of(before), Size::of(scenario));
    for (name, old, new) in [
        ("faults", old.faults as u64, new.faults as u64),
        ("requests", old.requests as u64, new.requests as u64),
        ("hosts", old.hosts as u64, new.hosts as u64),
        ("healed after ms", old.heal_ms, new.heal_ms),
    ] {
        writeln!(to, "  {name:<16} {old:>6} → {new}")?;
    }
    writeln!(to, "  {} at {}: {}", violation.checker, words::time(violation.at), words::clean(&violation.text))?;
    let schedule = words::schedule(scenario);
    writeln!(to, "{}", if schedule.is_empty() { "no faults are left" } else { "faults that are left" })?;
    for line in schedule {
        writeln!(to, "  {line}")?;
    }
    writeln!(to, "the scenario is in {}", path.display())?;
    let arguments = ["--scenario".to_owned(), path.display().to_string()];
    writeln!(to, "  {}", command(&arguments, depth))
}
