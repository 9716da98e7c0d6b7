//! What must happen sometimes, in a few words each.

use crate::Depth;
use crate::host::Host;
use crate::scenario::{FaultKind, Flood, Forgery, Mischief};

/// Lists the counters once: the enum, its names and its count.
macro_rules! sometimes {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Something that must happen in some run of a batch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Sometimes {
            $($(#[doc = $doc])* $name,)*
        }

        impl Sometimes {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it is about, in a few words.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim_ascii(),)*
                }
            }
        }
    };
}

sometimes! {
    /// a result came after its request had ended
    LateResult,
    /// a second result said the same as the first
    DuplicateResult,
    /// a worker contradicted itself
    EquivocalResult,
    /// a result came for a request that is not known
    UnknownResult,
    /// a result came on the reply subject of another task
    MisdirectedResult,
    /// somebody who is not admitted was heard
    NotAdmitted,
    /// silent workers were asked a second time
    Redispatched,
    /// an answer came only after a redispatch
    RedispatchRescued,
    /// a quorum ended a request early
    QuorumEarly,
    /// a quorum gave no answer, so that its request went on
    QuorumInVain,
    /// a request without known workers ended after a pause
    Stalled,
    /// the value of every expected worker was used
    AnsweredComplete,
    /// the values of at least half of the expected workers were used
    AnsweredPartial,
    /// the values of fewer than half of the expected workers were used
    AnsweredLowReliability,
    /// the workers did not agree
    AnsweredDisputed,
    /// fewer values than required were usable
    BelowMinimum,
    /// a deadline passed without a usable value
    DeadlineExceeded,
    /// nobody listened for a task
    NoResponders,
    /// it was doubted that nobody listened for a task
    NoRespondersDoubted,
    /// a worker showed that it listened all the same
    NoRespondersRefuted,
    /// no worker showed in time that it listened
    NoRespondersConfirmed,
    /// a request ended for want of a bus
    FailedForBus,
    /// a task did not fit the outgoing queue
    FailedForQueue,
    /// the last caller of a request went away
    Cancelled,
    /// a caller joined a request in flight
    Joined,
    /// a caller was given a remembered outcome
    Replayed,
    /// an id was refused for another query
    RefusedConflict,
    /// a policy was refused
    RefusedPolicy,
    /// a request was shed for overload
    RefusedOverloaded,
    /// a request was refused while draining
    RefusedDraining,
    /// a request was refused while the bus was down
    RefusedBusDown,
    /// a client was told to slow down
    RateLimited,
    /// an outlier was excluded
    ExcludedOutlier,
    /// a quarantined worker's value was not used
    ExcludedQuarantined,
    /// the value of a worker without a record was compared and not used
    ExcludedNewcomer,
    /// a text was excluded where numbers are needed
    ExcludedText,
    /// a stale value was excluded
    ExcludedStale,
    /// fewer workers agreed than were to
    TooFewAgreed,
    /// a disputed answer was rejected
    DisputeRejected,
    /// the weights of workers decided
    WeightsDecided,
    /// the policy of a query was not that of all others
    PolicyOfQuery,
    /// several values were equally frequent
    Tie,
    /// a coordinator drained with requests in flight
    DrainedInFlight,
    /// a coordinator was connected again
    Reconnected,
    /// the bus went down with requests in flight
    DisconnectedInFlight,
    /// a coordinator was killed with requests in flight
    CrashedInFlight,
    /// a worker left with requests in flight
    WorkerLeftInFlight,
    /// a worker was asked again
    WorkerRepeated,
    /// a worker had no place for a task
    WorkerRefused,
    /// a task's time was over before there was an answer
    WorkerExpired,
    /// a source was given up
    WorkerAborted,
    /// a worker drained with jobs at hand
    WorkerDrainedBusy,
    /// a client went away
    ClientVanished,
    /// a client got no answer
    ClientLost,
    /// a message was not sent for want of a connection
    UnsentDisconnected,
    /// a message did not fit the outgoing queue
    UnsentFull,
    /// bytes that say nothing were received
    GarbageReceived,
    /// the registry was full
    RegistryFull,
    /// a full registry forgot a worker that was gone
    RegistryForgot,
    /// there was no room for a further worker
    RegistryRefused,
    /// more processes spoke in one name than are told apart
    InstancesFull,
    /// a response time was forgotten for a later one
    ResponseTimesFull,
    /// an outcome was forgotten before its time
    MemoryFull,
    /// an outcome was forgotten because those remembered weighed too much
    MemoryHeavy,
    /// an answer was not kept because those in flight weighed too much
    NoRoom,
    /// a driver took as much from its bus at once as it may
    BatchFull,
    /// a worker forgot an answer before its time
    WorkerMemoryFull,
    /// an answer of a worker had more places to go than are kept
    ReplyPlacesFull,
    /// a task had longer than its worker believes
    TtlCut,
    /// a worker closed its intake at once when it was told to stop
    NoDrainGrace,
    /// a coordinator was served later than one that runs is
    StoodStill,
    /// a result said when its value was observed
    ObservedAt,
    /// a coordinator whose time of day was wrong read when a value was observed
    ObservedAtByWrongClock,
    /// requests were asked again at once after an outage
    NoReconnectGrace,
    /// after the faults, a question was answered by every worker
    Recovered,
    /// a source panicked, and its task failed
    SourcePanicked,
    /// a worker that drained told so to one who called the workers
    CalledWhileDraining,
    /// a worker's farewell was taken at once with its last answer
    FarewellWithAnswer,
    /// a question was asked in a trace
    Traced,
    /// a client was believed for whom it asks, and refused for asking too often
    RateLimitedByProxy,
    /// a request that is none was refused
    MalformedRefused,
    /// the page of workers was read
    PageWorkers,
    /// the page of metrics was read
    PageMetrics,
    /// the page of health was read
    PageHealth,
    /// the page of readiness was read
    PageReady,
    /// a page said that the coordinator is not ready
    PageNotReady,
    /// a client had as many connections as it may have, and one too many
    ConnectionRefused,
    /// a client was refused that shares its allowance with others
    AllowanceShared,
    /// a client had as many readers of events as it may have, and one too many
    ReaderRefused,
    /// a reader of events came back to where it was
    EventsResumed,
    /// a reader of events was told how many it missed
    EventsMissed,
    /// a client held a connection and did not use it
    Lingered,
    /// a coordinator stopped while a client held a connection
    StoppedLingering,
    /// fault: a partition
    FaultPartition,
    /// fault: a partition in one direction
    FaultPartitionOneWay,
    /// fault: messages held back
    FaultHold,
    /// fault: a slow link
    FaultSlow,
    /// fault: lost messages
    FaultLoss,
    /// fault: a crash
    FaultCrash,
    /// fault: a graceful stop
    FaultStop,
    /// fault: a frozen worker
    FaultFreeze,
    /// fault: a coordinator that stands still
    FaultFreezeCoordinator,
    /// fault: messages that come twice, and late
    FaultBridge,
    /// fault: a storm of reconnects
    FaultReconnectStorm,
    /// fault: a slow source
    FaultSlowSource,
    /// fault: a failing source
    FaultFailSource,
    /// fault: a source that panics
    FaultPanicSource,
    /// fault: a source with old values
    FaultStaleSource,
    /// fault: lies
    FaultLie,
    /// fault: lost announcements
    FaultPresenceLost,
    /// mischief: results sent twice
    MischiefDuplicate,
    /// mischief: contradictory results
    MischiefEquivocate,
    /// mischief: late results
    MischiefDelay,
    /// mischief: results out of order
    MischiefReorder,
    /// mischief: corrupted results
    MischiefCorrupt,
    /// mischief: oversized results
    MischiefOversize,
    /// mischief: results in another's name
    MischiefImpersonate,
    /// mischief: results for another request
    MischiefMisattribute,
    /// mischief: results on another subject
    MischiefMisdirect,
    /// mischief: dropped results
    MischiefDrop,
    /// forgery: an answer to a request never made
    ForgedUnknownRequest,
    /// forgery: a forged answer
    ForgedAnswer,
    /// forgery: a forged answer on the shared subject
    ForgedAnswerShared,
    /// forgery: a forged sign of life
    ForgedLive,
    /// forgery: a forged farewell
    ForgedLeft,
    /// forgery: a forged sign of leaving
    ForgedDraining,
    /// forgery: a forged notice that nobody listens
    ForgedNoResponders,
    /// forgery: a forged first answer
    ForgedFirst,
    /// forgery: forged repeats that differ
    ForgedRepeats,
    /// forgery: answers in invented names
    FloodOfAnswers,
    /// forgery: answers in invented names on the shared subject
    FloodOfShared,
    /// forgery: late answers in invented names
    FloodOfEnded,
    /// forgery: announcements in invented names
    FloodOfLive,
    /// forgery: forged garbage
    ForgedGarbage,
    /// forgery: a forged task
    ForgedTask,
}

