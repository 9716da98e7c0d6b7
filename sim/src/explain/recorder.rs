//! Assembles the events of a run into a timeline: matches messages with their receivers, questions with their answers,
//! and both with their requests.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use quorate_core::coordinator;
use quorate_core::id::RequestId;

use super::words;
use super::{Arrow, Kind, Moment, Span, Timeline};
use crate::Depth;
use crate::checkers::Violation;
use crate::event::{Body, Event, Message, What};
use crate::host::Host;
use crate::scenario::Scenario;

/// A received message is matched with the oldest identical one sent within this time, in nanoseconds.
const RECENT: u64 = 1_000_000_000;

/// Records the events of a run.
#[derive(Debug)]
pub(super) struct Recorder {
    timeline: Timeline,
    hosts: Vec<Host>,
    /// The messages sent, by subject and body, in the order of sending.
    flights: HashMap<(Arc<str>, Body), Vec<Flight>>,
    /// The questions, by number.
    questions: BTreeMap<u32, Question>,
    /// The question of each ticket, by the coordinator's lane and the ticket.
    tickets: HashMap<(usize, u64), u32>,
    /// The request of each task, by the coordinator's lane and the task.
    tasks: HashMap<(usize, u64), String>,
    /// The index of each fault's span, by the index of the fault.
    faults: HashMap<usize, usize>,
    /// The questions that moments and arrows belong to.
    asked: Vec<(Place, u32)>,
    /// The time and the lane of the last event.
    last: Option<(u64, usize)>,
}

/// An index into the timeline.
#[derive(Clone, Copy, Debug)]
enum Place {
    Moment(usize),
    Arrow(usize),
}

/// A message that was sent.
#[derive(Debug)]
struct Flight {
    at: u64,
    from: usize,
    reply: Option<Arc<str>>,
    moment: usize,
    received_by: Vec<usize>,
}

/// A client's question.
#[derive(Debug)]
struct Question {
    at: u64,
    client: usize,
    coordinator: usize,
    id: Option<String>,
    query: &'static str,
    /// Whether it has reached the coordinator.
    taken: bool,
    answered: Option<u64>,
    request: Option<String>,
}

