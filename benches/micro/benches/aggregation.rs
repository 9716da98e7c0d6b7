//! Every strategy and outlier rule for 3 to 100,000 values, next to a baseline and to alternative crates.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use medians::Medianf64 as _;
use quorate_core::aggregate::{Aggregator, Candidate, Millionths, OutlierRule, Rule, Strategy, mean, median};
use quorate_core::value::Value;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use statrs::statistics::{Data, OrderStatistics as _};

const COUNTS: [usize; 6] = [3, 7, 31, 100, 1_000, 100_000];

/// Prices around 42,000 with two decimals.
fn prices(count: usize) -> Vec<Decimal> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    (0..count).map(|_| Decimal::new(4_200_000 + i64::from(random.next_u32() % 8_000), 2)).collect()
}

/// Whole aggregations by strategy and by rule: exclusion, result, agreement and spread.
fn aggregate(c: &mut Criterion) {
    let mut group = c.benchmark_group("aggregate");
    let rules = Strategy::ALL
        .iter()
        .map(|strategy| (strategy.to_string(), Rule { strategy: *strategy, ..Rule::default() }))
        .chain(["0.05", "mad:3", "iqr:1.5"].map(|text| {
            let outliers: OutlierRule = text.parse().expect("a rule");
            let rule = Rule { strategy: Strategy::Median, max_deviation: outliers, ..Rule::default() };
            (format!("median {text}"), Rule { min_agreement: Some(Millionths::new(500_000)), ..rule })
        }));
    for (name, rule) in rules {
        for count in COUNTS {
            let values: Vec<Value> = prices(count).into_iter().map(Value::Number).collect();
            let mut aggregator = Aggregator::default();
            group.bench_function(BenchmarkId::new(&name, count), |bencher| {
                bencher.iter(|| aggregator.aggregate(&rule, black_box(&values).iter().map(Candidate::from)));
            });
        }
    }
}

fn of_copies<T: Clone, R>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    values: &[T],
    mut run: impl FnMut(&mut [T]) -> R,
) {
    group.bench_function(BenchmarkId::new(name, values.len()), |bencher| {
        bencher.iter_batched_ref(|| values.to_vec(), |values| run(black_box(values)), BatchSize::SmallInput);
    });
}

/// The median and the mean alone, next to the least they could cost and to crates for binary floating point.
fn baselines(c: &mut Criterion) {
    for count in COUNTS {
        let prices = prices(count);
        let floats: Vec<f64> = prices.iter().map(|price| price.to_f64().expect("a price")).collect();

        let mut group = c.benchmark_group("median");
        of_copies(&mut group, "quorate", &prices, median);
        of_copies(&mut group, "baseline: select_nth_unstable", &prices, |prices| {
            *prices.select_nth_unstable(prices.len() / 2).1
        });
        of_copies(&mut group, "statrs, f64", &floats, |floats| Data::new(floats).median());
        of_copies(&mut group, "medians, f64", &floats, |floats| floats.medf_checked());
        group.finish();

        let mut group = c.benchmark_group("average");
        of_copies(&mut group, "quorate", &prices, |prices| mean(prices));
        of_copies(&mut group, "baseline: checked sum", &prices, |prices| {
            let sum = prices.iter().try_fold(Decimal::ZERO, |sum, price| sum.checked_add(*price))?;
            sum.checked_div(Decimal::from(prices.len()))
        });
        of_copies(&mut group, "plain sum, f64", &floats, |floats| floats.iter().sum::<f64>() / floats.len() as f64);
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    targets = aggregate, baselines
}
criterion_main!(benches);
