//! `quorate follow`: the ends of requests as they come, over HTTP or over NATS.

mod nats;

use std::time::Duration;

use quorate_client::{Event, Follow, Following, Received};
use time::OffsetDateTime;
use tokio::time::timeout;

use self::nats::NatsFollowing;
use super::watch::Stamp;
use super::{client, print};
use crate::advice::sentence;
use crate::args::FollowArgs;
use crate::render::{self, Digits, OutcomeLines, Paint, can_redraw_stdout, clean, size};
use crate::signals::Stop;

/// How long a NATS server may take to let the first connection in.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Shows outcomes until it is stopped, or until the requested number was shown.
///
/// # Errors
/// A server that cannot be reached at first, and an error that a repetition cannot fix.
pub async fn follow(args: FollowArgs) -> anyhow::Result<()> {
    let mut stop = Stop::listen();
    let mut lines = Lines::new(&args);
    let mut left = args.count;
    let mut source = tokio::select! {
        biased;
        _ = stop.told() => return Ok(()),
        source = Source::open(args) => source?,
    };
    eprintln!("following {}", clean(source.address()));
    while left != Some(0) {
        let told = tokio::select! {
            biased;
            _ = stop.told() => return Ok(()),
            told = source.next() => told?,
        };
        match told {
            Told::Event(event) => {
                if lines.show(&event)? {
                    left = left.map(|left| left - 1);
                }
            }
            Told::Lost(why) => eprintln!("{}; connecting again", clean(&why)),
            Told::Found => eprintln!("following {} again", clean(source.address())),
        }
    }
    Ok(())
}

/// What a source tells.
enum Told {
    Event(Event),
    /// The connection is lost, or could not be made again.
    Lost(String),
    /// There is a connection again.
    Found,
}

/// Where outcomes come from.
enum Source {
    Http(Box<Following>, String),
    Nats(Box<NatsFollowing>),
}

impl Source {
    /// Opens the source. The first connection must succeed: later ones are waited for.
    async fn open(args: FollowArgs) -> anyhow::Result<Self> {
        if let Some(nats) = args.nats.servers() {
            let following = timeout(CONNECT_WITHIN, NatsFollowing::open(&nats, args.query.as_deref())).await;
            return match following {
                Ok(following) => Ok(Self::Nats(Box::new(following?))),
                Err(_) => anyhow::bail!(
                    "no NATS server let this program in within {} s; check --nats",
                    CONNECT_WITHIN.as_secs()
                ),
            };
        }
        let client = client(&args.server.url)?;
        let mut following = client.follow(Follow { query: args.query, ..Follow::default() });
        match following.next().await {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(Self::Http(Box::new(following), args.server.url.to_string())),
        }
    }

    fn address(&self) -> &str {
        match self {
            Self::Http(_, address) => address,
            Self::Nats(following) => following.address(),
        }
    }

    async fn next(&mut self) -> anyhow::Result<Told> {
        match self {
            Self::Nats(following) => following.next().await,
            Self::Http(following, _) => match following.next().await {
                Some(Ok(Event::Connected)) => Ok(Told::Found),
                Some(Ok(event)) => Ok(Told::Event(event)),
                Some(Err(error)) if error.is_lasting() => Err(error.into()),
                Some(Err(error)) => Ok(Told::Lost(sentence(&error))),
                None => anyhow::bail!("the stream has ended"),
            },
        }
    }
}

/// Where the outcomes are shown.
enum Lines {
    /// JSON objects, one per line.
    Json,
    /// Text, and whether it goes to a terminal.
    Text(OutcomeLines, bool),
}

impl Lines {
    fn new(args: &FollowArgs) -> Self {
        if args.server.output.json {
            return Self::Json;
        }
        let lines = OutcomeLines::new(Digits::exact(args.numbers.exact), Paint::for_stdout());
        Self::Text(lines, can_redraw_stdout())
    }

    /// Shows an event, and returns whether it was an outcome.
    fn show(&mut self, event: &Event) -> anyhow::Result<bool> {
        let (line, is_outcome) = match (self, event) {
            (Self::Json, Event::Answered(outcome)) => (render::json(&outcome.json), true),
            (Self::Json, Event::Unanswered(error)) => (render::json(&error.json), true),
            (Self::Json, Event::Missed(count)) => (serde_json::json!({ "missed": count }).to_string(), false),
            (Self::Text(lines, terminal), Event::Answered(outcome)) => {
                let (at, width) = (at(outcome.evidence.answered_at, *terminal), terminal.then(|| size().0));
                (lines.answered(&at, outcome, width), true)
            }
            (Self::Text(lines, terminal), Event::Unanswered(error)) => {
                let Received { body, .. } = &**error;
                let (at, width) = (at(body.evidence.answered_at, *terminal), terminal.then(|| size().0));
                (lines.unanswered(&at, body, width), true)
            }
            (Self::Text(lines, terminal), Event::Missed(count)) => (lines.missed(&at(None, *terminal), *count), false),
            _ => return Ok(false),
        };
        print(&line)?;
        Ok(is_outcome)
    }
}

/// The time of an outcome, or else now. People at a terminal know the date.
fn at(answered: Option<OffsetDateTime>, terminal: bool) -> String {
    let stamp = answered.map_or_else(Stamp::now, Stamp::of);
    if terminal { stamp.clock() } else { stamp.second() }
}
