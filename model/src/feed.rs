//! What feeds must do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::feed::{
    Counters, Definition, FeedName, Feeds, Head, Holder, Input, MAX_FEEDS, MAX_ROUND, Output, RETRY, Reason, Record,
    RoundId, Seen,
};
use quorate_core::outcome::{Outcome, Status};
use quorate_core::time::Timestamp;
use quorate_core::value::Value;

use super::Divergence;
use crate::pen;

mod lease;

use lease::Lease;

/// Nanoseconds since the origin; negative before it.
type Nanos = i128;

/// What a feed waits for.
#[derive(Debug)]
enum WaitsFor {
    Nothing,
    TheNewestEntry,
    /// The end of a round that the machine has named, or is about to.
    AnAnswer {
        id: Option<RoundId>,
        began: Timestamp,
    },
    TheStore {
        began: Timestamp,
        reported: bool,
    },
}

/// What is known of one feed.
#[derive(Debug)]
struct Feed {
    definition: Arc<Definition>,
    /// Whether the operator still wants it.
    wanted: bool,
    lease: Lease,
    waits: WaitsFor,
    /// The sequence of the newest entry.
    newest: u64,
    /// When the newest entry may be read, if it has to be.
    must_read: Option<Timestamp>,
    /// The newest record.
    head: Option<Head>,
    /// When the round of the last report began or ended.
    reported: Nanos,
    /// When the next round is due.
    due: Timestamp,
}

/// What the machine must put out next.
#[derive(Debug)]
enum Expected {
    Exactly(Output),
    /// A round under an id that the machine chooses.
    Ask(Arc<Definition>),
}

/// The model of [`Feeds`].
#[derive(Debug, Default)]
pub struct FeedsModel {
    now: Timestamp,
    feeds: BTreeMap<FeedName, Feed>,
    draining: bool,
    drained: bool,
    /// The highest id of a round so far.
    last_id: Option<RoundId>,
    counters: Counters,
    expected: VecDeque<Expected>,
}

impl FeedsModel {
    /// The model of a machine without feeds.
    pub fn new() -> Self {
        Self::default()
    }

    /// The machine receives an input.
    pub fn input(&mut self, now: Timestamp, input: &Input) {
        self.wake(now);
        let now = self.now;
        match input {
            Input::Definitions(definitions) => self.define(definitions),
            Input::Drain => {
                self.draining = true;
                self.act_all();
            }
            Input::LeaseSeen { feed, sequence, holder } => {
                self.lease(feed, |lease| lease.seen(now, *sequence, *holder));
            }
            Input::Leased { feed, sequence } => self.lease(feed, |lease| lease.appended(*sequence)),
            Input::LeaseLost { feed, sequence, holder } => {
                self.lease(feed, |lease| lease.lost(now, *sequence, *holder));
            }
            Input::LeaseUnclear(feed) => self.lease(feed, |lease| lease.unclear(now)),
            Input::Seen { feed, record } => self.change(feed, |model, feed| {
                let sequence = record.head.link.sequence;
                if sequence > feed.newest && !matches!(feed.waits, WaitsFor::TheStore { .. }) {
                    model.learn(feed, sequence, Some(record));
                }
            }),
            Input::Newest { feed, sequence, record } => self.change(feed, |model, feed| {
                match feed.waits {
                    WaitsFor::TheNewestEntry => {}
                    WaitsFor::TheStore { .. } => {
                        model.counters.lost += 1;
                        feed.due = now.after(RETRY);
                    }
                    WaitsFor::Nothing | WaitsFor::AnAnswer { .. } => return,
                }
                feed.waits = WaitsFor::Nothing;
                feed.must_read = None;
                model.learn(feed, *sequence, record.as_ref());
            }),
            Input::Stored { feed, head } => self.change(feed, |model, feed| {
                let WaitsFor::TheStore { began, reported } = feed.waits else { return };
                feed.waits = WaitsFor::Nothing;
                feed.must_read = None;
                if reported {
                    model.counters.reported += 1;
                } else {
                    model.counters.unreported += 1;
                }
                if reported || feed.head.is_none() {
                    feed.reported = nanos(began);
                }
                feed.newest = head.link.sequence;
                feed.head = Some(head.clone());
            }),
            Input::Unclear(feed) => self.change(feed, |model, feed| {
                match feed.waits {
                    WaitsFor::TheNewestEntry => {}
                    WaitsFor::TheStore { .. } => {
                        model.counters.unclear += 1;
                        feed.due = now;
                    }
                    WaitsFor::Nothing | WaitsFor::AnAnswer { .. } => return,
                }
                feed.waits = WaitsFor::Nothing;
                feed.must_read = Some(now.after(RETRY));
            }),
            Input::Ended { feed, round, outcome } => self.change(feed, |model, feed| {
                if let WaitsFor::AnAnswer { id, began } = feed.waits
                    && id == Some(*round)
                {
                    model.ended(feed, began, outcome.as_ref());
                }
            }),
        }
        self.end_if_drained();
    }

