//! What users see: answers, workers and measurements as aligned plain text, and the terminal that shows it.

mod answer;
mod contexts;
mod follow;
mod histogram;
mod load;
mod number;
mod paint;
mod policies;
mod progress;
mod queries;
mod readiness;
mod screen;
mod table;
mod terminal;
mod text;
mod watch;
mod workers;

pub use answer::{answer, refusal, summary};
pub use contexts::{context, contexts};
pub use follow::OutcomeLines;
pub use histogram::histogram;
pub use load::load;
pub use number::Digits;
pub use paint::{Paint, Tone};
pub use policies::policies;
pub use progress::{progress, spinner};
pub use queries::queries;
pub use readiness::readiness;
pub use screen::Screen;
pub use table::{Align, Cell, Table};
pub use terminal::{Charset, Quiet, can_redraw_stderr, can_redraw_stdout, size};
pub use text::{clean, cut, json, time};
pub use watch::{AnswerLines, Change, trend};
pub use workers::{workers, workers_summary};
