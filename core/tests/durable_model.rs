//! Durable requests against their model: for any inputs at any times, the machine does what the model says.
//!
//! `PROPTEST_CASES` sets how many sequences of inputs are tried.

mod conformance;

use quorate_model::arbitrary::{DurableRun, durable_config, durable_steps};

use conformance::{Played, compare, lines};

/// The number of things that [`DurableRun::reached`] can count.
const REACHABLE: usize = 21;

#[test]
fn whatever_happens_to_durable_requests_the_machine_does_what_its_model_does() {
    let case = (durable_config(), durable_steps());
    compare(
        &case,
        |(config, steps)| {
            let run = DurableRun::play(config.clone(), steps)?;
            Ok(Played { reached: run.reached().collect(), replays: run.replays() })
        },
        |(config, steps)| format!("{config:?}\nsteps:\n{}", lines(steps)),
        Some(REACHABLE),
    );
}
