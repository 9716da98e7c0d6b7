//! `quorate ask --watch`: repeats one question, with a line for each answer.

use std::collections::VecDeque;
use std::io::{self, Stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};
use quorate_client::{Error, Outcome, Received, Status, Value};
use quorate_runtime::wire::JsonNumber;
use rust_decimal::prelude::ToPrimitive;

use super::watch::{Due, Stamp, Watch};
use super::{Question, error_json, print};
use crate::args::WatchArgs;
use crate::exit::{Disputed, Shown};
use crate::render::{AnswerLines, Change, Charset, Paint, Quiet, can_redraw_stdout, clean, size, spinner, trend};

/// How often the spinner turns.
const SPIN: Duration = Duration::from_millis(100);
/// The number of answers whose trend is drawn.
const TREND: usize = 40;

/// Asks until it is stopped, or until the requested number of questions was asked.
///
/// # Errors
/// An error that a repetition cannot fix ends the watch at once. If the number of questions is limited, the last
/// question without an answer, or with a disputed answer if the user wants none, is the error. All errors were shown.
pub(super) async fn ask(question: &Question, args: &WatchArgs) -> anyhow::Result<()> {
    let mut watch = Watch::new(args);
    let mut view = View::new(question, args);
    let mut before = None;
    let mut failure = None;
    loop {
        match watch.due().await {
            Due::Now => {}
            Due::Over => return failure.map_or(Ok(()), |error| Err(Shown(error).into())),
            Due::Stopped => return Ok(()),
        }
        let Some(result) = watch.unless_stopped(question.client.ask(&question.ask)).await else { return Ok(()) };
        match result {
            Ok(received) => {
                let value = Some(received.final_value.clone());
                view.answer(&received, value.as_ref(), &Change::between(before.as_ref(), value.as_ref()))?;
                before = value.or(before);
                if question.fail_on_dispute && received.body.status == Status::Disputed {
                    failure = Some(Disputed.into());
                }
            }
            Err(error) => {
                view.error(&error)?;
                let is_lasting = error.is_lasting();
                let error = question.failure(error);
                if is_lasting {
                    return Err(Shown(error).into());
                }
                failure = Some(error);
            }
        }
    }
}

/// Where the lines go.
enum View {
    /// JSON objects, one per line.
    Json,
    /// Text, one line for each answer.
    Lines(AnswerLines),
    /// The same on a terminal, with a summary below.
    Live(Live),
}

impl View {
    fn new(question: &Question, args: &WatchArgs) -> Self {
        let lines = AnswerLines::new(question.digits, Paint::for_stdout());
        if question.json {
            Self::Json
        } else if can_redraw_stdout() {
            Self::Live(Live::new(lines, question, args.interval))
        } else {
            Self::Lines(lines)
        }
    }

    fn answer(&mut self, received: &Received<Outcome>, value: Option<&Value>, change: &Change) -> anyhow::Result<()> {
        let now = Stamp::now();
        match self {
            Self::Json => {
                let change = match change {
                    Change::By { difference, .. } => serde_json::to_string(&JsonNumber(*difference))?,
                    Change::Unknown | Change::Text { .. } => "null".to_owned(),
                };
                print(&now.json(&format!(",\"change\":{change}"), &received.json))
            }
            Self::Lines(lines) => print(&lines.answer(&now.second(), received, change, None)),
            Self::Live(live) => {
                live.answered += 1;
                let text = live.lines.answer(&now.clock(), received, change, Some(size().0));
                live.show(&text, value)
            }
        }
    }

    fn error(&mut self, error: &Error) -> anyhow::Result<()> {
        let now = Stamp::now();
        match self {
            Self::Json => print(&error_json(now, error)?),
            Self::Lines(lines) => print(&lines.error(&now.second(), error)),
            Self::Live(live) => {
                live.unanswered += 1;
                let text = live.lines.error(&now.clock(), error);
                live.show(&text, None)
            }
        }
    }
}

/// A terminal, with a line at the bottom that is updated in place.
struct Live {
    lines: AnswerLines,
    bar: ProgressBar,
    /// Held until the bar is cleared.
    _quiet: Quiet<Stdout>,
    charset: Charset,
    /// The query and the interval.
    what: String,
    recent: VecDeque<f64>,
    answered: u64,
    unanswered: u64,
}

impl Live {
    fn new(lines: AnswerLines, question: &Question, interval: Duration) -> Self {
        let charset = Charset::of_locale();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout()).with_style(spinner(charset));
        bar.enable_steady_tick(SPIN);
        let quiet = Quiet::on(io::stdout());
        let what = format!("{} every {interval:?}", clean(&question.ask.query));
        let live = Self {
            lines,
            bar,
            _quiet: quiet,
            charset,
            what,
            recent: VecDeque::with_capacity(TREND),
            answered: 0,
            unanswered: 0,
        };
        live.sum_up();
        live
    }

    /// Shows a line above the summary, and updates the summary.
    fn show(&mut self, line: &str, value: Option<&Value>) -> anyhow::Result<()> {
        if let Some(Value::Number(number)) = value
            && let Some(number) = number.to_f64()
        {
            if self.recent.len() == TREND {
                self.recent.pop_front();
            }
            self.recent.push_back(number);
        }
        self.sum_up();
        // Not through the bar, which pads lines with spaces: copied, they would be one long line.
        self.bar.suspend(|| print(line))
    }

    fn sum_up(&self) {
        let Self { what, answered, unanswered, .. } = self;
        let trend = trend(self.recent.iter().copied(), self.charset);
        let trend = if trend.is_empty() { trend } else { format!("{trend}  ") };
        let without = if *unanswered == 0 { String::new() } else { format!(", {unanswered} without an answer") };
        self.bar.set_message(format!("{what}  {trend}{answered} answered{without}  Ctrl-C ends"));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
