//! The subcommands that ask a running coordinator: `ask`, `workers` and `load`.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::bail;
use quorate_core::aggregate::Strategy;
use quorate_core::policy::OnDispute;

use crate::api::{Ask, Scalar};
use crate::args::{AskArgs, LoadArgs, WorkersArgs};
use crate::client::{Client, ClientError};
use crate::exit::Shown;
use crate::load::{End, Plan, Report};
use crate::render::{self, Paint};

/// Asks one question and shows the answer with its evidence.
///
/// # Errors
/// No answer; [`Shown`] where the coordinator's error has been shown already.
pub async fn ask(args: AskArgs) -> anyhow::Result<()> {
    let client = Client::new(args.server.url)?;
    let ask = Ask {
        query: args.query,
        id: args.id.map(|id| id.as_str().to_owned()),
        strategy: args.strategy.map(Strategy::name),
        min_responses: args.min_responses,
        quorum: args.quorum,
        timeout_ms: args.timeout_ms,
        max_deviation: args.max_deviation.map(|rule| rule.to_string()),
        tolerance: args.tolerance.map(Scalar::number),
        min_agreement: args.min_agreement.map(|share| Scalar::number(share.to_decimal())),
        on_dispute: args.on_dispute.map(OnDispute::name),
        max_age_ms: args.max_age_ms,
        trim_share: args.trim_share.map(|share| Scalar::number(share.to_decimal())),
        precision: args.precision,
    };
    match client.ask(&ask).await {
        Ok(received) if args.server.json => print(&render::json(&received.json)),
        Ok(received) => print(&render::answer(&received.body, Paint::for_stdout())),
        Err(ClientError::Refused(refusal)) => {
            if args.server.json {
                print(&render::json(&refusal.answer.json))?;
            } else {
                eprint!("{}", render::refusal(&ask.query, &refusal, Paint::for_stderr()));
            }
            bail!(Shown(ClientError::Refused(refusal)))
        }
        Err(error) => bail!(error),
    }
}

/// Lists the workers.
///
/// # Errors
/// No answer.
pub async fn workers(args: WorkersArgs) -> anyhow::Result<()> {
    let received = Client::new(args.server.url)?.workers().await?;
    if args.server.json {
        print(&render::json(&received.json))
    } else {
        print(&render::workers(&received.body, Paint::for_stdout()))
    }
}

/// Measures and shows the report.
///
/// # Errors
/// A measurement in which nothing succeeded.
pub async fn load(args: LoadArgs) -> anyhow::Result<()> {
    let plan = Plan {
        url: args.server.url,
        query: args.query,
        connections: args.connections,
        end: args.requests.map_or(End::After(args.duration), End::Requests),
        warmup: args.warmup,
        timeout: Duration::from_millis(args.timeout_ms),
    };
    let report = crate::load::run(&plan).await?;
    if args.server.json {
        print(&serde_json::to_string(&report)?)?;
    } else {
        print(&render::load(&report, Paint::for_stdout()))?;
    }
    check(&report)
}

fn check(report: &Report) -> anyhow::Result<()> {
    if report.ok == 0 {
        bail!("no request succeeded; see the errors above, and whether one question is answered: quorate ask BTC/USD");
    }
    Ok(())
}

/// Writes to standard output, and reports it where that is closed.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end())?;
    Ok(out.flush()?)
}
