//! Durable requests, as metrics.

use quorate_core::durable::Counters;

use super::page::Page;
use crate::durable::Standing;

/// What the driver of durable requests has come to, and the outcomes that are missing in the history.
pub(super) fn durable(page: &mut Page, standing: Standing, omitted: u64) {
    let Standing { counters, known, held, garbled } = standing;
    // Without `..`: a counter added to the machine must be shown here, or this does not compile.
    let Counters { accepted, rejected, taken_over, repeated, stored, lost, overlooked } = counters;
    page.gauge(
        "quorate_durable_requests_open",
        "Durable requests without an outcome, of all coordinators.",
        known as f64,
    );
    page.gauge("quorate_durable_requests_held", "Those of them that this coordinator serves.", held as f64);
    page.counters(
        "quorate_durable_requests_submitted_total",
        "Durable requests submitted here, by admission.",
        "admission",
        [("accepted", accepted), ("rejected", rejected)],
    );
    page.counter(
        "quorate_durable_requests_taken_over_total",
        "Durable requests of other coordinators that this one took over.",
        taken_over,
    );
    page.counter(
        "quorate_durable_requests_repeated_total",
        "Times that the workers were to be asked again, for a reason that passes.",
        repeated,
    );
    page.counters(
        "quorate_durable_outcomes_total",
        "Outcomes of durable requests for the store: stored, or lost because another one came first.",
        "result",
        [("stored", stored), ("lost", lost)],
    );
    page.counters(
        "quorate_durable_entries_ignored_total",
        "Entries of the log of open requests that were not taken in.",
        "reason",
        [("no_room", overlooked), ("garbled", garbled)],
    );
    page.counter("quorate_outcomes_unrecorded_total", "Outcomes that should be in the history and are not.", omitted);
}
