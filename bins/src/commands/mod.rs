//! The subcommands that ask a running coordinator (`ask`, `submit`, `result`, `follow`, `feed`, `workers`, `queries`,
//! `policies`, `health` and `load`), the one that names coordinators, and those that generate completions and manual pages.

mod context;
mod feed;
mod follow;
mod generate;
mod health;
mod submit;
mod watch;
mod watch_ask;
mod watch_workers;

use std::io::{self, Write};
use std::time::Duration;

use anyhow::bail;
use quorate_client::{Ask, Client, Error, Outcome, Received, Status};
use reqwest::Url;
use serde::Serialize;

use crate::args::{AskArgs, LoadArgs, PoliciesArgs, QueriesArgs, WorkersArgs};
use crate::exit::{Disputed, ErrorLine, Shown};
use crate::load::{End, Plan, Report};
use crate::render::{self, Charset, Digits, Paint};

pub use context::context;
pub use feed::feed;
pub use follow::follow;
pub use generate::{completions, man};
pub use health::health;
pub use submit::{result, submit};
use watch::Stamp;

/// Why a measurement without a success is an error.
const NOTHING_SUCCEEDED: &str = "no request succeeded; see the errors above, and try one question: quorate ask BTC/USD";

/// A question, the coordinator to ask, and how to show the answer.
struct Question {
    client: Client,
    ask: Ask,
    json: bool,
    /// How many digits of the answer are shown.
    digits: Digits,
    /// Whether a disputed answer has its own exit code.
    fail_on_dispute: bool,
}

impl Question {
    /// The error of a question without an answer, with the exit code that the user wants.
    fn failure(&self, error: Error) -> anyhow::Error {
        failure(error, self.fail_on_dispute)
    }
}

fn failure(error: Error, fail_on_dispute: bool) -> anyhow::Error {
    match error {
        Error::Refused(refusal) if fail_on_dispute && refusal.is_disputed() => Disputed.into(),
        error => error.into(),
    }
}

/// Asks one question and shows the answer with its evidence, once or repeatedly.
///
/// # Errors
/// No answer, or a disputed one if the user wants none; [`Shown`] if that was shown already.
pub async fn ask(args: AskArgs) -> anyhow::Result<()> {
    let watch = args.watch().copied();
    let ask = args.rule.ask(args.query, args.id.as_ref());
    let client = client(&args.server.url)?;
    let json = args.server.output.json;
    let digits = Digits::exact(args.numbers.exact);
    let question = Question { client, ask, json, digits, fail_on_dispute: args.fail_on_dispute };
    match watch {
        Some(watch) => watch_ask::ask(&question, &watch).await,
        None => ask_once(&question).await,
    }
}

async fn ask_once(question: &Question) -> anyhow::Result<()> {
    let answered = question.client.ask(&question.ask).await;
    tell(&question.ask.query, answered, question.json, question.digits, question.fail_on_dispute)
}

/// Shows the answer to a question, or why there is none.
fn tell(
    of: &str,
    answered: Result<Received<Outcome>, Error>,
    json: bool,
    digits: Digits,
    fail_on_dispute: bool,
) -> anyhow::Result<()> {
    let error = match answered {
        Ok(received) => {
            if json {
                print(&render::json(&received.json))?;
            } else {
                print(&render::answer(&received, digits, Paint::for_stdout()))?;
            }
            let disputed = received.body.status == Status::Disputed;
            return if fail_on_dispute && disputed { bail!(Shown(Disputed.into())) } else { Ok(()) };
        }
        Err(error) => error,
    };
    let Error::Refused(refusal) = &error else { return Err(error.into()) };
    if json {
        print(&render::json(&refusal.answer.json))?;
    } else {
        eprint!("{}", render::refusal(of, refusal, Paint::for_stderr()));
    }
    bail!(Shown(failure(error, fail_on_dispute)))
}

/// A client that presents itself as this program.
///
/// # Errors
/// [`Error::Setup`].
pub(crate) fn client(url: &Url) -> Result<Client, Error> {
    Client::builder(url).user_agent(concat!("quorate/", env!("CARGO_PKG_VERSION"))).build()
}

/// Lists the workers, once or repeatedly.
///
/// # Errors
/// No answer.
pub async fn workers(args: WorkersArgs) -> anyhow::Result<()> {
    let client = client(&args.server.url)?;
    let json = args.server.output.json;
    if args.watch.watch {
        return watch_workers::workers(&client, json, &args.watch).await;
    }
    let received = client.workers().await?;
    if json {
        print(&render::json(&received.json))
    } else {
        print(&render::workers(&received.body, Paint::for_stdout()))
    }
}

/// Lists the queries that the workers offer.
///
/// # Errors
/// No answer.
pub async fn queries(args: QueriesArgs) -> anyhow::Result<()> {
    let received = client(&args.server.url)?.queries().await?;
    if args.server.output.json {
        print(&render::json(&received.json))
    } else {
        print(&render::queries(&received.body, Paint::for_stdout()))
    }
}

/// Shows the policies in force.
///
/// # Errors
/// No answer.
pub async fn policies(args: PoliciesArgs) -> anyhow::Result<()> {
    let received = client(&args.server.url)?.policies(args.query.as_deref()).await?;
    if args.server.output.json {
        print(&render::json(&received.json))
    } else {
        print(&render::policies(&received.body))
    }
}

/// Measures a coordinator and shows the report.
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
    let failed = report.ok == 0;
    if !args.server.output.json {
        let (width, _) = render::size();
        print(&render::load(&report, width, Charset::of_locale(), Paint::for_stdout()))?;
    } else if failed {
        print(&serde_json::to_string(&Failed { error: "nothing_succeeded", details: NOTHING_SUCCEEDED, report })?)?;
        bail!(Shown(anyhow::anyhow!(NOTHING_SUCCEEDED)));
    } else {
        print(&serde_json::to_string(&report)?)?;
    }
    if failed {
        bail!(NOTHING_SUCCEEDED);
    }
    Ok(())
}

/// A report that is also an error.
#[derive(Serialize)]
struct Failed {
    error: &'static str,
    details: &'static str,
    #[serde(flatten)]
    report: Report,
}

/// The line for an error during a watch: the coordinator's own JSON, or a similar object.
fn error_json(now: Stamp, error: &Error) -> anyhow::Result<String> {
    let line = match error {
        Error::Refused(refusal) => refusal.answer.json.clone(),
        error => serde_json::to_string(&ErrorLine::from(error))?,
    };
    Ok(now.json("", &line))
}

/// Writes to standard output, and fails if that is closed.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end())?;
    Ok(out.flush()?)
}
