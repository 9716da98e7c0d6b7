//! The demo: asks five questions in turn, shows each answer with its workers, and a table of all at the end; or each
//! answer as a line of JSON.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use indicatif::{ProgressBar, ProgressFinish};
use quorate_client::{Client, Error, Outcome, Refusal};
use reqwest::Url;
use tokio::time::{Instant, sleep};

use crate::commands;
use crate::exit::Shown;
use crate::render::{
    Charset, Digits, Paint, answer, can_redraw_stderr, can_redraw_stdout, clean, json, refusal, spinner, summary,
};

/// The questions. The first is asked again at the end: its answers differ, like those of a market.
const QUERIES: [&str; 5] = ["BTC/USD", "ETH/USD", "SOL/USD", "MATIC/USD", "BTC/USD"];
/// How long a coordinator may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The pause between two checks of whether it is ready.
const READY_POLL: Duration = Duration::from_millis(100);
/// How often the spinner turns.
const SPIN: Duration = Duration::from_millis(100);

/// Shows the demo with the coordinator at `url` on standard output, once it is ready and has this many live workers.
///
/// # Errors
/// A coordinator that does not become ready or cannot be asked, and a question that fails twice.
pub async fn run(url: &Url, workers: u32, json: bool, digits: Digits) -> anyhow::Result<()> {
    let client = commands::client(url)?;
    let spins = !json && can_redraw_stdout() && can_redraw_stderr();
    Demo { client, workers, json, digits, paint: Paint::for_stdout(), spins, out: io::stdout() }
        .show(READY_WITHIN)
        .await
}

/// One run of the demo.
struct Demo<W> {
    client: Client,
    /// The number of workers to wait for; a coordinator that is ready has at least one.
    workers: u32,
    json: bool,
    digits: Digits,
    paint: Paint,
    spins: bool,
    out: W,
}

impl<W: Write> Demo<W> {
    async fn show(&mut self, ready_within: Duration) -> anyhow::Result<()> {
        self.wait_until_ready(ready_within).await?;
        let mut asked = Vec::new();
        for query in QUERIES {
            let result = self.ask(query).await?;
            let failed = result.is_err();
            asked.push((query, result));
            if failed {
                break;
            }
        }
        if !self.json {
            writeln!(self.out, "{}", summary(&asked, self.digits, self.paint).trim_end())?;
        }
        let Some((query, Err(refusal))) = asked.pop() else { return Ok(()) };
        let error = anyhow::Error::from(Error::Refused(Box::new(refusal)));
        let error = error.context(format!("no answer for {query}"));
        Err(if self.json { Shown(error).into() } else { error })
    }

    async fn wait_until_ready(&mut self, within: Duration) -> anyhow::Result<()> {
        let url = clean(self.client.url().as_str());
        let spinner = self.spinner(&format!("waiting until {url} is ready"));
        let deadline = Instant::now() + within;
        let mut announced = false;
        loop {
            let error = match self.client.ready().await {
                Ok(ready) if ready.body.workers >= self.workers.into() => break,
                Ok(ready) => anyhow!("{} of {} workers are live", ready.body.workers, self.workers),
                Err(error) if matches!(error, Error::Foreign { .. }) && error.is_lasting() => bail!(error),
                // Waiting is for a coordinator that starts. Where nothing listens, none does.
                Err(error @ Error::Unreachable { .. }) => bail!(error),
                Err(error) => error.into(),
            };
            if Instant::now() >= deadline {
                let waited = within.as_secs();
                return Err(error).with_context(|| format!("the coordinator was not ready within {waited} s"));
            }
            if !announced && !self.spins && !self.json {
                writeln!(self.out, "Waiting until {url} is ready, at most {} s ...", within.as_secs())?;
                announced = true;
            }
            sleep(READY_POLL).await;
        }
        spinner.finish_and_clear();
        Ok(())
    }

    /// Asks, and asks again if the workers failed, as simulated ones sometimes do.
    async fn ask(&mut self, query: &'static str) -> anyhow::Result<Result<Outcome, Refusal>> {
        let mut retried = false;
        loop {
            let spinner = self.spinner(&format!("asking the workers for {query}"));
            let result = self.client.ask(query).await;
            spinner.finish_and_clear();
            match result {
                Ok(received) => {
                    if self.json {
                        writeln!(self.out, "{}", json(&received.json).trim_end())?;
                    } else {
                        writeln!(self.out, "{}", answer(&received, self.digits, self.paint))?;
                    }
                    return Ok(Ok(received.body));
                }
                Err(Error::Refused(refused)) if matches!(refused.status.as_u16(), 422 | 504) => {
                    if self.json {
                        writeln!(self.out, "{}", json(&refused.answer.json).trim_end())?;
                    } else {
                        writeln!(self.out, "{}", refusal(query, &refused, self.paint))?;
                    }
                    if retried {
                        return Ok(Err(*refused));
                    }
                    retried = true;
                    if !self.json {
                        writeln!(self.out, "Asking again ...")?;
                    }
                }
                Err(error) => bail!(error),
            }
        }
    }

    fn spinner(&self, message: &str) -> ProgressBar {
        if !self.spins {
            return ProgressBar::hidden();
        }
        let style = spinner(Charset::of_locale());
        let spinner = ProgressBar::new_spinner().with_style(style).with_message(message.to_owned());
        let spinner = spinner.with_finish(ProgressFinish::AndClear);
        spinner.enable_steady_tick(SPIN);
        spinner
    }
}

#[cfg(test)]
mod tests;
