//! A client that asks more often over HTTP than its rate allows is refused, and no client ever gets more than its rate.

use std::collections::BTreeMap;

use super::connections::is_one_too_many;
use crate::checkers::{Checker, Context};
use crate::event::{Event, Question, Reply, What};
use crate::host::Host;
use crate::scenario::{Proxy, forwarded_for};

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// `None` if the scenario has no rate limit.
#[derive(Debug)]
pub(crate) struct RateLimit(Option<Rates>);

pub(crate) fn new(context: &Context<'_>) -> RateLimit {
    let edges = &context.scenario.edges;
    let is_proxied = edges.proxy == Some(Proxy::Trusted);
    let limit = context.scenario.cluster.settings.rate_limit;
    RateLimit(limit.map(|limit| Rates::new(limit, is_proxied, edges.clients.is_some())))
}

/// The questions of all clients, and the rate that applies to each.
#[derive(Debug)]
struct Rates {
    per_second: u128,
    burst: u128,
    /// Whether coordinators trust clients to name the client for whom they ask.
    is_proxied: bool,
    /// Whether some clients may share one allowance.
    is_shared: bool,
    /// The client, the coordinator and the time of each open question.
    open: BTreeMap<u32, (Host, Host, u64)>,
    /// The questions of each client to each coordinator since that started: when each was asked, and when it was
    /// answered. Its allowance was checked at some time in between.
    asked: BTreeMap<(Host, Host), Vec<(u64, u64)>>,
}

impl Rates {
    fn new((per_second, burst): (u32, u32), is_proxied: bool, is_shared: bool) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
            is_proxied,
            is_shared,
            open: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// The number of requests that become allowed in this time, in 10^-9 requests.
    fn earned(&self, nanos: u64) -> u128 {
        self.per_second * u128::from(nanos)
    }

    fn asked(&mut self, at: u64, client: Host, asked: &Question) {
        let client = if self.is_proxied { Host::Client(u8::MAX - forwarded_for(asked.number)) } else { client };
        self.open.insert(asked.number, (client, asked.coordinator, at));
    }

    /// A coordinator has restarted, which restores every client's whole allowance.
    fn restarted(&mut self, coordinator: Host) {
        self.asked.retain(|(_, asked), _| *asked != coordinator);
        self.open.retain(|_, (_, asked, _)| *asked != coordinator);
    }

    fn gone(&mut self, number: u32) {
        if let Some((client, coordinator, from)) = self.open.remove(&number) {
            self.asked.entry((client, coordinator)).or_default().push((from, u64::MAX));
        }
    }

    fn replied(&mut self, at: u64, number: u32, reply: &Reply) -> Result<(), String> {
        let Reply::Http { status, body, .. } = reply else {
            self.gone(number);
            return Ok(());
        };
        // Such a response comes before the allowance is checked.
        if is_one_too_many(*status, body) {
            self.open.remove(&number);
            return Ok(());
        }
        let Some((client, coordinator, from)) = self.open.remove(&number) else { return Ok(()) };
        if *status == 429 {
            return self.check_limited(client, coordinator, from, at);
        }
        let asked = self.asked.entry((client, coordinator)).or_default();
        asked.push((from, at));
        self.check_allowed(client, coordinator, at)
    }

    /// Checks that a client got no more than its rate in any window that ends here.
    fn check_allowed(&self, client: Host, coordinator: Host, until: u64) -> Result<(), String> {
        let asked = &self.asked[&(client, coordinator)];
        for (from, _) in asked {
            let inside = asked.iter().filter(|(asked, answered)| asked >= from && *answered <= until).count();
            let allowed = self.earned(until - from) + (self.burst + 1) * NANOS_PER_SECOND;
            if inside as u128 * NANOS_PER_SECOND > allowed {
                let window = until - from;
                return Err(format!(
                    "{coordinator} allowed {client} {inside} requests in {window} ns, which is above its rate"
                ));
            }
        }
        Ok(())
    }

