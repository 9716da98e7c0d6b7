//! The connection to NATS, and questions over it. Every wait is bounded.

use std::time::Duration;

use async_nats::jetstream::response::Response;
use async_nats::{Client, HeaderMap, Message, Request, RequestErrorKind};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::bus::Bus as _;
use crate::bus::nats::NatsBus;

/// How long an answer may take, from the moment it is asked for. An answer that needs a connection first waits for it as
/// part of that time.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What the subjects of the API of JetStream begin with.
const API: &str = "$JS.API.";

/// An error that JetStream answers.
pub(super) type ApiError = async_nats::jetstream::Error;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Silence {
    /// The question is too large and was not sent.
    #[error("{0}")]
    TooLarge(String),
    /// Nobody listens: there is no JetStream, or a stream was removed. In a cluster, this may pass.
    #[error("no JetStream server listens to {0}; its stream may be gone")]
    NoResponders(String),
    /// The connection was lost before an answer came.
    #[error("the connection to NATS was lost")]
    Lost,
    /// No connection, no answer over it, or one that says nothing.
    #[error("{0}")]
    Unanswered(String),
}

impl Silence {
    pub(super) fn too_late() -> Self {
        Self::Unanswered(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))
    }
}

/// The connection to NATS.
#[derive(Clone, Debug)]
pub(super) struct Link(NatsBus);

impl Link {
    pub(super) fn new(bus: NatsBus) -> Self {
        Self(bus)
    }

    pub(super) fn bus(&self) -> &NatsBus {
        &self.0
    }

    /// The client of the current connection, if there is one.
    pub(super) fn connected_client(&self) -> Option<Client> {
        self.0.client()
    }

    /// The client of the current connection, as soon as there is one.
    pub(super) async fn client(&self) -> Client {
        let mut status = self.0.status();
        loop {
            if let Some(client) = self.0.client() {
                return client;
            }
            // The sender lives as long as the bus.
            let _ = status.wait_for(|status| status.connected).await;
            tokio::task::yield_now().await;
        }
    }

    /// The answer to a message.
    pub(super) async fn request(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        body: Bytes,
    ) -> Result<Message, Silence> {
        let answer = async {
            let client = self.client().await;
            let mut request = Request::new().payload(body).timeout(None);
            if let Some(headers) = headers {
                request = request.headers(headers);
            }
            client.send_request(subject.clone(), request).await
        };
        let answer = timeout(ANSWER_WITHIN, answer).await.map_err(|_| self.too_late(&subject))?;
        answer.map_err(|error| match error.kind() {
            RequestErrorKind::MaxPayloadExceeded => Silence::TooLarge(error.to_string()),
            RequestErrorKind::NoResponders => Silence::NoResponders(subject),
            RequestErrorKind::TimedOut | RequestErrorKind::InvalidSubject | RequestErrorKind::Other => Silence::Lost,
        })
    }

    /// Why there was no answer in time.
    pub(super) fn too_late(&self, subject: &str) -> Silence {
        if self.0.forbids(subject) {
            return Silence::Unanswered(format!("this user of NATS may not publish to {subject}"));
        }
        Silence::too_late()
    }

    /// What JetStream answers to a request to its API.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        subject: &str,
        body: &impl Serialize,
    ) -> Result<Result<T, ApiError>, Silence> {
        let body = serde_json::to_vec(body).map_err(|error| Silence::Unanswered(error.to_string()))?;
        let answer = self.request(api(subject), None, body.into()).await?;
        match serde_json::from_slice(&answer.payload) {
            Ok(Response::Ok(answer)) => Ok(Ok(answer)),
            Ok(Response::Err { error }) => Ok(Err(error)),
            Err(error) => Err(Silence::Unanswered(format!("the answer cannot be read: {error}"))),
        }
    }
}

/// A subject of the API of JetStream.
pub(super) fn api(subject: &str) -> String {
    format!("{API}{subject}")
}
