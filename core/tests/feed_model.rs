//! The feeds against their model: for any inputs at any times, they do what the model says.
//!
//! `PROPTEST_CASES` sets how many sequences of inputs are tried.

mod conformance;

use quorate_model::arbitrary::{FeedsRun, feed_steps};

use conformance::{Played, compare, lines};

/// The number of things that [`FeedsRun::reached`] can count.
const REACHABLE: usize = 17;

#[test]
fn whatever_happens_the_feeds_do_what_their_model_does() {
    let case = feed_steps();
    compare(
        &case,
        |steps| {
            let run = FeedsRun::play(steps.iter().map(<[u8; 24]>::as_slice))?;
            Ok(Played { reached: run.reached().collect(), replays: run.replays() })
        },
        |steps| format!("steps:\n{}", lines(steps)),
        Some(REACHABLE),
    );
}
