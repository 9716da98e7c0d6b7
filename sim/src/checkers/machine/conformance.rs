//! Each machine does exactly what an independent model of it does.

use quorate_core::{coordinator, worker};
use quorate_model::{CoordinatorModel, Divergence, WorkerModel};

use crate::checkers::hosts::{entry, worker_configs};
use crate::checkers::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;

/// The number of steps after which the whole visible state of a machine is compared.
const COMPARE_EVERY: u32 = 16;

/// Runs a model alongside every machine.
pub(crate) struct Conformance {
    coordinator: coordinator::Config,
    workers: Vec<Option<worker::Config>>,
    coordinators: Vec<Option<Twin<CoordinatorModel>>>,
    worker_twins: Vec<Option<Twin<WorkerModel>>>,
}

/// The model of a machine.
struct Twin<M> {
    model: M,
    /// The number of steps so far.
    steps: u32,
}

impl<M> Twin<M> {
    fn new(model: M) -> Self {
        Self { model, steps: 0 }
    }

    /// Counts a step. Returns whether the visible state is compared after it.
    fn compares(&mut self) -> bool {
        self.steps += 1;
        self.steps.is_multiple_of(COMPARE_EVERY)
    }
}

pub(crate) fn new(context: &Context<'_>) -> Conformance {
    let cluster = &context.scenario.cluster;
    let workers = worker_configs(cluster);
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
            What::CoordinatorInput(now, input) => twin.model.input(now, input),
            What::CoordinatorWoken(now) => twin.model.wake(now),
            What::CoordinatorOutput(_, output) => return twin.model.output(output),
            What::CoordinatorSettled(_, machine) => {
                twin.model.settled()?;
                return if twin.compares() { twin.model.compare(machine) } else { Ok(()) };
            }
            _ => {}
        }
        Ok(())
    }

    fn worker(&mut self, number: u8, what: What<'_>) -> Result<(), Divergence> {
        let Some(Some(twin)) = self.worker_twins.get_mut(usize::from(number)) else { return Ok(()) };
        match what {
            What::WorkerInput(now, input) => twin.model.input(now, input),
            What::WorkerWoken(now) => twin.model.wake(now),
            What::WorkerOutput(_, output) => return twin.model.output(output),
            What::WorkerSettled(_, machine) => {
                twin.model.settled()?;
                return if twin.compares() { twin.model.compare(machine) } else { Ok(()) };
            }
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

    use crate::checkers::testing::inputs::{answer, ask, live, query, task};
    use crate::checkers::testing::rig::{COORDINATOR, Rig, WORKER};
    use crate::event::What;
    use crate::scenario::Scenario;

    #[test]
    fn machines_do_what_their_models_do() {
        let mut rig = Rig::new(super::new);
        rig.coordinator(0, &Input::BusUp);
        rig.coordinator(0, &Input::Presence(live("w1")));
        for number in 0..20 {
            let at = 10 + number * 40;
            rig.coordinator(at, &ask(number));
            rig.coordinator(at, &ask(number));
            rig.coordinator(at, &answer("w1", number, None, 5));
            rig.coordinator(at, &Input::Presence(live("w2")));
            rig.coordinator(at, &answer("w2", number, None, 5));
            rig.wake_coordinator(20 + number * 40);
        }
        rig.worker(0, &worker::Input::BusUp);
        for number in 0..20 {
            rig.worker(number, &task(number, 500));
            rig.worker(number, &task(number, 900));
            rig.worker(
                number,
                &worker::Input::Done {
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
    fn an_extra_output_and_a_missing_one_are_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Drained));
        rig.expect_violation("expected nothing, but found Drained");
        let mut rig = Rig::new(super::new);
        rig.tell(WORKER, What::WorkerInput(rig.now(), &task(1, 500)));
        rig.settled_worker();
        rig.expect_violation("but found nothing");
    }

    #[test]
    fn a_wrong_output_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(WORKER, What::WorkerInput(rig.now(), &task(1, 500)));
        let start =
            worker::Output::Start { job: JobId(0), query: query(), time_left: Duration::from_millis(499), trace: None };
        rig.tell(WORKER, What::WorkerOutput(rig.now(), &start));
        rig.expect_violation("expected Start");
    }

    #[test]
    fn a_machine_with_a_different_state_is_found() {
        let mut rig = Rig::new(super::new);
        let config = Scenario::quiet().cluster.settings.config();
        rig.coordinator = Coordinator::new(Config { presence: Duration::from_secs(4), ..config }, 1);
        rig.coordinator(0, &Input::Presence(live("w1")));
        for _ in 0..15 {
            rig.wake_coordinator(3_000);
        }
        rig.expect_violation("expected");
    }
}