    /// Checks that the client may have used up its allowance in some window before a refusal.
    fn check_limited(&self, client: Host, coordinator: Host, from: u64, until: u64) -> Result<(), String> {
        let counts = |by: Host, of: Host| of == coordinator && (by == client || self.is_shared);
        let asked = self.asked.iter().filter(|((by, of), _)| counts(*by, *of));
        let mut perhaps: Vec<(u64, u64)> = asked.flat_map(|(_, asked)| asked.iter().copied()).collect();
        let open = self.open.values().filter(|(by, of, _)| counts(*by, *of));
        perhaps.extend(open.map(|(_, _, asked)| (*asked, u64::MAX)));
        perhaps.retain(|(asked, _)| *asked <= until);
        let begins = perhaps.iter().map(|(_, answered)| *answered).chain([from]);
        let is_used_up = begins.into_iter().any(|begin| {
            let inside = perhaps.iter().filter(|(_, answered)| *answered >= begin).count();
            // One less than the burst: a question that is no longer known here may have counted.
            let least = (self.burst - 1) * NANOS_PER_SECOND + self.earned(from.saturating_sub(begin));
            inside as u128 * NANOS_PER_SECOND >= least
        });
        if is_used_up { Ok(()) } else { Err(format!("{coordinator} refused {client}, which is within its rate")) }
    }
}

impl Checker for RateLimit {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let Some(rates) = &mut self.0 else { return Ok(()) };
        match event.what {
            What::Asked(asked) => rates.asked(event.at, event.host, asked),
            What::Replied(number, reply) => return rates.replied(event.at, number, reply),
            What::Vanished(number) => rates.gone(number),
            What::Started { .. } | What::Crashed if matches!(event.host, Host::Coordinator(_)) => {
                rates.restarted(event.host);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Depth;
    use crate::checkers::testing::inputs::request;
    use crate::checkers::testing::rig::{COORDINATOR, Rig};
    use crate::scenario::Scenario;

    fn http(status: u16) -> Reply {
        Reply::Http { status, retry_after: None, body: String::new() }
    }

    /// A client asks five times, every `pause_ms`, at a rate of 10 per second and a burst of 3.
    fn rated(pause_ms: u64, statuses: [u16; 5], restarts: bool) -> Rig {
        let mut scenario = Scenario::quiet();
        scenario.cluster.settings.rate_limit = Some((10, 3));
        let mut run = Rig::at(&scenario, Depth::Network, new);
        for (number, status) in (1..).zip(statuses) {
            run.asked(number, None, request());
            run.pass(1);
            run.replied(number, &http(status));
            run.pass(pause_ms);
            if restarts {
                run.tell(COORDINATOR, What::Started { incarnation: 2 });
            }
        }
        run
    }

    #[test]
    fn a_client_gets_its_rate_and_no_more() {
        rated(1, [200, 200, 200, 429, 429], false).expect_fine();
        rated(100, [200; 5], false).expect_fine();
        rated(1, [200; 5], true).expect_fine();
        rated(1, [200; 5], false).expect_violation("5 requests in");
        rated(1, [503; 5], false).expect_violation("5 requests in");
    }

    #[test]
    fn a_client_within_its_rate_is_not_limited() {
        rated(1, [200, 429, 200, 200, 200], false).expect_violation("within its rate");
        rated(400, [200, 200, 200, 200, 429], false).expect_violation("within its rate");
    }

    #[test]
    fn a_request_without_an_answer_may_have_counted() {
        let mut scenario = Scenario::quiet();
        scenario.cluster.settings.rate_limit = Some((1, 3));
        for vanish in [false, true] {
            let mut run = Rig::at(&scenario, Depth::Network, new);
            for number in 1..=3 {
                run.asked(number, None, request());
                if vanish {
                    run.tell(Host::Client(1), What::Vanished(number));
                } else {
                    run.replied(number, &Reply::Lost);
                }
            }
            run.asked(4, None, request());
            run.replied(4, &http(429));
            run.expect_fine();
        }
    }
}
