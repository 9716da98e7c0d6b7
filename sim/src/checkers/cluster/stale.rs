//! Nothing that was published before or during an outage is received after it, and nothing more often than it was sent.
//!
//! What was in transit when a session ended may arrive for a bounded time. A bridge may repeat a message once.

use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use quorate_core::{coordinator, worker};

use crate::checkers::hosts::{Map, PerHost};
use crate::checkers::{Checker, Context};
use crate::event::{Body, Event, Message, What};
use crate::host::Host;
use crate::scenario::{Fault, FaultKind, Scenario};
use crate::trace::TraceHash;

/// What a host may take between receiving a message and passing it on.
const SLACK: Duration = Duration::from_millis(100);
/// How long a message is remembered beyond the time in which it may arrive.
const REMEMBER: Duration = Duration::from_secs(10);

/// The sessions of one process, each of one connection.
#[derive(Debug, Default)]
struct Sessions {
    /// When each session ended. The number of the current one is their count.
    ended: Vec<u64>,
    /// Whether the machine knows that it has no connection.
    down: bool,
    frozen: u32,
    thawed_at: Option<u64>,
}

/// All messages with the same content.
#[derive(Debug)]
struct Sends {
    count: u32,
    /// The last of them: its sender, its time, and the sender's session.
    by: Host,
    at: u64,
    session: usize,
    received: Vec<(Host, u32)>,
}

pub(crate) struct Stale {
    sessions: PerHost<Sessions>,
    sent: Map<u64, Sends>,
    sweep_at: usize,
    /// How long after the end of a session its messages may arrive, in nanoseconds.
    allowed: u64,
    /// Whether tasks and announcements may be delivered a second time.
    bridge: bool,
    /// Whether workers may send other results than their machines put out, or more.
    mischief: bool,
    /// Whether messages may arrive that no host reports as sent.
    forgeries: bool,
}

pub(crate) fn new(context: &Context<'_>) -> Stale {
    let Scenario { cluster, faults, .. } = context.scenario;
    let slowest = faults.iter().map(|fault| match fault.kind {
        FaultKind::Slow(_, _, millis) => millis,
        _ => 0,
    });
    let latency =
        Duration::from_micros(cluster.network.latency_us.1) + Duration::from_millis(slowest.max().unwrap_or(0));
    let bridges = faults.iter().filter_map(|fault| match fault.kind {
        FaultKind::Bridge(_, latest_ms) => Some(Duration::from_millis(latest_ms)),
        _ => None,
    });
    let latest_again = bridges.max();
    // A connection outlives its outage by at most the keep-alive time, to the broker and from it.
    let allowed =
        2 * (Duration::from_millis(cluster.bus.keepalive_ms) + latency) + latest_again.unwrap_or_default() + SLACK;
    Stale {
        sessions: PerHost::new(),
        sent: Map::default(),
        sweep_at: 1024,
        allowed: allowed.as_nanos() as u64,
        bridge: latest_again.is_some(),
        mischief: faults.iter().any(|fault| matches!(fault.kind, FaultKind::Mischief(..))),
        forgeries: faults.iter().any(|fault| matches!(fault.kind, FaultKind::Forge(..))),
    }
}

fn hash(message: &Message) -> u64 {
    let mut hash = TraceHash::default();
    message.hash(&mut hash);
    hash.finish()
}

impl Stale {
    fn sent(&mut self, host: Host, at: u64, message: &Message) -> Result<(), String> {
        let mut session = 0;
        if let Some(sessions) = self.sessions.get(host) {
            session = sessions.ended.len();
            let machines_own = match host {
                // A call may be answered, and mischief done, before the machine learns of the outage.
                Host::Worker(_) => !self.mischief && message.subject.starts_with("oracle."),
                _ => true,
            };
            if sessions.down && machines_own {
                return Err(format!("{host} sent {message:?}, although its machine knows that it has no connection"));
            }
        }
        if self.sent.len() >= self.sweep_at {
            let keep = self.allowed + REMEMBER.as_nanos() as u64;
            self.sent.retain(|_, sends| sends.at.saturating_add(keep) >= at);
            self.sweep_at = self.sent.len() * 2 + 1024;
        }
        let sends =
            self.sent.entry(hash(message)).or_insert(Sends { count: 0, by: host, at, session, received: Vec::new() });
        sends.count += 1;
        (sends.by, sends.at, sends.session) = (host, at, session);
        Ok(())
    }

