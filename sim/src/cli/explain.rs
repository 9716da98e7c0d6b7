//! `explain`: shows a run as a timeline.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use quorate_sim::explain::{self, Detail, words};

use super::play::play;
use super::{DepthArgs, Source, Verdict, depth_name};

/// The width of a line if the output is not a terminal, in columns.
const WIDTH: usize = 120;

/// The flags of `explain`.
#[derive(Args, Clone, Debug)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    depth: DepthArgs,

    /// Where to write the page [default: seed-N.DEPTH.html, or FILE.DEPTH.html]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Also print the inputs and outputs of the state machines, and presence; the page always has them
    #[arg(long)]
    all: bool,

    /// Columns to print [default: those of the terminal, or 120]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(20..))]
    width: Option<u16>,
}

pub(super) fn explain(args: &ExplainArgs) -> anyhow::Result<Verdict> {
    let depth = args.depth.depth;
    let scenario = args.source.load()?;
    let (timeline, report) = explain::record(&scenario, depth, |listener| play(&scenario, depth, Some(listener)));

    let path = args.output.clone();
    let path = path.unwrap_or_else(|| format!("{}.{}.html", args.source.stem(), depth_name(depth)).into());
    std::fs::write(&path, explain::page(&timeline)).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("the page is in {}", path.display());

    let width = args.width.map_or_else(terminal_width, usize::from);
    let mut out = BufWriter::new(io::stdout().lock());
    for line in explain::lines(&timeline, if args.all { Detail::All } else { Detail::Messages }, width) {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(match report.violation {
        None => Verdict::Well,
        Some(violation) => {
            let (checker, at) = (violation.checker, words::time(violation.at));
            eprintln!("VIOLATION of {checker} at {at}: {}", words::clean(&violation.text));
            Verdict::Broken
        }
    })
}

fn terminal_width() -> usize {
    let terminal = io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    terminal.map_or(WIDTH, |(width, _)| usize::from(width.0))
}
