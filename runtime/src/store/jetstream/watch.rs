//! Watches a log with an ordered consumer: the server sends messages in order and numbers them. If the consumer, its
//! server or the connection is lost, a new consumer goes on after the last message.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_nats::header::NATS_LAST_CONSUMER;
use async_nats::jetstream::consumer::{AckPolicy, Config, DeliverPolicy, Info};
use async_nats::jetstream::stream;
use async_nats::{Client, HeaderValue, Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Shared;
use super::link::api;
use super::message::{Delivery, StreamMessage, number};
use super::place::Place;
use super::single::{Which, single, subjects};
use crate::store::{Log, Watch, Watched};

/// How many entries may wait to be taken.
const CAPACITY: usize = 256;
/// How long a consumer may send nothing before it says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long nothing may come before the consumer is given up.
const SILENCE: Duration = Duration::from_millis(3_500);
/// How long the server keeps a consumer that nobody listens to.
const INACTIVE: Duration = Duration::from_secs(30);
/// The pause before a new consumer.
const PAUSE: Duration = Duration::from_millis(250);
/// After how many consumers that came no further the next message is read in another way.
const FRUITLESS: u32 = 2;
/// The header that names the subject on which a stalled consumer can be told to go on.
const STALLED: &str = "Nats-Consumer-Stalled";

/// A watch of a log on JetStream. A task of its own keeps it up.
#[derive(Debug)]
pub struct JetStreamWatch {
    seen: mpsc::Receiver<Watched>,
}

impl JetStreamWatch {
    pub(super) fn start(shared: Arc<Shared>, log: Log) -> Self {
        let (out, seen) = mpsc::channel(CAPACITY);
        let place = shared.place(log).clone();
        let mut follower =
            Follower { shared, place, out: out.clone(), consumer: None, fruitless: 0, progress: Progress::default() };
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = out.closed() => {}
                never = follower.follow() => match never {},
            }
            follower.leave().await;
        });
        Self { seen }
    }
}

impl Watch for JetStreamWatch {
    async fn next(&mut self) -> Watched {
        match self.seen.recv().await {
            Some(watched) => watched,
            // The task ends when this is dropped, or with the runtime.
            None => std::future::pending().await,
        }
    }
}

/// The task behind a watch.
struct Follower {
    shared: Arc<Shared>,
    place: Place,
    out: mpsc::Sender<Watched>,
    /// The name of the consumer that was made last.
    consumer: Option<String>,
    /// How many consumers in a row were lost before they came any further.
    fruitless: u32,
    progress: Progress,
}

/// How far a watch has come.
#[derive(Debug, Default)]
struct Progress {
    /// The sequence of the last message.
    sequence: u64,
    /// The greatest sequence of any message. Until everything has been seen once, each consumer starts from the beginning,
    /// and the message that breaks the connection may come after others.
    furthest: u64,
    caught_up: bool,
    /// When the stream was made.
    stream_made: Option<String>,
}

/// Why a consumer is given up.
type Reason = String;

/// A request for a consumer.
#[derive(Serialize)]
struct Create<'a> {
    stream_name: &'a str,
    config: Config,
    action: &'static str,
}

impl Follower {
    /// Follows one consumer after another.
    async fn follow(&mut self) -> Infallible {
        loop {
            let Err(reason) = self.follow_one().await;
            tracing::debug!(stream = self.place.stream, reason, "watching with another consumer");
            self.leave().await;
            sleep(PAUSE).await;
        }
    }

    /// Makes a consumer and takes what it delivers.
    async fn follow_one(&mut self) -> Result<Infallible, Reason> {
        if self.fruitless >= FRUITLESS {
            self.step_over().await?;
        }
        let deliver_policy = self.start().await?;
        let client = self.shared.link.client().await;
        let inbox = client.new_inbox();
        let mut messages = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        // A message may break the connection before the answer comes.
        self.fruitless += 1;
        let info = self.create(inbox, deliver_policy).await?;
        // Messages may already be on their way.
        let waiting = info.delivered.consumer_sequence.saturating_add(info.num_pending);
        let mut received = 0;
        self.caught_up(received >= waiting).await;
        loop {
            let message = timeout(SILENCE, messages.next()).await.map_err(|_| "it is silent")?;
            let message = message.ok_or("the connection to NATS was lost")?;
            if let Some(delivery) = message.reply.as_deref().and_then(Delivery::read) {
                if delivery.number != received + 1 {
                    return Err("a message was lost".to_owned());
                }
                received = delivery.number;
                let Delivery { sequence, stored_at, .. } = delivery;
                if sequence > self.progress.furthest {
                    (self.progress.furthest, self.fruitless) = (sequence, 0);
                }
                let (subject, body) = (message.subject.to_string(), message.payload);
                self.take(StreamMessage { subject, sequence, stored_at, body }).await;
                self.caught_up(received >= waiting || delivery.pending == 0).await;
            } else if message.status == Some(StatusCode::IDLE_HEARTBEAT) {
                if number(message.headers.as_ref(), NATS_LAST_CONSUMER).is_some_and(|last| last != received) {
                    return Err("a message was lost".to_owned());
                }
                let goes_on = go_on(&client, message).await;
                if !goes_on {
                    self.fruitless = 0;
                }
                self.caught_up(!goes_on).await;
            }
        }
    }

