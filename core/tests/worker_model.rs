//! The worker against its model: for any inputs at any times, it does what the model says.
//!
//! `PROPTEST_CASES` sets how many sequences of inputs are tried.

mod conformance;

use quorate_model::arbitrary::{WorkerRun, worker_config, worker_steps};

use conformance::{Played, compare, lines};

/// The number of things that [`WorkerRun::reached`] can count.
const REACHABLE: usize = 19;

#[test]
fn whatever_happens_the_worker_does_what_its_model_does() {
    let case = (worker_config(), worker_steps());
    compare(
        &case,
        |(config, steps)| {
            let run = WorkerRun::play(config.clone(), steps)?;
            Ok(Played { reached: run.reached().collect(), replays: run.replays() })
        },
        |(config, steps)| format!("{config:?}\nsteps:\n{}", lines(steps)),
        Some(REACHABLE),
    );
}