    /// The machine is woken.
    pub fn wake(&mut self, now: Timestamp) {
        let mut due: Vec<_> =
            self.feeds.iter().filter_map(|(name, feed)| Some((self.due(feed)?, name.clone()))).collect();
        due.sort();
        let now = self.now.max(now);
        self.now = now;
        for (_, name) in due.into_iter().filter(|(at, _)| *at <= now) {
            self.change(&name, |_, _| ());
        }
        self.end_if_drained();
    }

    /// The machine puts out an output.
    ///
    /// # Errors
    /// [`Divergence`] if another output or none was expected.
    pub fn output(&mut self, output: &Output) -> Result<(), Divergence> {
        match (self.expected.pop_front(), output) {
            (Some(Expected::Exactly(expected)), output) if expected == *output => Ok(()),
            (Some(Expected::Ask(definition)), Output::Ask { feed, round, query, overrides })
                if (&definition.name, &definition.query, &definition.overrides) == (feed, query, overrides)
                    && self.last_id < Some(*round) =>
            {
                self.last_id = Some(*round);
                // The feed may be gone already, or ask the next round.
                if let Some(WaitsFor::AnAnswer { id, .. }) = self.feeds.get_mut(feed).map(|feed| &mut feed.waits) {
                    *id = Some(*round);
                }
                Ok(())
            }
            (Some(expected), _) => Err(Divergence::new(&expected, output)),
            (None, _) => Err(Divergence::new(&format_args!("nothing"), output)),
        }
    }

    /// The machine has no further output.
    ///
    /// # Errors
    /// [`Divergence`] if one was expected.
    pub fn settled(&self) -> Result<(), Divergence> {
        self.expected.front().map_or(Ok(()), |expected| Err(Divergence::new(expected, &format_args!("nothing"))))
    }

    /// Compares the whole visible state of the machine.
    ///
    /// # Errors
    /// [`Divergence`] names the first difference.
    pub fn compare(&self, machine: &Feeds) -> Result<(), Divergence> {
        let wanted = || self.feeds.values().filter(|feed| feed.wanted);
        let driven = (wanted().count(), wanted().filter(|feed| feed.lease.is_held(self.now)).count());
        let next = self.feeds.values().filter_map(|feed| self.due(feed)).min();
        Divergence::unless_equal("the counters", &self.counters, &machine.counters())?;
        Divergence::unless_equal("the numbers of feeds and of driven ones", &driven, &machine.driven())?;
        Divergence::unless_equal("the next timeout", &next, &machine.poll_timeout())
    }

    /// When a feed has something to do next, unless something else happens.
    fn due(&self, feed: &Feed) -> Option<Timestamp> {
        if self.draining || !feed.wanted {
            return None;
        }
        let work = feed.work_due().filter(|due| *due > self.now && feed.lease.is_held(*due));
        [feed.lease.due(), work].into_iter().flatten().min()
    }

