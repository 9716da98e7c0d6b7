//! What programs send and receive on the bus and over HTTP, and what they keep besides their machines.

pub(super) mod connection;
pub(super) mod connections;
pub(super) mod events;
pub(super) mod farewells;
pub(super) mod followed;
pub(super) mod held;
pub(super) mod http;
pub(super) mod lost;
pub(super) mod malformed;
pub(super) mod pages;
pub(super) mod panics;
pub(super) mod parting;
pub(super) mod rates;
pub(super) mod sources;
mod touched;
pub(super) mod traces;
pub(super) mod wire;
