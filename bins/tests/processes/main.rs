//! The programs as their operators run them: processes over a real NATS server, which are killed, stopped, set up wrongly
//! and asked over HTTP.

mod chromium;
mod commands;
mod dashboard;
mod embedded;
mod environment;
mod followers;
mod monitoring;
mod outages;
mod python;
mod refusals;
mod schemas;
mod stopping;
mod support;
mod terminal;
mod terminals;
mod tools;
