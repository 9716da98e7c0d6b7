//! The laws that every aggregation obeys, over arbitrary decimals, including extreme ones.

mod breakdown;
mod evidence;
mod numbers;
mod outliers;
mod strategies;
mod support;
