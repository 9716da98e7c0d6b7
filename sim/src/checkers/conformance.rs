//! Each machine does exactly what an independent model of it does.
//!
//! A driver tells its machine many things before it asks what to do; a model wants what its machine did after each. So
//! a model is told the next thing only when the machine has done all that the model expects of the one before.

use std::collections::VecDeque;

use quorate_core::coordinator::{self, Coordinator};
use quorate_core::time::Timestamp;
use quorate_core::worker::{self, Worker};
use quorate_model::{CoordinatorModel, Divergence, WorkerModel};

use super::hosts::entry;
use super::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;

/// Every so many passes all that can be seen of a machine is compared.
const COMPARE_EVERY: u32 = 16;

/// What the models have in common.
trait Model {
    type Machine;
    type Input: Clone;
    type Output;

    fn input(&mut self, now: Timestamp, input: &Self::Input);
    fn wake(&mut self, now: Timestamp);
    fn output(&mut self, output: &Self::Output) -> Result<(), Divergence>;
    fn expects_more(&self) -> bool;
    fn settled(&self) -> Result<(), Divergence>;
    fn compare(&self, machine: &Self::Machine) -> Result<(), Divergence>;
}

macro_rules! model {
    ($model:ty, $machine:ty, $input:ty, $output:ty) => {
        impl Model for $model {
            type Machine = $machine;
            type Input = $input;
            type Output = $output;

            fn input(&mut self, now: Timestamp, input: &$input) {
                <$model>::input(self, now, input);
            }

            fn wake(&mut self, now: Timestamp) {
                <$model>::wake(self, now);
            }

            fn output(&mut self, output: &$output) -> Result<(), Divergence> {
                <$model>::output(self, output)
            }

            fn expects_more(&self) -> bool {
                <$model>::expects_more(self)
            }

            fn settled(&self) -> Result<(), Divergence> {
                <$model>::settled(self)
            }

            fn compare(&self, machine: &$machine) -> Result<(), Divergence> {
                <$model>::compare(self, machine)
            }
        }
    };
}

model!(CoordinatorModel, Coordinator, coordinator::Input, coordinator::Output);
model!(WorkerModel, Worker, worker::Input, worker::Output);

/// A model beside its machine.
struct Twin<M: Model> {
    model: M,
    /// What the machine was told and the model was not yet; `None` is the time alone.
    steps: VecDeque<(Timestamp, Option<M::Input>)>,
    passes: u32,
}

impl<M: Model> Twin<M> {
    fn new(model: M) -> Self {
        Self { model, steps: VecDeque::new(), passes: 0 }
    }

    fn step(&mut self, now: Timestamp, input: Option<&M::Input>) {
        if !self.steps.is_empty() || self.model.expects_more() {
            self.steps.push_back((now, input.cloned()));
            return;
        }
        match input {
            Some(input) => self.model.input(now, input),
            None => self.model.wake(now),
        }
    }

    /// Tells the model the next things, up to one after which the machine should do something.
    fn catch_up(&mut self) {
        while !self.model.expects_more()
            && let Some((now, input)) = self.steps.pop_front()
        {
            match input {
                Some(input) => self.model.input(now, &input),
                None => self.model.wake(now),
            }
        }
    }

    fn output(&mut self, output: &M::Output) -> Result<(), Divergence> {
        self.catch_up();
        self.model.output(output)
    }

    fn settled(&mut self, machine: &M::Machine) -> Result<(), Divergence> {
        self.catch_up();
        self.model.settled()?;
        self.passes += 1;
        if self.passes.is_multiple_of(COMPARE_EVERY) { self.model.compare(machine) } else { Ok(()) }
    }
}

/// Runs a model beside every machine.
pub(super) struct Conformance {
    coordinator: coordinator::Config,
    workers: Vec<Option<worker::Config>>,
    coordinators: Vec<Option<Twin<CoordinatorModel>>>,
    worker_twins: Vec<Option<Twin<WorkerModel>>>,
}

pub(super) fn new(context: &Context<'_>) -> Conformance {
    let cluster = &context.scenario.cluster;
    let mut workers = Vec::new();
    for worker in &cluster.workers {
        *entry(&mut workers, worker.number) = Some(worker.config());
    }
    Conformance { coordinator: cluster.settings.config(), workers, coordinators: Vec::new(), worker_twins: Vec::new() }
}

