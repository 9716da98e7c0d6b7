//! An aggregator that has seen as many values before allocates only the list of excluded ones.

use std::alloc::System;

use quorate_core::aggregate::{Aggregator, Candidate, Millionths, Rule, Strategy};
use quorate_core::value::Value;
use rust_decimal::Decimal;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The only test here: the allocator counts for the whole process.
#[test]
fn aggregating_again_allocates_nothing_but_the_list_of_the_excluded() {
    let numbers: Vec<Value> = (0..31).map(|cents| Value::Number(Decimal::new(4_200_000 + cents, 2))).collect();
    let mut with_outliers = numbers.clone();
    with_outliers[7] = Value::Number(Decimal::ONE);
    let texts: Vec<Value> = (0..31).map(|_| Value::text("red").expect("short")).collect();

    for strategy in Strategy::ALL.iter().copied() {
        for outliers in [None, Some("0.05"), Some("mad:3"), Some("iqr:1.5")] {
            let rule = Rule {
                strategy,
                max_deviation: outliers.unwrap_or("none").parse().expect("a rule"),
                min_agreement: Some(Millionths::new(500_000)),
                ..Rule::default()
            };
            let mut aggregator = Aggregator::default();
            let mut allocations = |values: &[Value]| {
                let before = ALLOCATOR.stats().allocations;
                let aggregate = aggregator.aggregate(&rule, values.iter().map(Candidate::from));
                let allocations = ALLOCATOR.stats().allocations - before;
                let excluded = aggregate.map_or(0, |aggregate| aggregate.excluded.len());
                (allocations, excluded)
            };
            assert!(allocations(&numbers).0 > 0, "the first time it makes itself room");
            if strategy == Strategy::Majority {
                allocations(&texts);
                assert_eq!(allocations(&texts), (0, 0), "{strategy} of texts");
            }
            assert_eq!(allocations(&numbers), (0, 0), "{strategy} by {outliers:?}");
            let one = usize::from(outliers.is_some());
            assert_eq!(allocations(&with_outliers), (one, one), "{strategy} by {outliers:?}");
        }
    }
}
