//! The things that must happen sometimes, each in a few words.

use crate::Depth;
use crate::host::Host;
use crate::scenario::{FaultKind, Flood, Forgery, Mischief, StoreFaultKind};

/// Defines the counters in one place: the enum, the list of all, and their descriptions.
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

            /// Its description, in a few words.
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
    /// a worker that is not admitted was heard
    NotAdmitted,
    /// a task was redispatched to silent workers
    Redispatched,
    /// a task went out in a pack
    Packed,
    /// several tasks went out in one pack
    PackedTogether,
    /// a redispatch went out in a pack
    PackedAgain,
    /// nobody listened for a pack
    PackUnheard,
    /// an answer came only after a redispatch
    RedispatchRescued,
    /// a quorum ended a request early
    QuorumEarly,
    /// a quorum gave no answer, and its request went on
    QuorumInVain,
    /// a request that expected no worker ended after a pause
    Stalled,
    /// a worker that was silent for longer than usual became suspect
    WorkerSuspected,
    /// a request ended without its suspects
    SuspectsEarly,
    /// a request waited for its suspects, because its values gave no answer
    SuspectsInVain,
    /// a worker that should be there by name was not
    Absent,
    /// fewer workers than should be there were there
    Unnamed,
    /// a query was refused because nobody offers it
    RefusedUnknownQuery,
    /// a query was refused because those that offer it are gone
    RefusedNoWorkers,
    /// the value of every expected worker was used
    AnsweredComplete,
    /// the values of at least half of the expected workers were used
    AnsweredPartial,
    /// the values of fewer than half of the expected workers were used
    AnsweredLowReliability,
    /// an answer was disputed
    AnsweredDisputed,
    /// fewer values than required were usable
    BelowMinimum,
    /// a deadline passed without a usable value
    DeadlineExceeded,
    /// a request failed because nobody listened for its task
    NoResponders,
    /// a notice that nobody listens was doubted
    NoRespondersDoubted,
    /// a doubted notice was refuted
    NoRespondersRefuted,
    /// a doubted notice was confirmed
    NoRespondersConfirmed,
    /// a request failed because its bus was down
    FailedForBus,
    /// a request failed because its task did not fit the outgoing queue
    FailedForQueue,
    /// the last caller of a request went away
    Cancelled,
    /// a caller joined a request in flight
    Joined,
    /// a retry received a remembered outcome
    Replayed,
    /// an id was refused because another query has it
    RefusedConflict,
    /// a policy was refused
    RefusedPolicy,
    /// a request was refused because of overload
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
    /// a newcomer's value was compared and not used
    ExcludedNewcomer,
    /// a text was excluded where numbers are needed
    ExcludedText,
    /// a stale value was excluded
    ExcludedStale,
    /// fewer workers agreed than the policy demands
    TooFewAgreed,
    /// a disputed answer was rejected
    DisputeRejected,
    /// the weights of workers changed the answer
    WeightsDecided,
    /// a query had a policy of its own
    PolicyOfQuery,
    /// several values were equally frequent
    Tie,
    /// a coordinator drained with requests in flight
    DrainedInFlight,
    /// a coordinator reconnected
    Reconnected,
    /// the bus went down with requests in flight
    DisconnectedInFlight,
    /// a coordinator was killed with requests in flight
    CrashedInFlight,
    /// a worker left with requests in flight
    WorkerLeftInFlight,
    /// a worker received a task again
    WorkerRepeated,
    /// a worker refused a task
    WorkerRefused,
    /// a coordinator received a refusal for lack of room
    WorkerOverloaded,
    /// a worker ignored a task for a query that it does not offer
    WorkerUnoffered,
    /// a task expired at its worker before there was an answer
    WorkerExpired,
    /// a worker aborted a job
    WorkerAborted,
    /// a worker was told to drain with unfinished jobs
    WorkerDrainedBusy,
    /// a client went away
    ClientVanished,
    /// a client got no response
    ClientLost,
    /// a message was not sent because there was no connection
    UnsentDisconnected,
    /// a message did not fit the outgoing queue
    UnsentFull,
    /// bytes that cannot be decoded were received
    GarbageReceived,
    /// the registry was full
    RegistryFull,
    /// a full registry forgot a worker
    RegistryForgot,
    /// a full registry refused a worker
    RegistryRefused,
    /// more processes used one worker's name than are distinguished
    InstancesFull,
    /// an old response time made room for a new one
    ResponseTimesFull,
    /// an outcome was forgotten early because too many were remembered
    MemoryFull,
    /// an outcome was forgotten early because the remembered ones weighed too much
    MemoryHeavy,
    /// a result was dropped because the requests in flight weighed too much
    NoRoom,
    /// a driver took as many messages in a pass as it may
    BatchFull,
    /// a worker forgot an answer early because too many were remembered
    WorkerMemoryFull,
    /// a worker's answer had more reply subjects than are kept
    ReplyPlacesFull,
    /// a worker cut a task's time to live to its own maximum
    TtlCut,
    /// a worker that was told to stop closed its intake at once
    NoDrainGrace,
    /// a coordinator was woken so late that it must have been paused
    StoodStill,
    /// a result stated when its value was observed
    ObservedAt,
    /// a coordinator with a wrong time of day received such a result
    ObservedAtByWrongClock,
    /// requests were redispatched at once after an outage
    NoReconnectGrace,
    /// after the faults, every worker answered a question
    Recovered,
    /// a source panicked, and its task failed
    SourcePanicked,
    /// a draining worker answered a call to all workers
    CalledWhileDraining,
    /// a worker's last answer and its farewell arrived in one pass
    FarewellWithAnswer,
    /// a message belonged to a trace
    Traced,
    /// a client behind a trusted proxy was told to slow down
    RateLimitedByProxy,
    /// a malformed request was refused
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
    /// a client was refused one connection too many
    ConnectionRefused,
    /// a client that shares its allowance was told to slow down
    AllowanceShared,
    /// a client was refused one reader of events too many
    ReaderRefused,
    /// a reader of events resumed where it had stopped
    EventsResumed,
    /// a reader of events was told how many it missed
    EventsMissed,
    /// a client held a connection without using it
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
    /// fault: a frozen coordinator
    FaultFreezeCoordinator,
    /// fault: a bridge that delivers messages twice, and late
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
    /// forgery: a forged announcement of a live worker
    ForgedLive,
    /// forgery: a forged farewell
    ForgedLeft,
    /// forgery: a forged announcement of a draining worker
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
    /// a coordinator took over a feed
    Failover,
    /// a coordinator learned that another one had recorded a round
    RoundLost,
    /// a coordinator that was paused learned so
    PausedLost,
    /// nobody knew what had become of a record
    RoundUnclear,
    /// a round left nothing
    RoundQuiet,
    /// a round was refused
    RoundRefused,
    /// a value was reported because the heartbeat had passed
    ReportHeartbeat,
    /// a value was reported because it had moved
    ReportDeviation,
    /// a disputed round was recorded
    RecordDisputed,
    /// a round without an answer was recorded
    RecordFailed,
    /// a record follows one that the store has lost
    FollowsForgotten,
    /// a lease was released
    LeaseReleased,
    /// a coordinator with feeds stopped
    StoreStopped,
    /// an entry was stored, and its author was not told
    AnswerLost,
    /// an entry was stored after its author had been told nothing
    StoredLate,
    /// an author found that its entry was stored
    SettledStored,
    /// an author stored its entry at another attempt
    SettledAgain,
    /// an author found that its entry was not stored
    SettledLost,
    /// an entry was refused although none had come first
    ConflictWithNothing,
    /// an entry was lost with the leader of the store
    ElectionDropped,
    /// a reading was behind
    ReadBehind,
    /// a watch began again
    WatchedAgain,
    /// a durable request was accepted
    DurableAccepted,
    /// a durable request was accepted that had an outcome
    DurableDone,
    /// a durable request was refused because another query has its id
    DurableConflict,
    /// nobody knew whether a durable request was accepted
    DurableUnclear,
    /// a durable request was taken over
    DurableTaken,
    /// a durable request was left to other coordinators
    DurableReleased,
    /// an outcome was not stored because another one was
    OutcomeLost,
    /// a client was told an outcome after the faults
    DurableToldAfter,
    /// fault: the store has no leader
    FaultElection,
    /// fault: the leader of the store is paused
    FaultLeaderPaused,
    /// fault: a coordinator is cut off from the store
    FaultCut,
    /// fault: a coordinator reaches a replica without a leader
    FaultMinority,
    /// fault: lost answers of the store
    FaultLostAnswers,
    /// fault: late messages to the store
    FaultLateRequests,
    /// fault: readings that are behind
    FaultLag,
    /// fault: a store that loses what it has acknowledged
    FaultForget,
    /// fault: a coordinator with feeds is killed
    FaultStoreCrash,
    /// fault: a coordinator with feeds is paused
    FaultStorePause,
    /// fault: a coordinator with feeds is told to stop
    FaultStoreStop,
    /// fault: a feed is removed
    FaultWithout,
    /// fault: a feed is changed
    FaultRedefine,
    /// fault: slow rounds
    FaultSlowRounds,
    /// fault: rounds that fail
    FaultFailRounds,
    /// fault: a stranger writes on the subject of a feed
    FaultStrangers,
}

