//! `speed`: measures how fast each depth plays, compared with a bare simulation of the same size.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use quorate_sim::baseline::{TurmoilLoad, heap_baseline, turmoil_baseline};
use quorate_sim::host::Host;
use quorate_sim::{Depth, Report, Scenario};

use super::play::play;
use super::range::Seeds;
use super::{Verdict, command};

/// How many seeds are played on the machines stage for each on the network stage, so that both take about as long.
const MACHINES_PER_NETWORK: u64 = 50;

/// The end of the command's help.
const EXPLANATION: &str = "\
All work is done in this process and on one core, one part after the other. In each round both sides of a comparison \
do the same work. Their order alternates between rounds, so that other load on the machine affects both. The first \
pass over the seeds is not timed.

  machines  compared with a heap of timed events that do nothing: as many events as the stage makes steps
  network   compared with hosts that send messages through a hub on turmoil and ignore them: for each seed, as many \
hosts, messages and simulated milliseconds, messages of the mean size, and the same latency";

/// The flags of `speed`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXPLANATION)]
pub(super) struct SpeedArgs {
    /// Seeds to play on the network, from A up to but excluding B; with machines, fifty times as many from A on
    #[arg(long, value_name = "A..B", default_value = "0..10")]
    seeds: Seeds,

    /// Rounds to measure; the table shows medians
    #[arg(long, value_name = "N", default_value = "5")]
    rounds: NonZeroUsize,
}

pub(super) fn speed(args: &SpeedArgs) -> anyhow::Result<Verdict> {
    let network = args.seeds.0.clone();
    let count = network.end - network.start;
    let end = network.start.saturating_add(count.saturating_mul(MACHINES_PER_NETWORK));
    let rounds = args.rounds.get();
    let mut out = io::stdout().lock();
    writeln!(out, "one process, one core; medians of {rounds} rounds, with the lowest and the highest\n")?;
    write!(out, "{}", machines(network.start..end, rounds)?)?;
    writeln!(out)?;
    out.flush()?;
    write!(out, "{}", on_network(network, rounds)?)?;
    Ok(Verdict::Well)
}

/// The report of a complete run: a run that breaks an invariant ends early and is not worth timing.
fn whole(seed: u64, depth: Depth) -> anyhow::Result<Report> {
    let report = play(&Scenario::generate(seed), depth, None);
    ensure!(
        report.violation.is_none(),
        "seed {seed} breaks an invariant, so its run ends early; see {}",
        command(&["--seed".to_owned(), seed.to_string()], depth)
    );
    Ok(report)
}

fn machines(seeds: Range<u64>, rounds: usize) -> anyhow::Result<String> {
    let (mut events, mut steps) = (0, Vec::new());
    for seed in seeds.clone() {
        let report = whole(seed, Depth::Machines)?;
        events += report.events;
        steps.push((seed, report.steps));
    }
    let all: u64 = steps.iter().map(|(_, steps)| steps).sum();
    let stage = || {
        for seed in seeds.clone() {
            black_box(play(&Scenario::generate(seed), Depth::Machines, None));
        }
    };
    let baseline = || {
        for (seed, steps) in &steps {
            black_box(heap_baseline(*seed, *steps));
        }
    };
    let times = alternately(rounds, stage, baseline);
    let mut text = format!("machines: {} seeds, {events} events in {all} steps\n", steps.len());
    table(
        &mut text,
        "heap",
        &times,
        &[("events/s", Some(events as f64), None), ("steps/s", Some(all as f64), Some(all as f64))],
    );
    Ok(text)
}

fn on_network(seeds: Range<u64>, rounds: usize) -> anyhow::Result<String> {
    let mut loads = Vec::new();
    let (mut messages, mut bytes, mut steps) = (0, 0, 0);
    for seed in seeds.clone() {
        let report = whole(seed, Depth::Network)?;
        let scenario = Scenario::generate(seed);
        loads.push((seed, load(&scenario, &report)));
        messages += report.messages;
        bytes += report.bytes;
        steps += report.steps;
    }
    // The baseline's load is rounded to whole messages per host, so its rates need its own counts.
    let done: Vec<_> = loads.iter().map(|(seed, load)| apart(*seed, *load)).collect();
    let baseline_messages: u64 = done.iter().map(|done| done.messages).sum();
    let baseline_steps: u64 = done.iter().map(|done| done.steps).sum();
    let stage = || {
        for seed in seeds.clone() {
            black_box(play(&Scenario::generate(seed), Depth::Network, None));
        }
    };
    let baseline = || {
        for (seed, load) in &loads {
            black_box(apart(*seed, *load));
        }
    };
    let times = alternately(rounds, stage, baseline);
    let mut text = format!(
        "network: {} seeds, {messages} messages of {} bytes on average, {} simulated seconds; the baseline carries \
         {baseline_messages} messages in {}\n",
        loads.len(),
        bytes / messages.max(1),
        steps / 1000,
        baseline_steps / 1000,
    );
    table(
        &mut text,
        "turmoil",
        &times,
        &[
            ("messages/s", Some(messages as f64), Some(baseline_messages as f64)),
            ("simulated s/s", Some(steps as f64 / 1000.0), Some(baseline_steps as f64 / 1000.0)),
        ],
    );
    Ok(text)
}

