//! Feeds: one file for each concern. What a round comes to, when it is asked, who drives a feed, what the store says,
//! other feeds than before, the end, limits, and several coordinators with one store.

mod cluster;
mod drain;
mod lease;
mod limits;
mod reload;
mod report;
mod schedule;
mod store;
mod support;
mod world;
