//! What can go wrong, when, and for how long.

use serde::{Deserialize, Serialize};

use crate::host::Host;

/// One fault: it begins, and it ends by itself, so that leaving it out of a schedule leaves nothing broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it begins, in milliseconds; not before the first, so that every process has begun.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// What it is.
    pub kind: FaultKind,
}

/// What goes wrong. A fault on a host that does not exist is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Nothing gets from one host to the other, in both directions. What was on its way is lost.
    Partition(Host, Host),
    /// Nothing gets from the first host to the second.
    PartitionOneWay(Host, Host),
    /// What is sent between two hosts is held back and arrives when the fault ends.
    Hold(Host, Host),
    /// Messages between two hosts take this many milliseconds.
    Slow(Host, Host, u64),
    /// This many of a thousand messages between two hosts are lost, and with the first of them the connection.
    Loss(Host, Host, u32),
    /// A process is killed and starts again when the fault ends: the broker, a coordinator or a worker.
    Crash(Host),
    /// A coordinator or a worker is told to stop, and starts again when the fault ends, or when it has stopped if that
    /// takes longer.
    Stop(Host),
    /// A coordinator or a worker is frozen, and goes on where it was when the fault ends.
    Freeze(Host),
    /// The broker closes all connections, this many times during the fault.
    ReconnectStorm(u32),
    /// A bridge to another cluster reconnects repeatedly: this many of a thousand tasks and announcements are
    /// delivered a second time, up to this many milliseconds later, and so after later messages.
    Bridge(u32, u64),
    /// Observing takes a worker this many milliseconds more.
    SlowSource(Host, u64),
    /// This many of a thousand observations of a worker fail.
    FailSource(Host, u32),
    /// A worker's source panics in this many of a thousand cases.
    PanicSource(Host, u32),
    /// The values of a worker's source are this many milliseconds older, and the source says so.
    StaleSource(Host, u64),
    /// These worker processes observe the same wrong thing: so many thousandths above the truth.
    Lie(Vec<Host>, i64),
    /// A worker process does this with so many of a thousand of its results.
    Mischief(Host, Mischief, u32),
    /// What a worker says of itself is lost.
    PresenceLost(Host),
    /// The adversary does this, so many times during the fault.
    Forge(Forgery, u32),
}

/// What a worker that means no good does with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mischief {
    /// It sends it twice.
    Duplicate,
    /// It sends another one for the same request after it.
    Equivocate,
    /// It sends it so many milliseconds later.
    Delay(u64),
    /// It sends it after the next one.
    Reorder,
    /// It sends it with some bytes changed, so that it says nothing.
    Corrupt,
    /// It sends it with a text of more bytes than a message may have values.
    Oversize,
    /// It sends it in the name of this worker, too.
    Impersonate(u8),
    /// It sends it for the request before.
    Misattribute,
    /// It sends it on the reply subject of the task before.
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
    /// It answers the last task it has heard, in the name of a worker with this number.
    Answer(u8),
    /// It answers the last task it has heard on the subject that all coordinators share, in the name of this worker.
    AnswerShared(u8),
    /// It says that this worker is live.
    Live(u8),
    /// It says that this worker has left.
    Left(u8),
    /// It announces that this worker drains.
    Draining(u8),
    /// It forges the broker's notice that nobody listens for the last task it has heard.
    NoResponders,
    /// It answers the next task it hears at once, in the name of this worker.
    First(u8),
    /// It answers the last task it has heard this many times in the name of this worker, each time differently.
    Repeats(u8, u8),
    /// It speaks under this many invented names.
    Flood(Flood, u16),
    /// It sends bytes that say nothing to wherever coordinators and workers listen.
    Garbage,
    /// It sends a task of its own to the workers.
    Task,
}

/// What the adversary says in invented names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flood {
    /// Answers to the last task it has heard, where its answers go.
    Answers,
    /// Answers to the last task it has heard, on the subject that all coordinators share.
    Shared,
    /// Answers to a task it has heard before, which may have ended, on the subject that all coordinators share.
    Ended,
    /// That they are live.
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
