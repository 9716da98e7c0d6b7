//! Each machine does exactly what an independent model of it does, and knows what the model knows.

use std::collections::BTreeMap;

use quorate_testing::model::{CoordinatorModel, Divergence, WorkerModel};

use super::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::Scenario;

/// A machine's whole state is compared each time this many events have settled; its outputs always are.
const COMPARE_EVERY: u32 = 16;

#[derive(Debug)]
enum Model {
    Coordinator(Box<CoordinatorModel>),
    Worker(Box<WorkerModel>),
}

pub(super) struct Conformance {
    scenario: Scenario,
    models: BTreeMap<Host, (Model, u32)>,
}

pub(super) fn new(context: &Context<'_>) -> Conformance {
    Conformance { scenario: context.scenario.clone(), models: BTreeMap::new() }
}

impl Conformance {
    fn started(&mut self, host: Host) {
        let cluster = &self.scenario.cluster;
        let model = match host {
            Host::Coordinator(_) => Model::Coordinator(Box::new(CoordinatorModel::new(cluster.settings.config()))),
            Host::Worker(number) => {
                let Some(spec) = cluster.workers.iter().find(|spec| spec.number == number) else { return };
                Model::Worker(Box::new(WorkerModel::new(spec.config())))
            }
            Host::Broker | Host::Client(_) | Host::Adversary => return,
        };
        self.models.insert(host, (model, 0));
    }

    fn judge(&mut self, event: &Event<'_>) -> Result<(), Divergence> {
        let Some((model, settled)) = self.models.get_mut(&event.host) else { return Ok(()) };
        match (model, event.what) {
            (Model::Coordinator(model), What::CoordinatorInput(now, input)) => {
                model.input(now, input);
                Ok(())
            }
            (Model::Coordinator(model), What::CoordinatorWoken(now)) => {
                model.wake(now);
                Ok(())
            }
            (Model::Coordinator(model), What::CoordinatorOutput(_, output)) => model.output(output),
            (Model::Coordinator(model), What::CoordinatorSettled(_, machine)) => {
                model.settled()?;
                *settled += 1;
                if settled.is_multiple_of(COMPARE_EVERY) { model.compare(machine) } else { Ok(()) }
            }
            (Model::Worker(model), What::WorkerInput(now, input)) => {
                model.input(now, input);
                Ok(())
            }
            (Model::Worker(model), What::WorkerWoken(now)) => {
                model.wake(now);
                Ok(())
            }
            (Model::Worker(model), What::WorkerOutput(_, output)) => model.output(output),
            (Model::Worker(model), What::WorkerSettled(_, machine)) => {
                model.settled()?;
                *settled += 1;
                if settled.is_multiple_of(COMPARE_EVERY) { model.compare(machine) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}

impl Checker for Conformance {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Started { .. } => {
                self.started(event.host);
                Ok(())
            }
            What::Crashed | What::Stopped => {
                self.models.remove(&event.host);
                Ok(())
            }
            _ => self.judge(event).map_err(|divergence| format!("{}: {divergence}", event.host)),
        }
    }
}
