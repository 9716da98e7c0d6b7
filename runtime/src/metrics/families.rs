//! The counts of the machine, the driver and the edge, as metrics. docs/operations.md has the table.

use std::time::{SystemTime, UNIX_EPOCH};

use quorate_core::coordinator::{Counters, Staffing, WorkerState};

use super::edge::Edge;
use super::page::Page;
use crate::driver::Snapshot;

/// Requests, from submission to end.
pub(super) fn requests(page: &mut Page, snapshot: &Snapshot) {
    // Without `..`: a counter added to the machine must be shown here or in `messages`, or this does not compile.
    let Counters {
        requests_accepted,
        requests_joined,
        requests_replayed,
        refused_conflict,
        refused_policy,
        refused_overloaded,
        refused_draining,
        refused_bus_down,
        refused_unknown_query,
        refused_no_workers,
        answered_complete,
        answered_partial,
        answered_low_reliability,
        answered_disputed,
        failed_insufficient_responses,
        failed_disputed,
        failed_deadline_exceeded,
        failed_no_workers,
        failed_bus_down,
        failed_overloaded,
        cancelled,
        quorum_early,
        quorum_in_vain,
        workers_suspected: _,
        suspects_early,
        suspects_in_vain,
        redispatched,
        tasks_undelivered,
        no_responders_doubted,
        no_responders_refuted,
        no_responders_confirmed,
        redispatch_rescued: _,
        results_accepted: _,
        results_late: _,
        results_duplicate: _,
        results_equivocal: _,
        results_unknown: _,
        results_misdirected: _,
        results_no_room: _,
        forgotten_for_bytes,
        workers_not_admitted: _,
    } = snapshot.counters;
    page.counters(
        "quorate_requests_submitted_total",
        "Questions of callers, by admission.",
        "admission",
        [
            ("accepted", requests_accepted),
            ("joined", requests_joined),
            ("replayed", requests_replayed),
            ("refused_bus_down", refused_bus_down),
            ("refused_busy", snapshot.refused_busy),
            ("refused_conflict", refused_conflict),
            ("refused_draining", refused_draining),
            ("refused_no_workers", refused_no_workers),
            ("refused_overloaded", refused_overloaded),
            ("refused_policy", refused_policy),
            ("refused_unknown_query", refused_unknown_query),
        ],
    );
    page.counters(
        "quorate_requests_ended_total",
        "Accepted requests that have ended, by outcome.",
        "outcome",
        [
            ("complete", answered_complete),
            ("partial", answered_partial),
            ("low_reliability", answered_low_reliability),
            ("disputed", answered_disputed),
            ("failed_bus_down", failed_bus_down),
            ("failed_deadline_exceeded", failed_deadline_exceeded),
            ("failed_disputed", failed_disputed),
            ("failed_insufficient_responses", failed_insufficient_responses),
            ("failed_no_workers", failed_no_workers),
            ("failed_overloaded", failed_overloaded),
            ("cancelled", cancelled),
        ],
    );
    page.gauge("quorate_requests_in_flight", "Accepted requests that have not ended.", snapshot.in_flight as f64);
    page.gauge(
        "quorate_callers_waiting",
        "Callers that wait for an answer; several may wait for one request.",
        snapshot.callers_waiting as f64,
    );
    page.gauge(
        "quorate_trails_followed",
        "Waiting callers that follow their request for a trace.",
        snapshot.trails_followed as f64,
    );
    page.gauge(
        "quorate_draining",
        "Whether the coordinator is about to stop and refuses further requests.",
        flag(snapshot.draining),
    );
    page.counter(
        "quorate_requests_quorum_early_total",
        "Requests that a quorum ended before every worker had answered.",
        quorum_early,
    );
    page.counter(
        "quorate_quorums_in_vain_total",
        "Quorums that gave no answer, so that their request went on.",
        quorum_in_vain,
    );
    page.counter(
        "quorate_requests_suspects_early_total",
        "Requests that ended because only suspects were awaited.",
        suspects_early,
    );
    page.counter(
        "quorate_suspects_in_vain_total",
        "Times that only suspects were awaited and the values gave no answer to end with, so that the request went on.",
        suspects_in_vain,
    );
    page.gauge(
        "quorate_default_timeout_seconds",
        "The timeout of requests that set none, by the default policy.",
        snapshot.timeout.as_secs_f64(),
    );
    page.counters(
        "quorate_dispatches_total",
        "Tasks published to the workers, by attempt.",
        "attempt",
        [("first", requests_accepted), ("second", redispatched)],
    );
    page.counter(
        "quorate_outcomes_unpublished_total",
        "Outcomes that were not published to followers.",
        snapshot.outcomes_unpublished,
    );
    page.counter(
        "quorate_requests_forgotten_for_bytes_total",
        "Outcomes that were forgotten early, because the remembered outcomes weigh too much.",
        forgotten_for_bytes,
    );
    page.counter("quorate_tasks_undelivered_total", "Tasks that reached nobody.", tasks_undelivered);
    page.counters(
        "quorate_no_responders_total",
        "Notices that nobody listens, for requests that expected workers, by fate.",
        "fate",
        [
            ("doubted", no_responders_doubted),
            ("refuted", no_responders_refuted),
            ("confirmed", no_responders_confirmed),
        ],
    );
}