impl Recorder {
    pub(super) fn new(scenario: &Scenario, depth: Depth) -> Self {
        let hosts: Vec<_> = scenario.hosts().collect();
        let timeline = Timeline {
            // As text: a number in JavaScript has 53 bits.
            seed: scenario.seed.to_string(),
            depth: format!("{depth:?}").to_lowercase(),
            hosts: hosts.iter().map(Host::to_string).collect(),
            ..Timeline::default()
        };
        Self {
            timeline,
            hosts,
            flights: HashMap::new(),
            questions: BTreeMap::new(),
            tickets: HashMap::new(),
            tasks: HashMap::new(),
            faults: HashMap::new(),
            asked: Vec::new(),
            last: None,
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        let Event { at, what, .. } = *event;
        let lane = self.lane(event.host);
        self.last = Some((at, lane));
        let Some(moment) = Moment::of(event, lane) else { return };
        let place = self.timeline.moments.len();
        self.timeline.moments.push(moment);
        match what {
            What::Sent(message) => self.sent(at, lane, place, message),
            What::Received(message) => self.received(at, lane, place, message),
            What::Asked(asked) => {
                let question = Question {
                    at,
                    client: lane,
                    coordinator: self.lane(asked.coordinator),
                    id: asked.request.id_text(),
                    query: asked.request.query_text(),
                    taken: false,
                    answered: None,
                    request: asked.request.id_text(),
                };
                self.questions.insert(asked.number, question);
                self.asked.push((Place::Moment(place), asked.number));
            }
            What::Replied(number, _) => {
                self.asked.push((Place::Moment(place), number));
                self.replied(at, lane, number);
            }
            What::Vanished(number) => self.asked.push((Place::Moment(place), number)),
            What::CoordinatorInput(_, input) => self.coordinator_input(at, lane, place, input),
            What::CoordinatorOutput(_, output) => self.coordinator_output(at, lane, place, output),
            What::FaultBegan(number, fault) => {
                self.faults.insert(number, self.timeline.spans.len());
                let lanes = fault.kind.hosts().into_iter().map(|host| self.lane(host)).collect();
                let text = words::fault(fault);
                self.timeline.spans.push(Span { began: at, ended: None, lanes, text });
            }
            What::FaultEnded(number, _) => {
                if let Some(span) = self.faults.get(&number) {
                    let span = &mut self.timeline.spans[*span];
                    span.ended = Some(at);
                    self.timeline.moments[place].text = format!("fault {number} ends: {}", span.text);
                }
            }
            _ => {}
        }
    }

    /// Takes the finished timeline.
    pub(super) fn finish(&mut self, violation: Option<&Violation>) -> Timeline {
        self.name_receivers();
        for (place, number) in mem::take(&mut self.asked) {
            let Some(request) = self.questions.get(&number).and_then(|question| question.request.clone()) else {
                continue;
            };
            match place {
                Place::Moment(place) => self.timeline.moments[place].request = Some(request),
                Place::Arrow(place) => self.timeline.arrows[place].request = Some(request),
            }
        }
        if let Some(Violation { checker, at, text }) = violation {
            // The last event is the one that broke the invariant.
            let (_, lane) = self.last.unwrap_or_default();
            let text = format!("{checker}: {}", words::clean(text));
            self.timeline.violation = Some(format!("{} {text}", words::time(*at)));
            let text = format!("VIOLATION of {text}");
            let (kind, detail) = (Kind::Violation, String::new());
            self.timeline.moments.push(Moment { at: *at, lane, kind, text, detail, request: None, chatter: false });
        }
        let mut timeline = mem::take(&mut self.timeline);
        let mut seen = HashSet::new();
        let named = timeline.moments.iter().filter_map(|moment| moment.request.as_ref());
        timeline.requests = named.filter(|request| seen.insert(*request)).cloned().collect();
        timeline
    }

    fn lane(&mut self, host: Host) -> usize {
        self.hosts.iter().position(|known| *known == host).unwrap_or_else(|| {
            self.hosts.push(host);
            self.timeline.hosts.push(host.to_string());
            self.hosts.len() - 1
        })
    }

    fn sent(&mut self, at: u64, from: usize, moment: usize, message: &Message) {
        let flight = Flight { at, from, reply: message.reply.clone(), moment, received_by: Vec::new() };
        self.flights.entry((message.subject.clone(), message.body.clone())).or_default().push(flight);
    }

    fn received(&mut self, at: u64, lane: usize, place: usize, message: &Message) {
        let text = words::message(message);
        let from = self.land(at, lane, message).or_else(|| {
            // A message that no host sent is the broker's own.
            self.hosts.iter().position(|host| *host == Host::Broker).map(|broker| (broker, at))
        });
        let Some((from, sent)) = from else { return };
        let moment = &mut self.timeline.moments[place];
        moment.text = format!("← {} {text}", self.hosts[from]);
        let (request, chatter) = (moment.request.clone(), moment.chatter);
        self.timeline.arrows.push(Arrow {
            from,
            sent,
            to: Some((lane, at)),
            kind: Kind::Message,
            text,
            request,
            chatter,
        });
    }

    /// Finds who sent a message that `lane` receives, and when. Among identical messages that it has not yet received,
    /// that is the oldest recent one, or else the latest of the older ones.
    fn land(&mut self, at: u64, lane: usize, message: &Message) -> Option<(usize, u64)> {
        let flights = self.flights.get_mut(&(message.subject.clone(), message.body.clone()))?;
        let is_open = |flight: &Flight| !flight.received_by.contains(&lane);
        let exact = flights.iter().any(|flight| is_open(flight) && flight.reply == message.reply);
        let fits = |flight: &Flight| is_open(flight) && (!exact || flight.reply == message.reply);
        let recent = flights.iter().position(|flight| fits(flight) && at.saturating_sub(flight.at) <= RECENT);
        let place = recent.or_else(|| flights.iter().rposition(fits))?;
        let flight = &mut flights[place];
        flight.received_by.push(lane);
        Some((flight.from, flight.at))
    }

    /// Adds the receivers to each sent message, and an arrow to each one that was lost.
    fn name_receivers(&mut self) {
        let mut lost = Vec::new();
        for ((_, body), flights) in &self.flights {
            let message = Message { subject: "".into(), reply: None, body: body.clone() };
            for flight in flights {
                let receivers: Vec<_> = flight.received_by.iter().map(|lane| self.hosts[*lane]).collect();
                let text = words::message(&message);
                let moment = &mut self.timeline.moments[flight.moment];
                moment.text = format!("→ {} {text}", words::list(&receivers));
                if receivers.is_empty() {
                    let (request, chatter) = (moment.request.clone(), moment.chatter);
                    let (from, sent) = (flight.from, flight.at);
                    lost.push((
                        flight.moment,
                        Arrow { from, sent, to: None, kind: Kind::Message, text, request, chatter },
                    ));
                }
            }
        }
        // The order of the map is random.
        lost.sort_by_key(|(moment, _)| *moment);
        self.timeline.arrows.extend(lost.into_iter().map(|(_, arrow)| arrow));
    }

    fn coordinator_input(&mut self, at: u64, lane: usize, place: usize, input: &coordinator::Input) {
        match input {
            coordinator::Input::Submit(submit) => {
                let id = submit.id.as_ref().map(RequestId::as_str);
                let question = self.questions.iter_mut().find(|(_, question)| {
                    !question.taken
                        && question.coordinator == lane
                        && question.id.as_deref() == id
                        && question.query == submit.query.as_str()
                });
                let Some((number, question)) = question else { return };
                question.taken = true;
                self.tickets.insert((lane, submit.ticket.0), *number);
                self.asked.push((Place::Moment(place), *number));
                self.asked.push((Place::Arrow(self.timeline.arrows.len()), *number));
                let text = format!("question #{number}: {}", question.query);
                let (from, sent, to) = (question.client, question.at, Some((lane, at)));
                self.timeline.arrows.push(Arrow {
                    from,
                    sent,
                    to,
                    kind: Kind::Client,
                    text,
                    request: None,
                    chatter: false,
                });
            }
            coordinator::Input::Cancel(ticket) => {
                if let Some(number) = self.tickets.get(&(lane, ticket.0)) {
                    self.asked.push((Place::Moment(place), *number));
                }
            }
            coordinator::Input::Undelivered(undelivered) => {
                self.timeline.moments[place].request = self.tasks.get(&(lane, undelivered.task.0)).cloned();
            }
            _ => {}
        }
    }

    fn coordinator_output(&mut self, at: u64, lane: usize, place: usize, output: &coordinator::Output) {
        match output {
            coordinator::Output::Publish(task) => {
                self.tasks.insert((lane, task.id.0), words::clean(task.request.as_str()));
            }
            coordinator::Output::Event(
                coordinator::Event::Dispatched { ticket, request }
                | coordinator::Event::Joined { ticket, request }
                | coordinator::Event::Replayed { ticket, request },
            ) => {
                let number = self.tickets.get(&(lane, ticket.0));
                if let Some(question) = number.and_then(|number| self.questions.get_mut(number)) {
                    question.request = Some(words::clean(request.as_str()));
                }
            }
            coordinator::Output::Answer { ticket, .. } => {
                let Some(number) = self.tickets.get(&(lane, ticket.0)) else { return };
                self.asked.push((Place::Moment(place), *number));
                let question = self.questions.get_mut(number).expect("every known ticket belongs to a question");
                question.answered = Some(at);
            }
            coordinator::Output::CallWorkers
            | coordinator::Output::Ended(_)
            | coordinator::Output::Drained
            | coordinator::Output::Event(_) => {}
        }
    }

    fn replied(&mut self, at: u64, lane: usize, number: u32) {
        let Some(Question { coordinator, answered: Some(sent), .. }) = self.questions.get(&number) else { return };
        self.asked.push((Place::Arrow(self.timeline.arrows.len()), number));
        let (from, sent, to) = (*coordinator, *sent, Some((lane, at)));
        let text = format!("answer to #{number}");
        self.timeline.arrows.push(Arrow { from, sent, to, kind: Kind::Client, text, request: None, chatter: false });
    }
}
