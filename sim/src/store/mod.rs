//! The stage with a store: the drivers of feeds and of durable requests, as in production, each in its own coordinator,
//! over one simulated store, with workers that are only simulated.
//!
//! * [`simulated`]: the store
//! * `stage.rs`: the schedule of a run; `keeper.rs`: a coordinator process; `rounds.rs`: what the workers answer
//! * `client.rs`: who submits durable requests, and waits for their outcomes
//! * [`event`]: what happens

mod client;
pub mod event;
mod keeper;
mod rounds;
pub mod simulated;
mod stage;

use std::sync::Arc;

use tokio::runtime::Builder;

use crate::scenario::Scenario;
use crate::watch::{Report, Watch};
use stage::Stage;

/// Plays a scenario.
pub(crate) fn play(scenario: &Scenario, watch: Watch) -> Report {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output needs nothing of the system");
    let (watch, stage) = runtime.block_on(async {
        let stage = Stage::new(scenario, watch);
        let watch = stage.watched();
        Arc::clone(&stage).play().await;
        (watch, Arc::downgrade(&stage))
    });
    drop(runtime);
    drop(stage);
    Arc::into_inner(watch).expect("nothing of the run is left").into_inner().expect("no panic").report()
}