    /// Where to begin.
    async fn start(&mut self) -> Result<DeliverPolicy, Reason> {
        let info = self.shared.link.api::<stream::Info>(&format!("STREAM.INFO.{}", self.place.stream), &()).await;
        let info = info.map_err(|silence| silence.to_string())?.map_err(|error| error.to_string())?;
        let made = Some(format!("{:?}", info.created));
        let progress = &mut self.progress;
        // A stream that was made again, or that has lost its end, numbers other messages alike.
        let is_the_same = made == progress.stream_made && info.state.last_sequence >= progress.sequence;
        progress.stream_made = made;
        if !is_the_same {
            progress.furthest = 0;
        }
        if !progress.caught_up || !is_the_same || progress.sequence == 0 {
            progress.sequence = 0;
            return Ok(DeliverPolicy::LastPerSubject);
        }
        Ok(DeliverPolicy::ByStartSequence { start_sequence: progress.sequence + 1 })
    }

    async fn create(&mut self, deliver_subject: String, deliver_policy: DeliverPolicy) -> Result<Info, Reason> {
        let stream_name = self.place.stream.as_str();
        let name = deliver_subject.rsplit('.').next().unwrap_or(&deliver_subject).to_owned();
        let filter_subject = self.place.all();
        let subject = format!("CONSUMER.CREATE.{stream_name}.{name}.{filter_subject}");
        let config = Config {
            deliver_subject: Some(deliver_subject),
            name: Some(name.clone()),
            deliver_policy,
            ack_policy: AckPolicy::None,
            max_deliver: 1,
            filter_subject,
            flow_control: true,
            idle_heartbeat: HEARTBEAT,
            inactive_threshold: INACTIVE,
            num_replicas: 1,
            memory_storage: true,
            ..Config::default()
        };
        self.consumer = Some(name);
        let info = self.shared.link.api(&subject, &Create { stream_name, config, action: "create" }).await;
        info.map_err(|silence| silence.to_string())?.map_err(|error| error.to_string())
    }

    /// Reads the next message without a consumer: it may be one that breaks connections. At the beginning, it is not
    /// known which message that is, and the newest one on every subject is read.
    async fn step_over(&mut self) -> Result<(), Reason> {
        let (link, stream, all) = (self.shared.link.clone(), self.place.stream.clone(), self.place.all());
        let read = async |which: Which<'_>| single(&link, &stream, which).await.map_err(|error| error.to_string());
        if self.progress.caught_up {
            let next = Which::Next { sequence: self.progress.sequence + 1, subject: &all };
            if let Some(message) = read(next).await? {
                self.take(message).await;
            }
            return Ok(());
        }
        let (end, subjects) = subjects(&link, &stream, &all).await.map_err(|error| error.to_string())?;
        let mut newest = Vec::new();
        for subject in subjects {
            newest.extend(read(Which::Newest(&subject)).await?);
        }
        newest.sort_unstable_by_key(|message| message.sequence);
        for message in newest {
            self.take(message).await;
        }
        // What has come since is delivered, perhaps once more.
        self.progress.sequence = end;
        self.caught_up(true).await;
        Ok(())
    }

    /// Hands on a message, if it is an entry.
    async fn take(&mut self, message: StreamMessage) {
        self.progress.sequence = message.sequence;
        let subject = message.subject.clone();
        match message.into_entry(&self.place) {
            // An error means that nobody watches any more, which ends this task.
            Some(entry) => drop(self.out.send(Watched::Entry(entry)).await),
            None => self.shared.note_skipped(&subject),
        }
    }

    async fn caught_up(&mut self, caught_up: bool) {
        if caught_up && !self.progress.caught_up {
            self.progress.caught_up = true;
            drop(self.out.send(Watched::CaughtUp).await);
        }
    }

    /// Removes the consumer, without waiting for it. One that is forgotten goes away by itself.
    async fn leave(&mut self) {
        if let (Some(name), Some(client)) = (self.consumer.take(), self.shared.link.connected_client()) {
            let subject = api(&format!("CONSUMER.DELETE.{}.{name}", self.place.stream));
            let _ = client.publish(subject, Bytes::new()).await;
        }
    }
}

/// Tells a server that waits for it to send more. Returns whether it waited.
async fn go_on(client: &Client, heartbeat: Message) -> bool {
    let stalled = heartbeat.headers.as_ref().and_then(|headers| headers.get_last(STALLED)).map(HeaderValue::as_str);
    let subject = heartbeat.reply.as_deref().or(stalled).map(str::to_owned);
    let waited = subject.is_some();
    if let Some(subject) = subject {
        let _ = client.publish(subject, Bytes::new()).await;
    }
    waited
}
