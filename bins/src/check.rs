//! What `--check` does: checks the settings of a server and the files that they name, as its start does, and says what
//! was checked. Nothing is listened on, connected to or written.

use std::fmt::Display;
use std::path::Path;

use anyhow::anyhow;
use quorate_core::coordinator::{Config, Policies};
use quorate_core::pattern::Pattern;
use quorate_runtime::{feeds, policies};

use crate::args::{CoordinatorArgs, LogArgs, NatsArgs, OtlpArgs, SourceName, WorkerArgs};
use crate::commands::print;
use crate::exit::{Shown, Unusable};
use crate::render::clean;
use crate::{serve, telemetry};

/// Checks the settings of a coordinator.
///
/// # Errors
/// [`Shown`] faults.
pub(crate) fn coordinator(args: &CoordinatorArgs) -> anyhow::Result<()> {
    let mut checks = Checks::default();
    checks.ignored(args.effective.ignored())?;
    let machine = serve::machine(&args.serve);
    if let (Ok(machine), Some(path)) = (&machine, &args.serve.policies) {
        checks.note("policies", policies(path, machine))?;
    }
    if let (Ok(machine), Some(path)) = (&machine, &args.serve.store.feeds) {
        let feeds = feeds::read(path, machine).map_err(anyhow::Error::from);
        checks.note("feeds", feeds.map(|feeds| format!("{}, {} feeds", path.display(), feeds.len())))?;
    }
    checks.note("flags", machine.map(|_| "valid"))?;
    checks.note("address", Ok(format!("{}, not opened", args.listen)))?;
    checks.common(&args.nats, &args.otlp, &args.log)?;
    checks.end()
}

/// Checks the settings of a worker.
///
/// # Errors
/// [`Shown`] faults.
pub(crate) fn worker(args: &WorkerArgs) -> anyhow::Result<()> {
    let mut checks = Checks::default();
    checks.ignored(args.effective.ignored())?;
    checks.note("worker", Ok(args.id()))?;
    let source = serve::source(args).map(|(_, offer)| {
        let queries: Vec<_> = offer.patterns().iter().map(Pattern::as_str).collect();
        let queries = if queries.is_empty() { "every query".to_owned() } else { queries.join(", ") };
        match &args.config {
            Some(file) if args.source != SourceName::Simulated => format!("{}, for {queries}", file.display()),
            _ => format!("simulated, for {queries}"),
        }
    });
    checks.note("source", source)?;
    checks.common(&args.nats, &args.otlp, &args.log)?;
    checks.end()
}

fn policies(path: &Path, machine: &Config) -> anyhow::Result<String> {
    let Policies { policies, weights } = policies::read(path, machine)?;
    Ok(format!("{}, {} policies and {} weights", path.display(), policies.len(), weights.len()))
}

/// What was checked so far.
#[derive(Default)]
struct Checks {
    faults: usize,
}

impl Checks {
    /// Prints what was checked, or what is wrong with it.
    fn note(&mut self, what: &str, checked: anyhow::Result<impl Display>) -> anyhow::Result<()> {
        match checked {
            Ok(said) => print(&clean(&format!("{what:<14}{said}"))),
            Err(error) => {
                self.faults += 1;
                eprintln!("error: {}", clean(&format!("{error:#}")));
                Ok(())
            }
        }
    }

    /// What both servers have.
    fn common(&mut self, nats: &NatsArgs, otlp: &OtlpArgs, log: &LogArgs) -> anyhow::Result<()> {
        let checked = serve::nats_config(nats).check().map_err(|error| serve::unusable_nats(&error));
        if let Ok(checked) = &checked {
            if let Some(path) = &nats.credentials {
                self.note("credentials", Ok(path.display()))?;
            }
            if let (Some(path), Some(count)) = (&nats.root_certificates, checked.certificates) {
                self.note("certificates", Ok(format!("{}, {count} to trust", path.display())))?;
            }
        }
        self.note("NATS", checked.map(|checked| format!("{}, not contacted", checked.servers.join(", "))))?;
        if let Some(url) = &otlp.otlp {
            self.note("traces", Ok(format!("{url}, not contacted")))?;
        }
        self.note("log", telemetry::filter(log).map(|_| &log.filter))
    }

    fn ignored(&mut self, variables: &[String]) -> anyhow::Result<()> {
        variables.iter().try_for_each(|variable| self.note("ignored", Ok(variable)))
    }

    fn end(self) -> anyhow::Result<()> {
        match self.faults {
            0 => Ok(()),
            faults => Err(Shown(Unusable::mark(anyhow!("{faults} faults"))).into()),
        }
    }
}
