//! Reads one message at a time, through the leader and without its headers.
//!
//! A direct get and a consumer hand out a message with the headers of its author. If these are malformed, the client
//! library gives up its connection, as often as the message is read. `STREAM.MSG.GET` wraps them, so that the message
//! can be read nevertheless.

use std::collections::BTreeMap;

use async_nats::jetstream::{ErrorCode, stream};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quorate_core::time::UnixTime;
use serde::{Deserialize, Serialize};

use super::link::{Link, Silence};
use super::message::{StreamMessage, unix_time};

/// Which message is meant.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) enum Which<'a> {
    /// The one with this sequence.
    #[serde(rename = "seq")]
    At(u64),
    /// The newest one on a subject.
    #[serde(rename = "last_by_subj")]
    Newest(&'a str),
    /// The first one on a subject with this sequence or a greater one.
    #[serde(untagged)]
    Next {
        #[serde(rename = "seq")]
        sequence: u64,
        #[serde(rename = "next_by_subj")]
        subject: &'a str,
    },
}

#[derive(Deserialize)]
struct Answer {
    message: Wrapped,
}

#[derive(Deserialize)]
struct Wrapped {
    subject: String,
    seq: u64,
    /// In base64.
    #[serde(default)]
    data: String,
    time: String,
}

/// A question for the subjects of a stream, page by page.
#[derive(Serialize)]
struct SubjectsOf<'a> {
    subjects_filter: &'a str,
    offset: usize,
}

#[derive(Deserialize)]
struct Subjects {
    state: SubjectsState,
    #[serde(default)]
    total: usize,
}

#[derive(Deserialize)]
struct SubjectsState {
    last_seq: u64,
    /// How many messages each has.
    #[serde(default)]
    subjects: BTreeMap<String, u64>,
}

/// A message, if there is one.
pub(super) async fn single(link: &Link, stream: &str, which: Which<'_>) -> Result<Option<StreamMessage>, Silence> {
    match link.api::<Answer>(&format!("STREAM.MSG.GET.{stream}"), &which).await? {
        Ok(Answer { message }) => {
            let unreadable = || Silence::Unanswered("a message cannot be read".to_owned());
            let Wrapped { subject, seq, data, time } = message;
            Ok(Some(StreamMessage {
                subject,
                sequence: seq,
                stored_at: unix_time(&time).ok_or_else(unreadable)?,
                body: STANDARD.decode(data).map_err(|_| unreadable())?.into(),
            }))
        }
        Err(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
        Err(error) => Err(Silence::Unanswered(error.to_string())),
    }
}

/// A sequence that separates the messages stored before a time from the others.
pub(super) async fn sequence_at(link: &Link, stream: &str, time: UnixTime) -> Result<u64, Silence> {
    let info = link.api::<stream::Info>(&format!("STREAM.INFO.{stream}"), &()).await?;
    let state = info.map_err(|error| Silence::Unanswered(error.to_string()))?.state;
    let (mut low, mut high) = (state.first_sequence, state.last_sequence.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match single(link, stream, Which::Next { sequence: middle, subject: ">" }).await? {
            Some(message) if message.stored_at < time => low = message.sequence + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The subjects that have messages, and the last sequence of the stream when the first of them was read.
pub(super) async fn subjects(link: &Link, stream: &str, pattern: &str) -> Result<(u64, Vec<String>), Silence> {
    let (mut end, mut subjects) = (None, Vec::new());
    loop {
        let question = SubjectsOf { subjects_filter: pattern, offset: subjects.len() };
        let info = link.api::<Subjects>(&format!("STREAM.INFO.{stream}"), &question).await?;
        let Subjects { state, total } = info.map_err(|error| Silence::Unanswered(error.to_string()))?;
        let end = *end.get_or_insert(state.last_seq);
        let is_last = state.subjects.is_empty();
        subjects.extend(state.subjects.into_keys());
        if is_last || subjects.len() >= total {
            return Ok((end, subjects));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_which_message_is_meant() {
        for (which, json) in [
            (Which::At(7), r#"{"seq":7}"#),
            (Which::Newest("a.b"), r#"{"last_by_subj":"a.b"}"#),
            (Which::Next { sequence: 7, subject: "a.*" }, r#"{"seq":7,"next_by_subj":"a.*"}"#),
        ] {
            assert_eq!(serde_json::to_string(&which).expect("a question"), json);
        }
    }
}