/// Messages from workers.
pub(super) fn messages(page: &mut Page, snapshot: &Snapshot) {
    let counters = &snapshot.counters;
    page.counters(
        "quorate_results_total",
        "Results of workers on arrival, by fate.",
        "fate",
        [
            ("accepted", counters.results_accepted),
            ("late", counters.results_late),
            ("duplicate", counters.results_duplicate),
            ("equivocal", counters.results_equivocal),
            ("misdirected", counters.results_misdirected),
            ("no_room", counters.results_no_room),
            ("unknown", counters.results_unknown),
        ],
    );
    page.counter(
        "quorate_results_rescued_total",
        "Accepted results that came only after the redispatch.",
        counters.redispatch_rescued,
    );
    page.counter(
        "quorate_messages_not_admitted_total",
        "Results and presence announcements of workers that are not admitted, or for which there is no room.",
        counters.workers_not_admitted,
    );
    page.counter(
        "quorate_messages_malformed_total",
        "Messages from the bus that could not be decoded.",
        snapshot.messages_malformed,
    );
    page.counter(
        "quorate_messages_dropped_total",
        "Messages that the bus dropped because they came faster than they were received.",
        snapshot.messages_dropped,
    );
}

/// The known workers.
pub(super) fn workers(page: &mut Page, snapshot: &Snapshot) {
    let count = |state| snapshot.workers.iter().filter(|view| view.worker.state == state).count() as f64;
    page.gauges(
        "quorate_workers",
        "Known workers, by state.",
        "state",
        [
            ("live", count(WorkerState::Live)),
            ("draining", count(WorkerState::Draining)),
            ("left", count(WorkerState::Left)),
            ("expired", count(WorkerState::Expired)),
        ],
    );
    let quarantined = snapshot.workers.iter().filter(|view| view.quarantined && view.worker.state == WorkerState::Live);
    page.gauge(
        "quorate_workers_quarantined",
        "Live workers whose values are not used, because of their score.",
        quarantined.count() as f64,
    );
    let suspects = snapshot.workers.iter().filter(|view| view.worker.suspect && view.worker.is_live());
    page.gauge(
        "quorate_workers_suspect",
        "Live workers that were silent for longer than usual while others answered, and have not been heard since.",
        suspects.count() as f64,
    );
    page.counter(
        "quorate_workers_suspected_total",
        "Times that a worker became suspect.",
        snapshot.counters.workers_suspected,
    );
    page.gauge(
        "quorate_workers_lost",
        "Workers that stopped announcing themselves without a farewell, within the last hour.",
        snapshot.workers.iter().filter(|view| view.lost).count() as f64,
    );
    page.gauge(
        "quorate_workers_absent",
        "Workers that some policy expects by name, and that are not there.",
        snapshot.absent().len() as f64,
    );
    let of_policies = |count: fn(&Staffing) -> u32| {
        snapshot.staffing.iter().map(move |it| (it.pattern.as_str(), f64::from(count(it))))
    };
    page.gauges(
        "quorate_policy_workers",
        "Live workers that offer queries of a policy.",
        "policy",
        of_policies(|it| it.live),
    );
    page.gauges(
        "quorate_policy_workers_needed",
        "Workers that should be there for a policy: the larger of its min_responses and min_expected.",
        "policy",
        of_policies(|it| it.needed),
    );
    page.gauges(
        "quorate_policy_workers_missing",
        "Workers that should be there for a policy, by name or by number, and are not.",
        "policy",
        of_policies(Staffing::lacking),
    );
}

/// The connection to the bus.
pub(super) fn bus(page: &mut Page, snapshot: &Snapshot) {
    page.gauge("quorate_bus_connected", "Whether the bus is connected.", flag(snapshot.bus.connected));
    page.counter(
        "quorate_bus_reconnects_total",
        "Connections to the bus after the first one.",
        snapshot.bus.connections.saturating_sub(1),
    );
}

/// The rate limiters.
pub(super) fn limiters(page: &mut Page, edge: &Edge) {
    let Edge { limiter, read_limiter, .. } = edge;
    page.counters(
        "quorate_rate_limiter_checks_total",
        "Questions that the rate limiter decided on.",
        "result",
        [("allowed", limiter.allowed), ("refused", limiter.refused)],
    );
    page.gauge(
        "quorate_rate_limiter_clients",
        "Clients that the rate limiter distinguishes now.",
        limiter.clients as f64,
    );
    page.counters(
        "quorate_read_limiter_checks_total",
        "Requests for other routes, except probes, that the rate limiter of reads decided on.",
        "result",
        [("allowed", read_limiter.allowed), ("refused", read_limiter.refused)],
    );
    page.gauge(
        "quorate_read_limiter_clients",
        "Clients that the rate limiter of reads distinguishes now.",
        read_limiter.clients as f64,
    );
}

/// The connections of clients.
pub(super) fn connections(page: &mut Page, edge: &Edge) {
    let Edge { connections, subscribers, .. } = edge;
    page.gauge("quorate_http_connections", "Open connections of clients.", connections.open as f64);
    page.counters(
        "quorate_http_connections_refused_total",
        "Connections of clients that were refused, by the bound that they exceeded.",
        "bound",
        [("peer", connections.refused_of_peer), ("all", connections.refused_of_all)],
    );
    page.gauge("quorate_event_subscribers", "Open streams of events.", *subscribers as f64);
}

/// The process.
pub(super) fn process(page: &mut Page, started: SystemTime) {
    page.gauges("quorate_build_info", "The version that runs.", "version", [(env!("CARGO_PKG_VERSION"), 1.0)]);
    let started = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    page.gauge("process_start_time_seconds", "When the process started, in seconds since 1970.", started.as_secs_f64());
}

pub(super) fn flag(set: bool) -> f64 {
    if set { 1.0 } else { 0.0 }
}
