//! Adds the hosts of a run, each with its program.

use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use super::Play;
use crate::host::Host;
use crate::network::broker::{self, BrokerSettings};
use crate::network::client::{self, Errand};
use crate::network::condition::Condition;
use crate::network::life::Life;
use crate::network::stage::Surroundings;
use crate::network::{adversary, coordinator, worker};
use crate::scenario::{Request, Visit};

impl Play<'_> {
    /// Adds all hosts. The broker is first, so that it listens before any other host connects.
    pub(super) fn add_hosts(&mut self, surroundings: &Surroundings) {
        self.add_broker(surroundings);
        self.add_coordinators(surroundings);
        self.add_workers(surroundings);
        self.add_adversary(surroundings);
        self.add_clients();
    }

    fn add_broker(&mut self, surroundings: &Surroundings) {
        let bus = self.scenario.cluster.bus;
        let settings = BrokerSettings { queue: bus.broker_queue, keepalive: Duration::from_millis(bus.keepalive_ms) };
        let (control, surroundings) = (self.broker.clone(), surroundings.clone());
        let life = self.add_life(Host::Broker);
        self.sim.host(Host::Broker.to_string(), move || {
            let (control, surroundings, life) = (control.clone(), surroundings.clone(), Arc::clone(&life));
            async move {
                let Some(incarnation) = life.begin() else { return pending().await };
                surroundings.begins(Host::Broker, incarnation.number);
                broker::run(settings, control).await
            }
        });
    }

    fn add_coordinators(&mut self, surroundings: &Surroundings) {
        let settings = Rc::new(self.scenario.cluster.settings.clone());
        for coordinator in self.scenario.cluster.coordinators.clone() {
            let host = Host::Coordinator(coordinator.number);
            let (surroundings, settings, life) = (surroundings.clone(), Rc::clone(&settings), self.add_life(host));
            self.sim.host(host.to_string(), move || {
                let (surroundings, settings, life) = (surroundings.clone(), Rc::clone(&settings), Arc::clone(&life));
                let coordinator = coordinator.clone();
                async move { coordinator::run(&surroundings, coordinator, &settings, &life).await }
            });
        }
    }

    fn add_workers(&mut self, surroundings: &Surroundings) {
        for worker in self.scenario.cluster.workers.clone() {
            let host = Host::Worker(worker.number);
            let condition = Arc::new(Condition::default());
            self.conditions.insert(host, Arc::clone(&condition));
            let (surroundings, life) = (surroundings.clone(), self.add_life(host));
            self.sim.host(host.to_string(), move || {
                let (surroundings, worker) = (surroundings.clone(), worker.clone());
                let (condition, life) = (Arc::clone(&condition), Arc::clone(&life));
                async move { worker::run(&surroundings, &worker, &condition, &life).await }
            });
        }
    }

    fn add_adversary(&mut self, surroundings: &Surroundings) {
        if !self.scenario.cluster.adversary {
            return;
        }
        let (sender, forgeries) = unbounded_channel();
        self.forgeries = Some(sender);
        let surroundings = surroundings.clone();
        self.sim.client(Host::Adversary.to_string(), async move { adversary::run(&surroundings, forgeries).await });
    }

    fn add_clients(&mut self) {
        let runs = |number: u8| {
            let mut coordinators = self.scenario.cluster.coordinators.iter();
            coordinators.any(|coordinator| coordinator.number == number)
        };
        let is_there = |request: &Request| runs(request.coordinator);
        let is_visited = |visit: &Visit| runs(visit.coordinator);
        for number in &self.scenario.cluster.clients {
            let requests = self.scenario.requests.iter().enumerate();
            let errands: Vec<Errand> = requests
                .filter(|(_, request)| request.client == *number && is_there(request))
                .map(|(place, request)| (Some(place), request.clone()))
                .collect();
            self.clients.expect(errands.len());
            let (sender, later) = unbounded_channel();
            self.errands.insert(*number, sender);
            let visits = self.scenario.edges.visits.iter().copied().enumerate();
            let visits = visits.filter(|(_, visit)| visit.client == *number && is_visited(visit)).collect();
            let client = client::run(*number, Arc::clone(&self.clients), errands, visits, later);
            self.sim.client(Host::Client(*number).to_string(), client);
        }
    }

    fn add_life(&mut self, host: Host) -> Arc<Life> {
        Arc::clone(self.lives.entry(host).or_insert_with(|| Arc::new(Life::new())))
    }
}
