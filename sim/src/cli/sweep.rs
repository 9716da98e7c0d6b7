//! `sweep`: plays many seeds in parallel.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quorate_sim::shrink::Budget;
use quorate_sim::{Report, Scenario};

use super::play::play;
use super::range::Seeds;
use super::tally::Tally;
use super::{DepthArgs, Verdict, depth_name, shrink};

/// The longest time between two updates of the progress bar.
const TICK: Duration = Duration::from_millis(200);
/// The stack of a thread that plays seeds on the machines stage.
const STACK_BYTES: usize = 16 << 20;

/// The flags of `sweep`.
#[derive(Args, Clone, Debug)]
pub(super) struct SweepArgs {
    /// Seeds to play, from A up to but excluding B
    #[arg(long, value_name = "A..B")]
    seeds: Seeds,

    #[command(flatten)]
    depth: DepthArgs,

    /// Runs at once [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// End after this many failures
    #[arg(long, value_name = "N")]
    max_failures: Option<NonZeroUsize>,

    /// Fail if no run reached something that some run should reach
    #[arg(long)]
    require_coverage: bool,

    /// Seconds to spend on shrinking the first failing scenario; 0 leaves it as it is
    #[arg(long, value_name = "S", default_value_t = 30)]
    shrink_seconds: u64,

    /// Directory for the shrunk scenario
    #[arg(long, value_name = "DIR", default_value = "target/sim")]
    shrink_into: PathBuf,
}

pub(super) fn sweep(args: &SweepArgs) -> anyhow::Result<Verdict> {
    let depth = args.depth.depth;
    let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let plan = Plan {
        seeds: args.seeds.0.clone(),
        jobs: args.jobs.unwrap_or_else(cores),
        max_failures: args.max_failures.map_or(usize::MAX, NonZeroUsize::get),
    };
    let progress = progress(args.seeds.0.end - args.seeds.0.start);
    let began = Instant::now();
    let tally = play_all(&plan, &progress, |seed| play(&Scenario::generate(seed), depth, None));
    progress.finish_and_clear();

    let mut out = io::stdout().lock();
    writeln!(out, "depth          {}", depth_name(depth))?;
    write!(out, "{}{}", tally.summary(depth, began.elapsed()), tally.failures(depth))?;
    out.flush()?;
    if let Some(seed) = tally.failures.keys().next().filter(|_| args.shrink_seconds > 0) {
        shrink_first(*seed, args)?;
    }
    let never = tally.never(depth);
    let uncovered = args.require_coverage && !never.is_empty();
    if uncovered {
        writeln!(out, "\nFAILED: no run reached {} of the things that some run should reach", never.len())?;
    }
    Ok(if uncovered || !tally.failures.is_empty() { Verdict::Broken } else { Verdict::Well })
}

fn shrink_first(seed: u64, args: &SweepArgs) -> anyhow::Result<()> {
    let depth = args.depth.depth;
    eprintln!("\nshrinking seed {seed} for up to {} s", args.shrink_seconds);
    let scenario = Scenario::generate(seed);
    let budget = Budget::time(Duration::from_secs(args.shrink_seconds));
    let mut out = io::stdout().lock();
    writeln!(out)?;
    let Some(shrunk) = shrink::shrunk(&scenario, depth, budget) else {
        // Worse than any failure: a run that cannot be repeated proves nothing.
        writeln!(out, "seed {seed} did not fail when it was played again: it is not deterministic; see verify")?;
        return Ok(());
    };
    let directory = &args.shrink_into;
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let path = directory.join(format!("seed-{seed}.{}.json", depth_name(depth)));
    shrunk.scenario.write(&path)?;
    write!(out, "seed {seed} ")?;
    shrink::print(&mut out, &scenario, &shrunk, &path, depth)?;
    Ok(())
}

/// Which seeds to play, and how.
#[derive(Clone, Debug)]
struct Plan {
    seeds: Range<u64>,
    jobs: NonZeroUsize,
    max_failures: usize,
}

/// Plays all seeds on `plan.jobs` threads. Each thread takes the next seed when it has finished one.
fn play_all(plan: &Plan, progress: &ProgressBar, run: impl Fn(u64) -> Report + Sync) -> Tally {
    let next = AtomicU64::new(plan.seeds.start);
    let enough = AtomicBool::new(false);
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let (results, received) = mpsc::channel();
        let (next, enough, run) = (&next, &enough, &run);
        for _ in 0..plan.jobs.get() {
            let results = results.clone();
            let work = move || {
                while !enough.load(Ordering::Relaxed) {
                    // Never increments past the end, which may be the largest number.
                    let seed = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seed| {
                        (seed < plan.seeds.end).then(|| seed + 1)
                    });
                    let Ok(seed) = seed else { return };
                    let began = Instant::now();
                    let report = run(seed);
                    if results.send((seed, report, began.elapsed())).is_err() {
                        return;
                    }
                }
            };
            thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, work)
                .expect("the system can start a thread");
        }
        drop(results);
        progress.enable_steady_tick(TICK);
        for (seed, report, time) in received {
            tally.add(seed, report, time);
            progress.set_message(format!("{} failures", tally.failures.len()));
            progress.inc(1);
            if tally.failures.len() >= plan.max_failures {
                enough.store(true, Ordering::Relaxed);
            }
        }
    });
    tally
}

/// A progress bar on standard error, if that is a terminal.
fn progress(seeds: u64) -> ProgressBar {
    let template = "{bar:30} {pos}/{len} seeds, {per_sec}, {msg}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    ProgressBar::with_draw_target(Some(seeds), ProgressDrawTarget::stderr()).with_style(style)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use quorate_sim::checkers::Violation;
    use quorate_sim::coverage::Reached;

    use super::*;

    fn report(violation: Option<Violation>) -> Report {
        Report { hash: 0, events: 1, steps: 1, messages: 0, bytes: 0, reached: Reached::default(), violation }
    }

    fn plan(seeds: Range<u64>, jobs: usize, max_failures: usize) -> Plan {
        Plan { seeds, jobs: NonZeroUsize::new(jobs).expect("not zero"), max_failures }
    }

    #[test]
    fn every_seed_is_played_once_whatever_the_number_of_threads() {
        for (seeds, jobs) in [(0..100, 1), (0..100, 7), (3..5, 16), (u64::MAX - 2..u64::MAX, 4)] {
            let played = Mutex::new(Vec::new());
            let tally = play_all(&plan(seeds.clone(), jobs, usize::MAX), &ProgressBar::hidden(), |seed| {
                played.lock().expect("no panic").push(seed);
                report(None)
            });
            let mut played = played.into_inner().expect("no panic");
            played.sort_unstable();
            assert!(played.iter().copied().eq(seeds.clone()), "{seeds:?} on {jobs}");
            assert_eq!(tally.seeds, seeds.end - seeds.start);
        }
    }

    #[test]
    fn failures_are_kept_by_seed_and_the_batch_ends_at_the_maximum() {
        let fails =
            |seed: u64| report((seed % 10 == 3).then(|| Violation { checker: "x", at: seed, text: String::new() }));
        let tally = play_all(&plan(0..100, 3, usize::MAX), &ProgressBar::hidden(), fails);
        let failed: BTreeSet<_> = tally.failures.keys().copied().collect();
        assert_eq!(failed, (0..10).map(|ten| 10 * ten + 3).collect());
        let tally = play_all(&plan(0..u64::MAX, 2, 2), &ProgressBar::hidden(), fails);
        assert!(tally.failures.len() >= 2 && tally.seeds < u64::MAX);
    }
}