impl Conformance {
    fn started(&mut self, host: Host) {
        match host {
            Host::Coordinator(number) => {
                let model = CoordinatorModel::new(self.coordinator.clone());
                *entry(&mut self.coordinators, number) = Some(Twin::new(model));
            }
            Host::Worker(number) => {
                let config = entry(&mut self.workers, number).clone();
                *entry(&mut self.worker_twins, number) = config.map(WorkerModel::new).map(Twin::new);
            }
            Host::Broker | Host::Client(_) | Host::Adversary => {}
        }
    }

    fn coordinator(&mut self, number: u8, what: What<'_>) -> Result<(), Divergence> {
        let Some(Some(twin)) = self.coordinators.get_mut(usize::from(number)) else { return Ok(()) };
        match what {
            What::CoordinatorInput(now, input) => twin.step(now, Some(input)),
            What::CoordinatorWoken(now) => twin.step(now, None),
            What::CoordinatorOutput(_, output) => return twin.output(output),
            What::CoordinatorSettled(_, machine) => return twin.settled(machine),
            _ => {}
        }
        Ok(())
    }

    fn worker(&mut self, number: u8, what: What<'_>) -> Result<(), Divergence> {
        let Some(Some(twin)) = self.worker_twins.get_mut(usize::from(number)) else { return Ok(()) };
        match what {
            What::WorkerInput(now, input) => twin.step(now, Some(input)),
            What::WorkerWoken(now) => twin.step(now, None),
            What::WorkerOutput(_, output) => return twin.output(output),
            What::WorkerSettled(_, machine) => return twin.settled(machine),
            _ => {}
        }
        Ok(())
    }
}

impl Checker for Conformance {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if let What::Started { .. } = event.what {
            self.started(event.host);
            return Ok(());
        }
        let verdict = match event.host {
            Host::Coordinator(number) => self.coordinator(number, event.what),
            Host::Worker(number) => self.worker(number, event.what),
            Host::Broker | Host::Client(_) | Host::Adversary => Ok(()),
        };
        verdict.map_err(|divergence| format!("{}: {divergence}", event.host))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_core::coordinator::{Config, Coordinator, Input, Output};
    use quorate_core::value::Value;
    use quorate_core::worker::{self, JobId};

    use crate::checkers::rig::{COORDINATOR, Rig, WORKER, live, query, result, scenario, submit, task};
    use crate::event::What;

    #[test]
    fn machines_do_what_their_models_do_however_they_are_told() {
        let mut rig = Rig::new(super::new);
        rig.coordinator(0, Input::BusUp);
        rig.coordinator(0, Input::Presence(live("w1")));
        for number in 0..20 {
            rig.at_ms(10 + number * 40);
            rig.begin_coordinator(submit(number));
            rig.begin_coordinator(submit(number));
            rig.begin_coordinator(result("w1", number, None, 5));
            rig.begin_coordinator(Input::Presence(live("w2")));
            rig.begin_coordinator(result("w2", number, None, 5));
            rig.settle_coordinator();
            rig.wake_coordinator(20 + number * 40);
        }
        rig.worker(0, worker::Input::BusUp);
        for number in 0..20 {
            rig.at_ms(number);
            rig.begin_worker(task(number, 500));
            rig.begin_worker(task(number, 900));
            rig.settle_worker();
            rig.worker(
                number,
                worker::Input::Done {
                    job: JobId(number),
                    observed: Ok(Value::Number(5.into())),
                    age: None,
                    trace: None,
                },
            );
        }
        rig.expect_fine();
    }

    #[test]
    fn an_output_too_many_and_one_too_few_are_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Drained));
        rig.expect_violation("there was Drained");
        let mut rig = Rig::new(super::new);
        rig.tell(WORKER, What::WorkerInput(rig.now(), &task(1, 500)));
        rig.settled_worker();
        rig.expect_violation("there was \"nothing\"");
    }

    #[test]
    fn another_output_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(WORKER, What::WorkerInput(rig.now(), &task(1, 500)));
        let start =
            worker::Output::Start { job: JobId(0), query: query(), time_left: Duration::from_millis(499), trace: None };
        rig.tell(WORKER, What::WorkerOutput(rig.now(), &start));
        rig.expect_violation("expected Start");
    }

    #[test]
    fn a_machine_that_looks_different_is_found() {
        let mut rig = Rig::new(super::new);
        let config = scenario().cluster.settings.config();
        rig.coordinator = Coordinator::new(Config { presence: Duration::from_secs(4), ..config }, 1);
        rig.coordinator(0, Input::Presence(live("w1")));
        for _ in 0..15 {
            rig.wake_coordinator(3_000);
        }
        rig.expect_violation("expected");
    }
}
