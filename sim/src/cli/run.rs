//! `run`: plays one seed or scenario, and prints the result. Its standard output is the same every time.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use quorate_sim::coverage::Sometimes;
use quorate_sim::explain::words;
use quorate_sim::trace::Line;
use quorate_sim::{Listener, Report};

use super::play::{play, show_panics};
use super::{DepthArgs, Source, Verdict};

/// The flags of `run`.
#[derive(Args, Clone, Debug)]
pub(super) struct RunArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    depth: DepthArgs,

    /// Also print every event
    #[arg(long)]
    trace: bool,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<Verdict> {
    let scenario = args.source.load()?;
    show_panics();
    let began = Instant::now();
    let (report, traced) = if args.trace {
        let trace = Arc::new(Mutex::new(Trace { to: BufWriter::new(io::stdout()), failed: None }));
        let report = play(&scenario, args.depth.depth, Some(listener(trace.clone())));
        let mut trace = trace.lock().unwrap_or_else(PoisonError::into_inner);
        let traced = trace.failed.take().map_or_else(|| trace.to.flush(), Err);
        (report, traced)
    } else {
        (play(&scenario, args.depth.depth, None), Ok(()))
    };
    let seconds = began.elapsed().as_secs_f64();
    traced?;
    print(&mut io::stdout().lock(), &report)?;
    eprintln!("{seconds:.3} s, {:.0} events/s", report.events as f64 / seconds.max(1e-9));
    Ok(if report.violation.is_some() { Verdict::Broken } else { Verdict::Well })
}

/// The output of the trace, and its first error, after which nothing more is written.
struct Trace<W> {
    to: W,
    failed: Option<io::Error>,
}

fn listener<W: Write + Send + 'static>(trace: Arc<Mutex<Trace<W>>>) -> Listener {
    Box::new(move |event| {
        let mut trace = trace.lock().unwrap_or_else(PoisonError::into_inner);
        // A text in an event may contain line feeds; an event is one line all the same.
        let line = words::clean(&Line(event).to_string());
        if trace.failed.is_none() {
            trace.failed = writeln!(trace.to, "{line}").err();
        }
    })
}

fn print(to: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(to, "hash      {:016x}", report.hash)?;
    writeln!(to, "events    {}", report.events)?;
    writeln!(to, "messages  {}", report.messages)?;
    let reached: Vec<_> = Sometimes::ALL.iter().filter(|what| report.reached.contains(**what)).collect();
    writeln!(to, "reached   {} of {}", reached.len(), Sometimes::ALL.len())?;
    for what in reached {
        writeln!(to, "          {}", what.text())?;
    }
    match &report.violation {
        None => writeln!(to, "every invariant holds"),
        Some(violation) => {
            let (checker, at) = (violation.checker, words::time(violation.at));
            writeln!(to, "VIOLATION of {checker} at {at}: {}", words::clean(&violation.text))
        }
    }
}