impl Sometimes {
    /// Whether runs at this depth can reach it.
    pub fn is_possible(self, depth: Depth) -> bool {
        let needs_edge = matches!(
            self,
            Self::RateLimited
                | Self::CalledWhileDraining
                | Self::FarewellWithAnswer
                | Self::Traced
                | Self::RateLimitedByProxy
                | Self::MalformedRefused
                | Self::PageWorkers
                | Self::PageMetrics
                | Self::PageHealth
                | Self::PageReady
                | Self::PageNotReady
                | Self::ConnectionRefused
                | Self::AllowanceShared
                | Self::ReaderRefused
                | Self::EventsResumed
                | Self::EventsMissed
                | Self::Lingered
                | Self::StoppedLingering
                | Self::BatchFull
        );
        match self {
            // Over the network a frozen coordinator hears nothing, and its timers go on.
            Self::StoodStill => depth == Depth::Machines,
            _ => !needs_edge || depth == Depth::Network,
        }
    }

    /// That this kind of fault began.
    pub(super) fn fault(kind: &FaultKind) -> Self {
        use Sometimes as S;
        match kind {
            FaultKind::Partition(..) => S::FaultPartition,
            FaultKind::PartitionOneWay(..) => S::FaultPartitionOneWay,
            FaultKind::Hold(..) => S::FaultHold,
            FaultKind::Slow(..) => S::FaultSlow,
            FaultKind::Loss(..) => S::FaultLoss,
            FaultKind::Crash(..) => S::FaultCrash,
            FaultKind::Stop(..) => S::FaultStop,
            FaultKind::Freeze(Host::Coordinator(_)) => S::FaultFreezeCoordinator,
            FaultKind::Freeze(..) => S::FaultFreeze,
            FaultKind::Bridge(..) => S::FaultBridge,
            FaultKind::ReconnectStorm(..) => S::FaultReconnectStorm,
            FaultKind::SlowSource(..) => S::FaultSlowSource,
            FaultKind::FailSource(..) => S::FaultFailSource,
            FaultKind::PanicSource(..) => S::FaultPanicSource,
            FaultKind::StaleSource(..) => S::FaultStaleSource,
            FaultKind::Lie(..) => S::FaultLie,
            FaultKind::PresenceLost(..) => S::FaultPresenceLost,
            FaultKind::Mischief(_, mischief, _) => match mischief {
                Mischief::Duplicate => S::MischiefDuplicate,
                Mischief::Equivocate => S::MischiefEquivocate,
                Mischief::Delay(_) => S::MischiefDelay,
                Mischief::Reorder => S::MischiefReorder,
                Mischief::Corrupt => S::MischiefCorrupt,
                Mischief::Oversize => S::MischiefOversize,
                Mischief::Impersonate(_) => S::MischiefImpersonate,
                Mischief::Misattribute => S::MischiefMisattribute,
                Mischief::Misdirect => S::MischiefMisdirect,
                Mischief::Drop => S::MischiefDrop,
            },
            FaultKind::Forge(forgery, _) => match forgery {
                Forgery::UnknownRequest => S::ForgedUnknownRequest,
                Forgery::Answer(_) => S::ForgedAnswer,
                Forgery::AnswerShared(_) => S::ForgedAnswerShared,
                Forgery::Live(_) => S::ForgedLive,
                Forgery::Left(_) => S::ForgedLeft,
                Forgery::Draining(_) => S::ForgedDraining,
                Forgery::NoResponders => S::ForgedNoResponders,
                Forgery::First(_) => S::ForgedFirst,
                Forgery::Repeats(..) => S::ForgedRepeats,
                Forgery::Flood(Flood::Answers, _) => S::FloodOfAnswers,
                Forgery::Flood(Flood::Shared, _) => S::FloodOfShared,
                Forgery::Flood(Flood::Ended, _) => S::FloodOfEnded,
                Forgery::Flood(Flood::Live, _) => S::FloodOfLive,
                Forgery::Garbage => S::ForgedGarbage,
                Forgery::Task => S::ForgedTask,
            },
        }
    }
}
