//! The coordinator against its model: for any inputs at any times, it does what the model says.
//!
//! `PROPTEST_CASES` sets how many sequences of inputs are tried.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use quorate_model::arbitrary::{self, Run};

/// Enough to reach every counter many times, in a few seconds.
const CASES: u32 = 4000;

#[test]
fn whatever_happens_the_coordinator_does_what_its_model_does() {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if chosen { ProptestConfig::default().cases } else { CASES };
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 50_000, ..Default::default() };
    let reached: RefCell<BTreeMap<&'static str, u64>> = RefCell::default();
    let began = Instant::now();
    let case = (arbitrary::config(), any::<u64>(), arbitrary::steps());
    let checked = TestRunner::new(config).run(&case, |(config, seed, steps)| {
        let run = Run::play(config, seed, &steps).map_err(|divergence| TestCaseError::fail(divergence.to_string()))?;
        let mut reached = reached.borrow_mut();
        for (name, count) in run.reached() {
            *reached.entry(name).or_default() += count;
        }
        prop_assert!(run.replays(), "a recording must replay to the same outputs");
        Ok(())
    });
    match checked {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("{why}"),
        Err(TestError::Fail(why, (config, seed, steps))) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
            panic!("{why}\nfound with {config:?}\nseed {seed}, steps:\n{}", steps.join("\n"));
        }
    }
    println!("in {:?}: {:?}", began.elapsed(), reached.borrow());
    if cases >= CASES {
        let unreached: Vec<_> = reached.take().into_iter().filter(|(_, count)| *count == 0).collect();
        assert!(unreached.is_empty(), "no input led to {unreached:?}");
    }
}
