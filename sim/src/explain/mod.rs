//! Shows a run as a timeline, on a terminal and as a page for a browser.

mod html;
mod moment;
mod recorder;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
pub mod words;

use std::sync::{Arc, Mutex, PoisonError};

pub use html::page;
pub use text::{Detail, lines};
pub use timeline::{Arrow, Kind, Moment, Span, Timeline};

use crate::Depth;
use crate::scenario::Scenario;
use crate::watch::{Listener, Report};
use recorder::Recorder;

/// Records the timeline of a run. `play` plays the scenario and passes every event to its listener.
pub fn record(scenario: &Scenario, depth: Depth, play: impl FnOnce(Listener) -> Report) -> (Timeline, Report) {
    let recorder = Arc::new(Mutex::new(Recorder::new(scenario, depth)));
    let listener = recorder.clone();
    let report = play(Box::new(move |event| listener.lock().unwrap_or_else(PoisonError::into_inner).event(event)));
    let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
    (recorder.finish(report.violation.as_ref()), report)
}
