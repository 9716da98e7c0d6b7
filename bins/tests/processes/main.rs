//! The programs as operators run them: processes with a real NATS server, which are killed, stopped, misconfigured and
//! asked over HTTP.

mod accessibility;
mod api_document;
mod checks;
mod chromium;
mod collector;
mod commands;
mod credentials;
mod dashboard;
mod docs_page;
mod embedded;
mod environment;
mod exchange;
mod exposure;
mod followers;
mod logs;
mod monitoring;
mod node;
mod outages;
mod packages;
mod policies;
mod prefixes;
mod python;
mod refusals;
mod rust;
mod schemas;
mod service;
mod stopping;
mod subcommands;
mod support;
mod terminal;
mod terminals;
mod tools;
mod tracing;
mod worth;
