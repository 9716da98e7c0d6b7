//! What a coordinator has counted since it began: nothing is dropped without a trace.

/// Defines the counters once: the struct, and the list of names and values that the adapters show.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts since the coordinator began.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Every counter by its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }
    };
}

counters! {
    /// Requests accepted and dispatched.
    requests_accepted,
    /// Callers that joined a request in flight under the same id.
    requests_joined,
    /// Callers that were given a remembered outcome.
    requests_replayed,
    /// Requests refused because their id belongs to another query.
    refused_conflict,
    /// Requests refused because their policy is not valid.
    refused_policy,
    /// Requests refused because too much is in flight.
    refused_overloaded,
    /// Requests refused while draining.
    refused_draining,
    /// Requests refused while the bus is down.
    refused_bus_down,
    /// Answers from the values of every expected worker.
    answered_complete,
    /// Answers from the values of at least half of the expected workers.
    answered_partial,
    /// Answers from the values of fewer than half of the expected workers.
    answered_low_reliability,
    /// Answers whose workers do not agree.
    answered_disputed,
    /// Requests that ended with fewer usable values than required.
    failed_insufficient_responses,
    /// Requests whose workers did not agree, where the policy rejects such an answer.
    failed_disputed,
    /// Requests whose deadline passed without a usable value.
    failed_deadline_exceeded,
    /// Requests that nobody listened to.
    failed_no_workers,
    /// Requests that ended for want of a bus.
    failed_bus_down,
    /// Requests whose task did not fit the outgoing queue.
    failed_overloaded,
    /// Requests that ended because their last caller went away.
    cancelled,
    /// Requests that a quorum ended before every worker had answered.
    quorum_early,
    /// Judgements of a quorum that gave no answer, so that the request goes on.
    quorum_in_vain,
    /// Second askings.
    redispatched,
    /// Answers that came only after a second asking.
    redispatch_rescued,
    /// Tasks reported undelivered.
    tasks_undelivered,
    /// Requests that waited for a sign of a worker after a notice that nobody listens.
    no_responders_doubted,
    /// Of these, requests that went on, because a worker gave a sign or the bus was lost.
    no_responders_refuted,
    /// Of these, requests that failed, because no worker gave a sign.
    no_responders_confirmed,
    /// Results taken as an observation.
    results_accepted,
    /// Results for a request that had ended.
    results_late,
    /// Second results that lower no score: they say the same as the first, the worker need not repeat itself, somebody
    /// else may have sent one of the two, or the worker has contradicted itself in this request before.
    results_duplicate,
    /// Second results that contradict the first and lower their worker's score, at most one per worker and request.
    results_equivocal,
    /// Results for a request that is not known.
    results_unknown,
    /// Results that were dropped, because the requests in flight weigh too much.
    results_no_room,
    /// Ended requests that were forgotten early, because the remembered outcomes weigh too much.
    forgotten_for_bytes,
    /// Results that came on the reply subject of another task.
    results_misdirected,
    /// Results and announcements of workers that are not admitted, or beyond the number of known workers, the rate of
    /// new names, or the places of an answer for workers without a record.
    workers_not_admitted,
}
