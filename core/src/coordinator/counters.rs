//! What a coordinator has counted since its start. Nothing is dropped without being counted.

/// Defines the counters once: the struct, and the list of names and values for the adapters.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts since the start of the coordinator.
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
    /// Callers that received a remembered outcome.
    requests_replayed,
    /// Requests refused because their id belongs to another query.
    refused_conflict,
    /// Requests refused because their policy is invalid.
    refused_policy,
    /// Requests refused because too much is in flight.
    refused_overloaded,
    /// Requests refused while draining.
    refused_draining,
    /// Requests refused while the bus is down.
    refused_bus_down,
    /// Requests refused because no known worker offers their query.
    refused_unknown_query,
    /// Requests refused because the workers that offer their query are gone.
    refused_no_workers,
    /// Answers from the values of every expected worker.
    answered_complete,
    /// Answers from the values of at least half of the expected workers.
    answered_partial,
    /// Answers from the values of fewer than half of the expected workers.
    answered_low_reliability,
    /// Answers whose workers disagree.
    answered_disputed,
    /// Requests that ended with fewer usable values than required.
    failed_insufficient_responses,
    /// Requests whose workers disagree and whose policy rejects that.
    failed_disputed,
    /// Requests whose deadline passed without a usable value.
    failed_deadline_exceeded,
    /// Requests that failed because no worker was listening for tasks.
    failed_no_workers,
    /// Requests that failed because the bus was down.
    failed_bus_down,
    /// Requests whose task did not fit the outgoing queue.
    failed_overloaded,
    /// Requests that ended because their last caller went away.
    cancelled,
    /// Requests that a quorum ended before every worker had answered.
    quorum_early,
    /// Quorums that gave no answer, so that the request continued.
    quorum_in_vain,
    /// Times that a worker became suspect.
    workers_suspected,
    /// Requests that ended because only suspects were awaited.
    suspects_early,
    /// Judgements, while only suspects were awaited, that gave no answer to end with, so that the request continued.
    suspects_in_vain,
    /// Redispatches.
    redispatched,
    /// Answers that came only after the redispatch.
    redispatch_rescued,
    /// Tasks reported undelivered.
    tasks_undelivered,
    /// Requests that waited for a sign of life after a notice that nobody listens.
    no_responders_doubted,
    /// Of these, requests that went on, because a worker gave a sign of life or the bus was lost.
    no_responders_refuted,
    /// Of these, requests that failed, because no worker gave a sign of life.
    no_responders_confirmed,
    /// Results accepted as an observation.
    results_accepted,
    /// Results for a request that had ended.
    results_late,
    /// Second results that lower no score: they say the same as the first, the worker need not repeat itself, somebody
    /// else may have sent one of the two, or the worker has contradicted itself in this request before.
    results_duplicate,
    /// Second results that contradict the first and lower their worker's score, at most one per worker and request.
    results_equivocal,
    /// Results for an unknown request.
    results_unknown,
    /// Results that were dropped because the requests in flight weigh too much.
    results_no_room,
    /// Ended requests that were forgotten early because the remembered outcomes weigh too much.
    forgotten_for_bytes,
    /// Misdirected results: on the reply subject of another task, or on the shared subject from a worker that uses
    /// reply subjects.
    results_misdirected,
    /// Results and announcements that were dropped because the worker is not admitted, or because there was no room for
    /// it: among the known workers, in the rate of new names, or in the request.
    workers_not_admitted,
}