    fn define(&mut self, definitions: &[Arc<Definition>]) {
        let mut wanted: Vec<&Arc<Definition>> = Vec::new();
        for definition in definitions {
            if wanted.len() < MAX_FEEDS && wanted.iter().all(|other| other.name != definition.name) {
                wanted.push(definition);
            }
        }
        for (name, feed) in &mut self.feeds {
            let now_wanted = wanted.iter().find(|definition| definition.name == *name);
            let before = &feed.definition;
            let same = now_wanted.is_some_and(|now| now.query == before.query && now.overrides == before.overrides);
            if !same {
                self.counters.given_up += feed.give_up(self.now);
            }
            feed.wanted = now_wanted.is_some();
            if let Some(definition) = now_wanted {
                feed.due = feed.due.min(self.now.after(definition.min_interval));
                feed.definition = Arc::clone(definition);
            }
        }
        for definition in wanted {
            self.feeds.entry(definition.name.clone()).or_insert_with(|| Feed {
                definition: Arc::clone(definition),
                wanted: true,
                lease: Lease::new(self.now),
                waits: WaitsFor::Nothing,
                newest: 0,
                must_read: Some(self.now),
                head: None,
                reported: 0,
                due: self.now,
            });
        }
        self.act_all();
    }

    fn lease(&mut self, name: &FeedName, change: impl FnOnce(&mut Lease)) {
        self.change(name, |model, feed| {
            let before = feed.lease.holder();
            change(&mut feed.lease);
            if feed.lease.holder() == Holder::Me && before != Holder::Me {
                model.counters.leases_taken += 1;
                if before == Holder::Other {
                    model.counters.failovers += 1;
                }
                // It may have to wait after an unclear ending.
                feed.must_read = feed.must_read.or(Some(Timestamp::ZERO));
            }
        });
    }

    fn act_all(&mut self) {
        for name in self.feeds.keys().cloned().collect::<Vec<_>>() {
            self.change(&name, |_, _| ());
        }
    }

    /// Changes a feed, and expects what it does then.
    fn change(&mut self, name: &FeedName, change: impl FnOnce(&mut Self, &mut Feed)) {
        let Some(mut feed) = self.feeds.remove(name) else { return };
        change(self, &mut feed);
        self.act(name, &mut feed);
        let idle = matches!(feed.waits, WaitsFor::Nothing) && !feed.lease.is_appending();
        if feed.wanted || !idle || feed.lease.holder() == Holder::Me {
            self.feeds.insert(name.clone(), feed);
        }
    }

    fn act(&mut self, name: &FeedName, feed: &mut Feed) {
        let idle = matches!(feed.waits, WaitsFor::Nothing);
        if self.draining || !feed.wanted {
            if idle && !feed.lease.is_appending() && feed.lease.holder() == Holder::Me {
                self.expect(Output::Release { feed: name.clone(), after: feed.lease.sequence() });
                feed.lease.released();
            }
            return;
        }
        if feed.lease.due().is_some_and(|due| due <= self.now) {
            self.expect(Output::Lease { feed: name.clone(), after: feed.lease.sequence() });
            feed.lease.append(self.now);
        }
        if !feed.lease.is_held(self.now) || feed.work_due().is_none_or(|due| due > self.now) {
            return;
        }
        if feed.must_read.is_some() {
            feed.waits = WaitsFor::TheNewestEntry;
            self.expect(Output::Read(name.clone()));
        } else {
            let interval = feed.definition.min_interval;
            let began = if self.now.since(feed.due) >= interval { self.now } else { feed.due };
            feed.due = began.after(interval);
            feed.waits = WaitsFor::AnAnswer { id: None, began };
            self.counters.rounds += 1;
            self.expected.push_back(Expected::Ask(Arc::clone(&feed.definition)));
        }
    }

    fn learn(&mut self, feed: &mut Feed, sequence: u64, record: Option<&Seen>) {
        feed.newest = sequence;
        let Some(Seen { head, ended_ago, reported_ago }) = record else { return };
        if head.round > feed.last_number() {
            self.counters.given_up += feed.give_up(self.now);
            let failed = head.report.as_ref().map(|report| report.round) != Some(head.round);
            feed.due = self.now.after(feed.interval(failed).saturating_sub(*ended_ago));
            feed.head = Some(head.clone());
            feed.reported = nanos(self.now).saturating_sub(whole(*reported_ago));
        }
    }

