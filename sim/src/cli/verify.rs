//! `verify`: plays a seed in two processes, and compares every event. Two processes differ in what must not matter,
//! such as addresses and the hash seeds of maps.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context as _, bail};
use clap::Args;
use quorate_sim::Depth;
use quorate_sim::explain::words;
use quorate_sim::random::{Random, Stream};

use super::range::Seeds;
use super::{DepthArgs, Verdict, depth_name};

/// The maximum number of differing seeds that are printed.
const SHOWN: usize = 10;

/// The flags of `verify`.
#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["seed", "seeds"]))]
pub(super) struct VerifyArgs {
    /// Seed to play; with --random, the seed that the seeds are drawn from
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Seeds to play, from A up to but excluding B
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,

    /// Play this many seeds, drawn from --seed
    #[arg(long, value_name = "K", conflicts_with = "seeds")]
    random: Option<u32>,

    #[command(flatten)]
    depth: DepthArgs,

    /// Program for the second run, such as a build of another profile or for another machine [default: this one]
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<Verdict> {
    let this = std::env::current_exe().context("cannot find the path of this program")?;
    let other = args.against.as_deref().unwrap_or(&this);
    let mut out = io::stdout().lock();
    let (mut played, mut lines, mut differing) = (0_u64, 0_u64, Vec::new());
    for seed in seeds(args) {
        let found =
            compare(&this, other, seed, args.depth.depth).with_context(|| format!("cannot verify seed {seed}"))?;
        played += 1;
        match found {
            Found::Same(count) => lines += count,
            Found::Differs(difference) => {
                if differing.len() < SHOWN {
                    write!(out, "seed {seed} differs {difference}")?;
                }
                differing.push(seed);
            }
        }
    }
    if differing.is_empty() {
        writeln!(out, "{played} seeds played twice: all {lines} lines are the same")?;
        return Ok(Verdict::Well);
    }
    writeln!(out, "{} of {played} seeds differ, the first is {}", differing.len(), differing[0])?;
    Ok(Verdict::Broken)
}

/// The seeds to play.
fn seeds(args: &VerifyArgs) -> Box<dyn Iterator<Item = u64>> {
    match (&args.seeds, args.seed.unwrap_or_default(), args.random) {
        (Some(seeds), ..) => Box::new(seeds.0.clone()),
        (None, seed, None) => Box::new(std::iter::once(seed)),
        (None, seed, Some(count)) => {
            let mut random = Random::new(seed, Stream::Scenario, 0);
            Box::new((0..count).map(move |_| random.number()))
        }
    }
}

/// The result of comparing two outputs.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// This many lines, all the same.
    Same(u64),
    /// The first difference, in words.
    Differs(String),
}

fn compare(one: &Path, other: &Path, seed: u64, depth: Depth) -> anyhow::Result<Found> {
    let (mut one, mut other) = (Run::start(one, seed, depth)?, Run::start(other, seed, depth)?);
    let found = differ(&mut one.output, &mut other.output).context("cannot read the output of a run")?;
    let Found::Same(lines) = found else { return Ok(found) };
    let (one, other) = (one.end()?, other.end()?);
    if one.code() != other.code() {
        return Ok(Found::Differs(format!("after line {lines}, in the exit status\n  1  {one}\n  2  {other}\n")));
    }
    // 1 is a broken invariant, which may be the same in both runs. Any other code means that there was no run.
    if !matches!(one.code(), Some(0 | 1)) || lines == 0 {
        bail!("neither run finished: {one}");
    }
    Ok(Found::Same(lines))
}

/// A process that plays.
struct Run {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Run {
    fn start(program: &Path, seed: u64, depth: Depth) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["run", "--trace", "--seed", &seed.to_string(), "--depth", depth_name(depth)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().expect("standard output is piped");
        Ok(Self { child, output: BufReader::new(output) })
    }

    fn end(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().context("cannot wait for a run")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may still be playing after a difference was found. Both calls fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compares two outputs line by line while they are being written.
fn differ(one: &mut impl BufRead, other: &mut impl BufRead) -> io::Result<Found> {
    let (mut first, mut second, mut before) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1.. {
        std::mem::swap(&mut before, &mut first);
        first.clear();
        second.clear();
        one.read_until(b'\n', &mut first)?;
        other.read_until(b'\n', &mut second)?;
        if first != second {
            let mut text = format!("at line {number}\n");
            for (name, line) in [("before", &before), ("1", &first), ("2", &second)] {
                let _ = writeln!(text, "  {name:<6}  {}", shown(line));
            }
            return Ok(Found::Differs(text));
        }
        if first.is_empty() {
            return Ok(Found::Same(number - 1));
        }
    }
    unreachable!("no output has 2^64 lines")
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    match text.trim_end_matches('\n') {
        "" if line.is_empty() => "(the end)".to_owned(),
        text => words::clean(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named_with_the_one_before() {
        for (one, other, expected) in [
            ("a\nb\n", "a\nb\n", Found::Same(2)),
            ("", "", Found::Same(0)),
            ("a\nb\nc\n", "a\nx\nc\n", Found::Differs("at line 2\n  before  a\n  1       b\n  2       x\n".to_owned())),
            ("a\n", "a\nb\n", Found::Differs("at line 2\n  before  a\n  1       (the end)\n  2       b\n".to_owned())),
            ("a", "b", Found::Differs("at line 1\n  before  (the end)\n  1       a\n  2       b\n".to_owned())),
        ] {
            let found = differ(&mut one.as_bytes(), &mut other.as_bytes()).expect("no error is possible");
            assert_eq!(found, expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn drawn_seeds_are_the_same_every_time() {
        let args = |seed| VerifyArgs {
            seed: Some(seed),
            seeds: None,
            random: Some(5),
            depth: DepthArgs { depth: Depth::Machines },
            against: None,
        };
        assert!(seeds(&args(1)).eq(seeds(&args(1))));
        assert_eq!(seeds(&args(1)).count(), 5);
        assert!(seeds(&args(1)).ne(seeds(&args(2))));
    }
}