    fn received(&mut self, host: Host, at: u64, message: &Message) -> Result<(), String> {
        if matches!(message.body, Body::NoResponders | Body::Garbage(_)) {
            return Ok(());
        }
        let Some(receiver) = self.sessions.get(host) else { return Ok(()) };
        let (frozen, thawed_at) = (receiver.frozen > 0, receiver.thawed_at);
        let Some(sends) = self.sent.get_mut(&hash(message)) else {
            return if self.mischief || self.forgeries {
                Ok(())
            } else {
                Err(format!("{host} received a message that was not sent, or was sent very long ago: {message:?}"))
            };
        };
        let place = sends.received.iter().position(|(receiver, _)| *receiver == host).unwrap_or_else(|| {
            sends.received.push((host, 0));
            sends.received.len() - 1
        });
        let times = &mut sends.received[place].1;
        *times += 1;
        let may_be_more = self.forgeries || (self.mischief && matches!(message.body, Body::Result(_)));
        let repeated = self.bridge && matches!(message.body, Body::Task(_) | Body::Presence(_));
        if *times > sends.count * if repeated { 2 } else { 1 } && !may_be_more {
            return Err(format!(
                "{host} received {times} copies of a message that was sent {} times: {message:?}",
                sends.count
            ));
        }
        let (by, sent_at, session) = (sends.by, sends.at, sends.session);
        let ended = self.sessions.get(by).and_then(|sender| sender.ended.get(session).copied());
        // What waits in a frozen process may be as old as the freeze.
        let waited = frozen || thawed_at.is_some_and(|thawed_at| thawed_at >= sent_at);
        match ended {
            Some(ended) if !waited && !self.forgeries && at > ended.saturating_add(self.allowed) => Err(format!(
                "{host} received a message that {by} sent {:?} ago, in a session that ended {:?} ago: {message:?}",
                Duration::from_nanos(at - sent_at),
                Duration::from_nanos(at - ended)
            )),
            _ => Ok(()),
        }
    }

    fn session_ends(&mut self, event: &Event<'_>, down: bool) {
        if let Some(sessions) = self.sessions.get(event.host) {
            sessions.ended.push(event.at);
            sessions.down = down;
        }
    }

    fn bus_is_up(&mut self, host: Host) {
        if let Some(sessions) = self.sessions.get(host) {
            sessions.down = false;
        }
    }
}

impl Checker for Stale {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Sent(message) => return self.sent(event.host, event.at, message),
            What::Received(message) => return self.received(event.host, event.at, message),
            What::CoordinatorInput(_, coordinator::Input::BusDown) | What::WorkerInput(_, worker::Input::BusDown) => {
                self.session_ends(event, true);
            }
            What::Crashed | What::Stopped => self.session_ends(event, false),
            What::CoordinatorInput(_, coordinator::Input::BusUp) | What::WorkerInput(_, worker::Input::BusUp) => {
                self.bus_is_up(event.host);
            }
            What::Started { .. } => self.bus_is_up(event.host),
            What::FaultBegan(_, Fault { kind: FaultKind::Freeze(host), .. }) => {
                if let Some(sessions) = self.sessions.get(*host) {
                    sessions.frozen += 1;
                }
            }
            What::FaultEnded(_, Fault { kind: FaultKind::Freeze(host), .. }) => {
                if let Some(sessions) = self.sessions.get(*host) {
                    sessions.frozen = sessions.frozen.saturating_sub(1);
                    sessions.thawed_at = Some(event.at);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::{coordinator, worker};

    use crate::checkers::testing::inputs::live;
    use crate::checkers::testing::rig::{COORDINATOR, Rig, WORKER};
    use crate::event::{Body, Message, What};
    use crate::scenario::FaultKind;

    fn announcement() -> Message {
        Message { subject: "oracle.workers".into(), reply: None, body: Body::Presence(live("w1")) }
    }

    /// The worker announces itself, loses its connection at 10 ms, and is connected again at 100 ms.
    fn outage(rig: &mut Rig) {
        rig.tell(WORKER, What::Sent(&announcement()));
        rig.at_ms(10);
        rig.tell(WORKER, What::WorkerInput(rig.now(), &worker::Input::BusDown));
        rig.at_ms(100);
        rig.tell(WORKER, What::WorkerInput(rig.now(), &worker::Input::BusUp));
    }

    #[test]
    fn a_message_that_arrives_soon_after_the_end_of_its_session_is_fine() {
        let mut rig = Rig::new(super::new);
        outage(&mut rig);
        rig.at_ms(1_000);
        rig.tell(COORDINATOR, What::Received(&announcement()));
        rig.expect_fine();
        rig.tell(WORKER, What::Sent(&announcement()));
        rig.at_ms(9_000);
        rig.tell(COORDINATOR, What::Received(&announcement()));
        rig.expect_fine();
    }

    #[test]
    fn a_message_from_before_an_outage_is_found() {
        let mut rig = Rig::new(super::new);
        outage(&mut rig);
        rig.at_ms(2_200);
        rig.tell(COORDINATOR, What::Received(&announcement()));
        rig.expect_violation("in a session that ended");
        let mut rig = Rig::with_faults(super::new, vec![FaultKind::Freeze(COORDINATOR)]);
        outage(&mut rig);
        rig.at_ms(2_200);
        rig.fault_begins(0);
        rig.fault_ends(0);
        rig.tell(COORDINATOR, What::Received(&announcement()));
        rig.expect_fine();
    }

    #[test]
    fn a_message_that_is_sent_without_a_connection_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &coordinator::Input::BusDown));
        rig.tell(COORDINATOR, What::Sent(&announcement()));
        rig.expect_violation("knows that it has no connection");
    }

    #[test]
    fn a_message_that_arrives_twice_or_was_never_sent_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(WORKER, What::Sent(&announcement()));
        rig.tell(WORKER, What::Received(&announcement()));
        rig.tell(COORDINATOR, What::Received(&announcement()));
        rig.expect_fine();
        rig.tell(COORDINATOR, What::Received(&announcement()));
        rig.expect_violation("received 2 copies");
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::Received(&announcement()));
        rig.expect_violation("was not sent");
    }
}
