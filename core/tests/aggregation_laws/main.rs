//! The laws that every aggregation obeys, over arbitrary decimals, the extreme ones included.

mod breakdown;
mod evidence;
mod numbers;
mod outliers;
mod strategies;
mod support;
