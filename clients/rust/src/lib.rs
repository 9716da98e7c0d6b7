#![doc = include_str!("../README.md")]
//!
//! * [`client`] sends requests; [`error`] says why there is no answer
//! * [`body`] has the JSON of requests and answers, and [`value`] the values in them
//! * [`follow`] reads the streams of events, and [`history`] the history of a feed
//! * [`transport`] makes the HTTP client under it
//!
//! The crate depends on no other crate of Quorate. A program that asks a question needs neither the state machines nor
//! the adapters, and a value is a [`Decimal`] or a text.

pub mod body;
pub mod client;
pub mod error;
pub mod follow;
pub mod history;
pub mod transport;
pub mod value;

pub use body::{
    Ask, Body, ErrorBody, Evidence, Feed, FeedHistory, FeedState, Feeds, Outcome, Record, RequestState, RoundOutcome,
    Status, Worker, WorkerResponse, Workers,
};
pub use client::{Client, ClientBuilder, Received};
pub use error::{Error, Refusal};
pub use follow::{Event, FeedEvent, Follow, FollowFeeds, Following, FollowingFeeds};
pub use history::{Bound, FeedPages, Range};
pub use rust_decimal::Decimal;
pub use value::Value;
