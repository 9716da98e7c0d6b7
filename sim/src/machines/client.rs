//! The clients: they ask, wait, give up and retry.

use quorate_core::coordinator::{Input, Refusal, Submit};
use quorate_core::id::{RequestId, Ticket};
use quorate_core::query::Query;

use super::links::{Fate, Node};
use super::{Next, Program, Stage, millis};
use crate::event::{Question, Reply, What};
use crate::host::Host;
use crate::retry;
use crate::scenario::Request;

/// The index of an exchange among all exchanges of a run.
pub(super) type ExchangeId = usize;

/// One question of a client, and its state.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    place: Option<usize>,
    request: Request,
    /// The number of retries left.
    retries: u8,
    client: Node,
    coordinator: Node,
    /// The incarnation of the coordinator that accepted the request, and its ticket there.
    taken: Option<(u32, Ticket)>,
    /// Whether the client has its reply or no longer waits for one.
    over: bool,
}

impl Exchange {
    /// A request of the workload, asked for the first time.
    pub(super) fn first(place: usize, request: &Request) -> Self {
        Self::new(Some(place), request.clone())
    }

    pub(super) fn coordinator(&self) -> Node {
        self.coordinator
    }

    fn new(place: Option<usize>, request: Request) -> Self {
        let retries = request.retries;
        Self { place, request, retries, client: 0, coordinator: 0, taken: None, over: false }
    }
}

impl Stage<'_> {
    /// A client asks a question.
    pub(super) fn ask(&mut self, mut exchange: Exchange) {
        let request = &exchange.request;
        let coordinator = Host::Coordinator(request.coordinator);
        let (Some(client), Some(node)) = (self.node(Host::Client(request.client)), self.node(coordinator)) else {
            return;
        };
        (exchange.client, exchange.coordinator) = (client, node);
        let id = self.exchanges.len();
        let asked =
            Question { number: id as u32, coordinator, place: exchange.place, request: exchange.request.clone() };
        self.tell(client, What::Asked(&asked));
        if let Some(after) = exchange.request.gives_up_ms {
            self.heap.plan(self.now + millis(after), Next::GiveUp(id));
        }
        self.heap.plan(self.now + retry::client_patience(&self.scenario.cluster), Next::ClientTimeout(id));
        self.exchanges.push(exchange);
        if let Fate::Arrives(at) = self.links.send(self.now, client, node) {
            self.heap.plan(at, Next::Submit(id));
        }
    }

    /// A request reaches its coordinator.
    pub(super) fn submit(&mut self, id: ExchangeId) {
        let node = self.exchanges[id].coordinator;
        let Some(ticket) = self.take_request(node, id) else {
            // No process runs there.
            self.send_reply(node, id, Reply::Lost);
            return;
        };
        let incarnation = self.incarnation(node);
        let exchange = &mut self.exchanges[id];
        exchange.taken = Some((incarnation, ticket));
        let request = &exchange.request;
        let submit = Submit {
            ticket,
            id: request.id_text().map(|id| RequestId::new(&id).expect("a word and a number are an identifier")),
            query: Query::new(request.query_text()).expect("the queries of scenarios are valid"),
            overrides: request.policy.overrides(),
            trace: None,
        };
        self.coordinator_input(node, &Input::Submit(submit));
    }

    /// Sends a coordinator's reply to the client.
    pub(super) fn send_reply(&mut self, node: Node, id: ExchangeId, reply: Reply) {
        let client = self.exchanges[id].client;
        if let Fate::Arrives(at) = self.links.send(self.now, node, client) {
            self.heap.plan(at, Next::Reply(id, Box::new(reply)));
        }
    }

    pub(super) fn reply(&mut self, id: ExchangeId, reply: &Reply) {
        let exchange = &mut self.exchanges[id];
        if std::mem::replace(&mut exchange.over, true) {
            return;
        }
        let (client, is_probe) = (exchange.client, exchange.place.is_none());
        self.tell(client, What::Replied(id as u32, reply));
        let is_open = |exchange: &Exchange| exchange.place.is_none() && !exchange.over;
        if is_probe && !self.exchanges.iter().any(is_open) {
            self.heap.plan(self.now, Next::Stop);
        }
        let is_retryable = match reply {
            Reply::Lost => true,
            Reply::Ended(Err(refusal)) => {
                matches!(refusal, Refusal::Overloaded | Refusal::Draining | Refusal::BusDown)
            }
            Reply::Ended(Ok(outcome)) => outcome.verdict.as_ref().is_err_and(|failure| failure.is_retryable()),
            Reply::Http { .. } => false,
        };
        if is_retryable {
            self.ask_again(id);
        }
    }

    pub(super) fn client_timeout(&mut self, id: ExchangeId) {
        if !self.exchanges[id].over {
            self.hear_of_leaving(id);
            self.reply(id, &Reply::Lost);
        }
    }

    /// The client leaves without waiting for its reply.
    pub(super) fn give_up(&mut self, id: ExchangeId) {
        let exchange = &mut self.exchanges[id];
        if std::mem::replace(&mut exchange.over, true) {
            return;
        }
        let client = exchange.client;
        self.tell(client, What::Vanished(id as u32));
        self.hear_of_leaving(id);
        self.ask_again(id);
    }

    /// The coordinator learns that the client is gone, if the network delivers that.
    fn hear_of_leaving(&mut self, id: ExchangeId) {
        let Exchange { client, coordinator, .. } = self.exchanges[id];
        if let Fate::Arrives(at) = self.links.send(self.now, client, coordinator) {
            self.heap.plan(at, Next::Cancel(id));
        }
    }

    pub(super) fn cancel(&mut self, id: ExchangeId) {
        let Exchange { coordinator, taken, .. } = self.exchanges[id];
        if let Some((incarnation, ticket)) = taken
            && incarnation == self.incarnation(coordinator)
            && self.is_waiting(coordinator, ticket)
        {
            self.forget_request(coordinator, ticket);
        }
    }

    /// Retries at the next coordinator, under the same id.
    fn ask_again(&mut self, id: ExchangeId) {
        let exchange = &self.exchanges[id];
        let mut request = exchange.request.clone();
        if exchange.retries == 0 || request.id.is_none() || self.now >= self.timing.healed {
            return;
        }
        request.coordinator = retry::next_coordinator(&self.scenario.cluster, request.coordinator);
        request.gives_up_ms = None;
        let mut again = Exchange::new(exchange.place, request);
        again.retries = exchange.retries - 1;
        self.heap.plan(self.now + retry::PAUSE, Next::Ask(Box::new(again)));
    }

    /// Probes every coordinator.
    pub(super) fn probe(&mut self) {
        for request in retry::probes(&self.scenario.cluster) {
            self.ask(Exchange::new(None, request));
        }
    }

    pub(super) fn incarnation(&self, node: Node) -> u32 {
        match &self.programs[node] {
            Program::Coordinator(coordinator) => coordinator.incarnation(),
            _ => 0,
        }
    }
}
