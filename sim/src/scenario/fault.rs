//! What can go wrong, when, and for how long.

use serde::{Deserialize, Serialize};

use crate::host::Host;

/// One fault. It ends by itself, so that any of them can be removed from a schedule without leaving something broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins, in milliseconds; at least 1, so that every process has started.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// What goes wrong. A fault on a host that does not exist is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Nothing gets through between two hosts, in either direction. Messages in flight are lost.
    Partition(Host, Host),
    /// Nothing gets through from the first host to the second.
    PartitionOneWay(Host, Host),
    /// Messages between two hosts are held back and arrive when the fault ends.
    Hold(Host, Host),
    /// Messages between two hosts take at least this many milliseconds.
    Slow(Host, Host, u64),
    /// This many of a thousand messages between two hosts are lost. The first loss ends the connection.
    Loss(Host, Host, u32),
    /// The broker, a coordinator or a worker is killed, and starts again when the fault ends.
    Crash(Host),
    /// A coordinator or a worker is told to stop. It starts again when the fault ends, or when it has stopped if that
    /// takes longer.
    Stop(Host),
    /// A coordinator or a worker is frozen and resumes when the fault ends. The network stage approximates this: it
    /// holds the host's link to the broker, and pauses a worker's source.
    Freeze(Host),
    /// The broker closes all connections, this many times during the fault.
    ReconnectStorm(u32),
    /// A bridge to another cluster reconnects repeatedly: this many of a thousand tasks and announcements are
    /// delivered a second time, up to this many milliseconds later, possibly after later messages.
    Bridge(u32, u64),
    /// The observations of a worker take this many milliseconds longer.
    SlowSource(Host, u64),
    /// This many of a thousand observations of a worker fail.
    FailSource(Host, u32),
    /// A worker's source panics in this many of a thousand observations.
    PanicSource(Host, u32),
    /// The values of a worker's source are this many milliseconds older, and the source states that age.
    StaleSource(Host, u64),
    /// These workers report the same wrong value: this many thousandths above the truth.
    Lie(Vec<Host>, i64),
    /// A worker does this to this many of a thousand of its results.
    Mischief(Host, Mischief, u32),
    /// The presence announcements of a worker are lost.
    PresenceLost(Host),
    /// The adversary does this, this many times during the fault.
    Forge(Forgery, u32),
}

/// What a malicious worker does to a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mischief {
    /// It sends it twice.
    Duplicate,
    /// It sends it, and then a different one for the same request.
    Equivocate,
    /// It sends it this many milliseconds later.
    Delay(u64),
    /// It sends it after the next one.
    Reorder,
    /// It sends bytes that cannot be decoded in its place.
    Corrupt,
    /// It replaces the value by a text that is longer than a value may be.
    Oversize,
    /// It also sends it in the name of this worker.
    Impersonate(u8),
    /// It sends it for the previous request.
    Misattribute,
    /// It sends it on the reply subject of the previous task.
    Misdirect,
    /// It does not send it.
    Drop,
}

/// What the adversary does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// It answers a request that was never made.
    UnknownRequest,
    /// It answers the last task it has heard, in the name of this worker.
    Answer(u8),
    /// It answers the last task it has heard on the shared subject, in the name of this worker.
    AnswerShared(u8),
    /// It announces that this worker is live.
    Live(u8),
    /// It announces that this worker is gone.
    Left(u8),
    /// It announces that this worker is draining.
    Draining(u8),
    /// It forges the broker's notice that nobody received the last task it has heard.
    NoResponders,
    /// It answers the next task immediately, in the name of this worker.
    First(u8),
    /// It answers the last task it has heard in the name of this worker, as many times as the second field says, with
    /// random values.
    Repeats(u8, u8),
    /// It sends messages under this many invented names.
    Flood(Flood, u16),
    /// It sends bytes that cannot be decoded to every subject that it knows.
    Garbage,
    /// It sends its own task to the workers.
    Task,
}

/// What the adversary sends under invented names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flood {
    /// Answers to the last task it has heard, on its reply subject.
    Answers,
    /// Answers to the last task it has heard, on the shared subject.
    Shared,
    /// Answers to the oldest task it remembers, which may have ended, on the shared subject.
    Ended,
    /// Announcements that the names are live.
    Live,
}

impl FaultKind {
    /// The link that it disturbs, if it disturbs one.
    pub fn link(&self) -> Option<(Host, Host)> {
        match self {
            Self::Partition(one, other)
            | Self::PartitionOneWay(one, other)
            | Self::Hold(one, other)
            | Self::Slow(one, other, _)
            | Self::Loss(one, other, _) => Some((*one, *other)),
            _ => None,
        }
    }

    /// The hosts it concerns.
    pub fn hosts(&self) -> Vec<Host> {
        match self {
            Self::Partition(one, other)
            | Self::PartitionOneWay(one, other)
            | Self::Hold(one, other)
            | Self::Slow(one, other, _)
            | Self::Loss(one, other, _) => vec![*one, *other],
            Self::Crash(host)
            | Self::Stop(host)
            | Self::Freeze(host)
            | Self::SlowSource(host, _)
            | Self::FailSource(host, _)
            | Self::PanicSource(host, _)
            | Self::StaleSource(host, _)
            | Self::Mischief(host, ..)
            | Self::PresenceLost(host) => vec![*host],
            Self::ReconnectStorm(_) | Self::Bridge(..) => vec![Host::Broker],
            Self::Lie(hosts, _) => hosts.clone(),
            Self::Forge(..) => vec![Host::Adversary],
        }
    }

    /// Whether it can happen: the hosts it concerns exist, and are of the kind that it can concern.
    pub(crate) fn is_possible(&self, exists: impl Fn(Host) -> bool) -> bool {
        let mut hosts = self.hosts().into_iter();
        match self {
            Self::Lie(..) => hosts.any(exists),
            Self::Crash(host) => exists(*host) && !matches!(host, Host::Client(_) | Host::Adversary),
            Self::Stop(host) | Self::Freeze(host) => {
                exists(*host) && matches!(host, Host::Coordinator(_) | Host::Worker(_))
            }
            Self::SlowSource(host, _)
            | Self::FailSource(host, _)
            | Self::PanicSource(host, _)
            | Self::StaleSource(host, _)
            | Self::Mischief(host, ..)
            | Self::PresenceLost(host) => exists(*host) && matches!(host, Host::Worker(_)),
            _ => hosts.all(exists) && self.link().is_none_or(|(one, other)| one != other),
        }
    }
}
