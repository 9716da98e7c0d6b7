//! The coordinator against its model: for any inputs at any times, it does what the model says.
//!
//! `PROPTEST_CASES` sets how many sequences of inputs are tried.

mod conformance;

use proptest::prelude::any;
use quorate_model::arbitrary::{self, Run};

use conformance::{Played, compare, lines};

#[test]
fn whatever_happens_the_coordinator_does_what_its_model_does() {
    let case = (arbitrary::config(), any::<u64>(), arbitrary::steps());
    compare(
        &case,
        |(config, seed, steps)| {
            let run = Run::play(config.clone(), *seed, steps)?;
            Ok(Played { reached: run.reached().collect(), replays: run.replays() })
        },
        |(config, seed, steps)| format!("{config:?}\nseed {seed}, steps:\n{}", lines(steps)),
        None,
    );
}