    fn ended(&mut self, feed: &mut Feed, began: Timestamp, outcome: Option<&Arc<Outcome>>) {
        if feed.lease.holder() != Holder::Me {
            self.counters.given_up += feed.give_up(self.now);
            return;
        }
        feed.waits = WaitsFor::Nothing;
        let Some(outcome) = outcome else {
            self.counters.refused += 1;
            feed.due = self.now.after(RETRY);
            return;
        };
        let reported = match value_to_report(outcome) {
            None => None,
            Some(value) => match feed.reason(began, value) {
                None => {
                    self.counters.quiet += 1;
                    return;
                }
                reason => reason,
            },
        };
        if feed.last_number() >= MAX_ROUND {
            self.counters.quiet += 1;
            return;
        }
        feed.waits = WaitsFor::TheStore { began, reported: reported.is_some() };
        feed.due = feed.due.min(began.after(feed.interval(reported.is_none())));
        let record = Record {
            feed: feed.definition.name.clone(),
            round: feed.last_number() + 1,
            reported,
            last_report: feed.head.as_ref().and_then(|head| head.report.clone()),
            outcome: Arc::clone(outcome),
            previous: feed.head.as_ref().map(|head| head.link),
            lease: feed.lease.sequence(),
        };
        self.expect(Output::Store { record, after: feed.newest });
    }

    fn end_if_drained(&mut self) {
        let ended = |feed: &Feed| {
            matches!(feed.waits, WaitsFor::Nothing) && !feed.lease.is_appending() && feed.lease.holder() != Holder::Me
        };
        if self.draining && !self.drained && self.feeds.values().all(ended) {
            self.drained = true;
            self.expect(Output::Drained);
        }
    }

    fn expect(&mut self, output: Output) {
        self.expected.push_back(Expected::Exactly(output));
    }
}

impl Feed {
    fn last_number(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.round)
    }

    /// How long after the start of a round that was recorded the next one starts.
    fn interval(&self, failed: bool) -> Duration {
        let usual = self.definition.min_interval;
        let tenth = self.definition.heartbeat / 10;
        let soon = tenth.max(Duration::from_secs(1)).min(Duration::from_mins(1));
        if failed && soon < usual { soon } else { usual }
    }

    /// When the newest entry may be read, or the next round is due.
    fn work_due(&self) -> Option<Timestamp> {
        let has_number = self.last_number() < MAX_ROUND;
        match (&self.waits, self.must_read) {
            (WaitsFor::Nothing, Some(at)) => Some(at),
            (WaitsFor::Nothing, None) if has_number => Some(self.due),
            _ => None,
        }
    }

    /// Ends a round that is asked. Returns how many.
    fn give_up(&mut self, now: Timestamp) -> u64 {
        if matches!(self.waits, WaitsFor::AnAnswer { .. }) {
            self.waits = WaitsFor::Nothing;
            self.due = now;
            return 1;
        }
        0
    }

    fn reason(&self, began: Timestamp, value: &Value) -> Option<Reason> {
        let Some(report) = self.head.as_ref().and_then(|head| head.report.as_ref()) else { return Some(Reason::First) };
        if nanos(began) - self.reported >= whole(self.definition.heartbeat) {
            return Some(Reason::Heartbeat);
        }
        let fraction = self.definition.deviation?;
        let moved = match (&report.value, value) {
            (Value::Number(old), Value::Number(new)) if old.is_zero() => !new.is_zero(),
            (Value::Number(old), Value::Number(new)) => {
                let (_, distance) = pen::sum([pen::units(*new), pen::units(-*old)].into_iter());
                let least = pen::units(fraction).1.times(&pen::units(*old).1);
                distance.times_pow10(pen::FINEST).compare(&least).is_ge()
            }
            (old, new) => old != new,
        };
        moved.then_some(Reason::Deviation)
    }
}

/// The value of an outcome, unless it is disputed.
fn value_to_report(outcome: &Outcome) -> Option<&Value> {
    outcome.verdict.as_ref().ok().filter(|answer| answer.status != Status::Disputed).map(|answer| &answer.value)
}

fn nanos(time: Timestamp) -> Nanos {
    time.as_nanos().into()
}

fn whole(duration: Duration) -> Nanos {
    duration.as_nanos().try_into().unwrap_or(Nanos::MAX)
}
