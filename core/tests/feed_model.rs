//! The feeds against their model: for any inputs at any times, they do what the model says.
//!
//! `PROPTEST_CASES` sets how many sequences of inputs are tried.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};
use quorate_model::arbitrary::{FeedsRun, feed_steps};

/// Enough to reach everything many times, in a few seconds.
const CASES: u32 = 4000;

/// The number of things that [`FeedsRun::reached`] can count.
const REACHABLE: usize = 17;

#[test]
fn whatever_happens_the_feeds_do_what_their_model_does() {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if chosen { ProptestConfig::default().cases } else { CASES };
    let settings = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 50_000, ..Default::default() };
    let reached: RefCell<BTreeMap<&'static str, u64>> = RefCell::default();
    let began = Instant::now();
    let play = |steps: &[[u8; 24]]| FeedsRun::play(steps.iter().map(<[u8; 24]>::as_slice));
    let checked = TestRunner::new(settings).run(&feed_steps(), |steps| {
        let run = play(&steps).map_err(|divergence| TestCaseError::fail(divergence.to_string()))?;
        for (name, count) in run.reached() {
            *reached.borrow_mut().entry(name).or_default() += count;
        }
        prop_assert!(run.replays(), "a recording must replay to the same outputs");
        Ok(())
    });
    match checked {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("{why}"),
        Err(TestError::Fail(why, steps)) => panic!("{why}\nsteps: {steps:?}"),
    }
    println!("in {:?}: {:?}", began.elapsed(), reached.borrow());
    if cases >= CASES {
        let reached = reached.take();
        let often = reached.values().filter(|count| **count > 0).count();
        assert_eq!(often, REACHABLE, "the inputs did not reach everything: {reached:?}");
    }
}