impl Sometimes {
    /// Whether runs at this depth can reach it.
    pub fn is_possible(self, depth: Depth) -> bool {
        if self.needs_store() || depth == Depth::Store {
            return self.needs_store() && depth == Depth::Store;
        }
        let needs_edge = matches!(
            self,
            Self::RateLimited
                | Self::CalledWhileDraining
                | Self::FarewellWithAnswer
                | Self::Traced
                | Self::PackedTogether
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
            // Over the network a frozen coordinator receives nothing, but its timers go on.
            Self::StoodStill => depth == Depth::Machines,
            _ => !needs_edge || depth == Depth::Network,
        }
    }

    /// Whether only the stage with a store can reach it: it and those after it.
    fn needs_store(self) -> bool {
        self >= Self::Failover
    }

    /// The counter of a kind of fault on the stage with a store.
    pub(super) fn store_fault(kind: StoreFaultKind) -> Self {
        use Sometimes as S;
        match kind {
            StoreFaultKind::Election => S::FaultElection,
            StoreFaultKind::LeaderPaused => S::FaultLeaderPaused,
            StoreFaultKind::Cut(_) => S::FaultCut,
            StoreFaultKind::Minority(_) => S::FaultMinority,
            StoreFaultKind::LostAnswers(_) => S::FaultLostAnswers,
            StoreFaultKind::LateRequests(..) => S::FaultLateRequests,
            StoreFaultKind::Lag(_) => S::FaultLag,
            StoreFaultKind::Forget(_) => S::FaultForget,
            StoreFaultKind::Crash(_) => S::FaultStoreCrash,
            StoreFaultKind::Pause(_) => S::FaultStorePause,
            StoreFaultKind::Stop(_) => S::FaultStoreStop,
            StoreFaultKind::Without(_) => S::FaultWithout,
            StoreFaultKind::Redefine(_) => S::FaultRedefine,
            StoreFaultKind::SlowRounds(..) => S::FaultSlowRounds,
            StoreFaultKind::FailRounds(_) => S::FaultFailRounds,
            StoreFaultKind::Strangers(..) => S::FaultStrangers,
        }
    }

    /// The counter of a kind of fault.
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