/// The load on turmoil of a run, without the work of its hosts.
fn load(scenario: &Scenario, report: &Report) -> TurmoilLoad {
    TurmoilLoad {
        hosts: scenario.hosts().filter(|host| *host != Host::Broker).count() as u64,
        messages: report.messages,
        bytes: (report.bytes / report.messages.max(1)).max(1) as usize,
        // A step of the network stage is a millisecond.
        millis: report.steps,
        latency_us: scenario.cluster.network.latency_us,
    }
}

/// Runs the baseline in a new thread, like each network run.
fn apart(seed: u64, load: TurmoilLoad) -> quorate_sim::baseline::TurmoilDone {
    thread::scope(|scope| scope.spawn(|| turmoil_baseline(seed, load)).join().expect("the baseline does not panic"))
}

/// How long the stage and the baseline took in each round. The order alternates between rounds.
fn alternately(rounds: usize, stage: impl Fn(), baseline: impl Fn()) -> Vec<(Duration, Duration)> {
    let timed = |work: &dyn Fn()| {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    let round = |round: usize| {
        if round.is_multiple_of(2) {
            let stage = timed(&stage);
            (stage, timed(&baseline))
        } else {
            let baseline = timed(&baseline);
            (timed(&stage), baseline)
        }
    };
    (0..rounds).map(round).collect()
}

/// Appends a line per unit: the rates of the stage and the baseline per second, and their ratio where both have one.
fn table(
    text: &mut String,
    baseline: &str,
    times: &[(Duration, Duration)],
    units: &[(&str, Option<f64>, Option<f64>)],
) {
    let _ = writeln!(text, "{:<14} {:>12} {:>16}  stage / baseline", "", "stage", format!("{baseline} baseline"));
    for (unit, stage, baseline) in units {
        let rate = |count: Option<f64>, time: Duration| count.map(|count| count / time.as_secs_f64().max(1e-9));
        let stages: Vec<f64> = times.iter().filter_map(|(time, _)| rate(*stage, *time)).collect();
        let baselines: Vec<f64> = times.iter().filter_map(|(_, time)| rate(*baseline, *time)).collect();
        let ratios: Vec<f64> = stages.iter().zip(&baselines).map(|(stage, baseline)| stage / baseline).collect();
        let shown =
            |rates: &[f64]| spread(rates).map_or_else(|| "-".to_owned(), |(_, median, _)| format!("{median:.0}"));
        let ratio = spread(&ratios)
            .map_or_else(|| "-".to_owned(), |(low, median, high)| format!("{median:.4} ({low:.4} to {high:.4})"));
        let _ = writeln!(text, "{unit:<14} {:>12} {:>16}  {ratio}", shown(&stages), shown(&baselines));
    }
}

/// The lowest number, the median and the highest; `None` if there are none.
fn spread(numbers: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    let median =
        if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] };
    Some((low, median, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0]), Some((3.0, 3.0, 3.0)));
        assert_eq!(spread(&[9.0, 1.0, 2.0]), Some((1.0, 2.0, 9.0)));
        assert_eq!(spread(&[9.0, 1.0, 2.0, 4.0]), Some((1.0, 3.0, 9.0)));
    }

    #[test]
    fn a_ratio_compares_times_of_the_same_round() {
        let seconds = |stage, baseline| (Duration::from_secs(stage), Duration::from_secs(baseline));
        let mut text = String::new();
        let times = [seconds(10, 1), seconds(20, 4), seconds(10, 2)];
        table(&mut text, "heap", &times, &[("events/s", Some(100.0), None), ("steps/s", Some(40.0), Some(40.0))]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["events/s", "10", "-", "-"]);
        assert_eq!(lines[2], ["steps/s", "4", "20", "0.2000", "(0.1000", "to", "0.2000)"]);
    }

    #[test]
    fn rounds_alternate_their_order() {
        let order = std::cell::RefCell::new(String::new());
        alternately(3, || order.borrow_mut().push('s'), || order.borrow_mut().push('b'));
        assert_eq!(order.into_inner(), "sbbssb");
    }
}
