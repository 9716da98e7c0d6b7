//! Plays made-up inputs to a machine and its model, for the tests that compare the two.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};
use quorate_model::Divergence;

/// Enough to reach everything many times, in a few seconds.
const CASES: u32 = 4000;

/// What became of one case in which the machine did what its model says.
pub(crate) struct Played {
    /// How often each thing was reached.
    pub(crate) reached: Vec<(&'static str, u64)>,
    /// Whether a recording gave the same outputs again.
    pub(crate) replays: bool,
}

/// Plays cases, as many as `PROPTEST_CASES` says.
///
/// # Panics
/// If the machine does not do what its model says; `shown` says by which case. Also if the cases did not reach as many
/// things as are `reachable`, or everything that they name if that is `None`, unless too few were played for that.
pub(crate) fn compare<S: Strategy>(
    case: &S,
    play: impl Fn(&S::Value) -> Result<Played, Divergence>,
    shown: impl Fn(&S::Value) -> String,
    reachable: Option<usize>,
) {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if chosen { ProptestConfig::default().cases } else { CASES };
    let settings = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 50_000, ..Default::default() };
    let reached: RefCell<BTreeMap<&'static str, u64>> = RefCell::default();
    let began = Instant::now();
    let checked = TestRunner::new(settings).run(case, |case| {
        let played = play(&case).map_err(|divergence| TestCaseError::fail(divergence.to_string()))?;
        for (name, count) in played.reached {
            *reached.borrow_mut().entry(name).or_default() += count;
        }
        prop_assert!(played.replays, "a recording must replay to the same outputs");
        Ok(())
    });
    match checked {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("{why}"),
        Err(TestError::Fail(why, case)) => panic!("{why}\nfound with {}", shown(&case)),
    }
    let reached = reached.into_inner();
    println!("in {:?}: {reached:?}", began.elapsed());
    if cases >= CASES {
        let often = reached.values().filter(|count| **count > 0).count();
        let reachable = reachable.unwrap_or(reached.len());
        assert_eq!(often, reachable, "the inputs did not reach everything: {reached:?}");
    }
}

/// Steps, one in a line.
pub(crate) fn lines(steps: &[impl std::fmt::Debug]) -> String {
    steps.iter().map(|step| format!("  {step:?}")).collect::<Vec<_>>().join("\n")
}
