#![doc = include_str!("../README.md")]
//!
//! * [`client`] sends requests; [`error`] says why there is no answer
//! * [`body`] has the JSON of requests and answers, and [`value`] the values in them
//! * [`follow`] reads the stream of events
//! * [`transport`] makes the HTTP client under it
//!
//! The crate depends on no other crate of Quorate. A program that asks a question needs neither the state machines nor
//! the adapters, and a value is a [`Decimal`] or a text.

pub mod body;
pub mod client;
pub mod error;
pub mod follow;
pub mod transport;
pub mod value;

pub use body::{Ask, Body, ErrorBody, Evidence, Outcome, RequestState, Status, Worker, WorkerResponse, Workers};
pub use client::{Client, ClientBuilder, Received};
pub use error::{Error, Refusal};
pub use follow::{Event, Follow, Following};
pub use rust_decimal::Decimal;
pub use value::Value;
