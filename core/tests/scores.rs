//! No request of any caller lowers the score of a worker whose behaviour has not changed, even if other workers lie.

use std::time::Duration;

use proptest::prelude::*;
use quorate_core::Coordinator;
use quorate_core::aggregate::{Millionths, OutlierRule, Strategy as Combined};
use quorate_core::coordinator::{Config, Input, Output, Presence, PresenceState, Score, Submit, Task, WorkerResult};
use quorate_core::id::{Ticket, WorkerId};
use quorate_core::policy::{OnDispute, Overrides};
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use rust_decimal::Decimal;

/// A worker that always behaves the same: how long it takes, how many tasks it has room for, and how far its values are
/// from the truth, in thousandths.
#[derive(Clone, Copy, Debug)]
struct Honest {
    takes_ms: u64,
    room: usize,
    off: i64,
    /// Whether it sends its number as a text, and whether it states an age.
    as_text: bool,
    dated: bool,
    /// Whether it answers that it does not know a query, or stays silent.
    answers_unknown: bool,
}

fn honest() -> impl Strategy<Value = Honest> {
    (1_u64..900, 1_usize..4, -20_i64..=20, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(takes_ms, room, off, as_text, dated, answers_unknown)| Honest {
            takes_ms,
            room,
            off,
            as_text,
            dated,
            answers_unknown,
        },
    )
}

/// What a caller asks for, and how long it waits before it asks again.
fn request() -> impl Strategy<Value = (usize, Overrides, u64)> {
    let deviation = prop::option::of(prop_oneof![
        (0_i64..60).prop_map(|thousandths| OutlierRule::Relative(Decimal::new(thousandths, 3))),
        (0_u64..3_000_000).prop_map(|factor| OutlierRule::Mad(Millionths::new(factor))),
        (0_u64..3_000_000).prop_map(|factor| OutlierRule::Iqr(Millionths::new(factor))),
    ]);
    let rule = (
        prop::option::of(prop::sample::select(Combined::ALL)),
        prop::option::of(0_u32..5),
        prop::option::of((0_u64..499_999).prop_map(Millionths::new)),
        deviation,
        prop::option::of((0_i64..50).prop_map(|thousandths| Decimal::new(thousandths, 3))),
        prop::option::of((0_u64..=1_000_000).prop_map(Millionths::new)),
    );
    let rest = (
        prop::option::of(prop_oneof![Just(Duration::ZERO), Just(Duration::from_secs(1))]),
        prop::option::of(1_u32..4),
        prop::option::of(1_u32..8),
        prop::option::of(prop_oneof![Just(1_u64), 1_u64..2_000].prop_map(Duration::from_millis)),
        prop::option::of(prop::sample::select(vec![OnDispute::Answer, OnDispute::Reject])),
    );
    let overrides = (rule, rest).prop_map(|(rule, rest)| Overrides {
        strategy: rule.0,
        precision: rule.1,
        trim_share: rule.2,
        max_deviation: rule.3,
        tolerance: rule.4,
        min_agreement: rule.5,
        max_age: rest.0,
        min_responses: rest.1,
        quorum: rest.2,
        timeout: rest.3,
        on_dispute: rest.4,
        decimals: None,
    });
    (0_usize..3, overrides, 0_u64..400)
}

/// The queries. Every worker knows them but the last, which none knows.
const QUERIES: [&str; 3] = ["BTC/USD", "ETH/USD", "who/knows"];

struct Play {
    coordinator: Coordinator,
    now: Timestamp,
    /// When each answer of each worker arrives.
    answers: Vec<(Timestamp, WorkerResult)>,
    tickets: u64,
}

impl Play {
    fn input(&mut self, input: &Input, workers: &[Honest]) {
        self.coordinator.handle_input(self.now, input);
        self.drain(workers);
    }

    fn drain(&mut self, workers: &[Honest]) {
        while let Some(output) = self.coordinator.poll_output() {
            if let Output::Publish(task) = output
                && task.attempt == 1
            {
                for (number, worker) in workers.iter().enumerate() {
                    let Some(answer) = answer(*worker, number, &task) else { continue };
                    let works_on = |(_, it): &&(Timestamp, WorkerResult)| it.worker == answer.worker && !it.overloaded;
                    if self.answers.iter().filter(works_on).count() < worker.room {
                        self.answers.push((self.now.after(Duration::from_millis(worker.takes_ms)), answer));
                    } else {
                        let observed = Err("no room".into());
                        self.answers.push((self.now, WorkerResult { observed, overloaded: true, age: None, ..answer }));
                    }
                }
            }
        }
    }

    /// Lets time pass, with every timer and every answer at its own time.
    fn until(&mut self, end: Timestamp, workers: &[Honest]) {
        loop {
            let answer = (0..self.answers.len()).min_by_key(|index| self.answers[*index].0);
            let at = answer.map(|index| self.answers[index].0);
            let wake = self.coordinator.poll_timeout();
            match [at, wake].into_iter().flatten().min() {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
            if wake.is_some_and(|wake| wake <= self.now) {
                self.coordinator.handle_timeout(self.now);
                self.drain(workers);
            } else if let Some(index) = answer {
                let (_, result) = self.answers.swap_remove(index);
                self.input(&Input::Result(result), workers);
            }
        }
        self.now = end;
    }
}

fn name(number: usize) -> WorkerId {
    WorkerId::new(&format!("w{number}")).expect("an identifier")
}

fn answer(worker: Honest, number: usize, task: &Task) -> Option<WorkerResult> {
    let known = QUERIES[..2].iter().position(|query| *query == task.query.as_str());
    let observed = match known {
        Some(query) => {
            let value = Decimal::new((1000 + worker.off) * if query == 0 { 60 } else { 3 }, 2);
            Ok(if worker.as_text { Value::text(&value.to_string()).expect("short") } else { Value::Number(value) })
        }
        None if worker.answers_unknown => Err("unknown query".into()),
        None => return None,
    };
    let (task_id, age) = (Some(task.id), worker.dated.then_some(Duration::from_millis(300)));
    let result = WorkerResult::new(name(number), task.request.clone(), observed);
    Some(WorkerResult { task: task_id, age, ..result })
}

proptest! {
    #[test]
    fn no_request_of_any_caller_lowers_the_score_of_an_honest_worker(
        honest in prop::collection::vec(honest(), 1..6),
        liars in 0_usize..5,
        allows_more in any::<bool>(),
        requests in prop::collection::vec(request(), 1..40),
    ) {
        let mut config = Config { quarantine_below: Some(Score::ONE), ..Config::default() };
        config.policy.timeout = Duration::from_secs(1);
        let mut workers = honest.clone();
        if allows_more {
            config.policy.rule.max_deviation = OutlierRule::Relative(Decimal::new(2, 1));
            for worker in &mut workers {
                (worker.off, worker.as_text) = (worker.off * 4, false);
            }
        }
        // Faster than all others, and fewer.
        let (takes_ms, room) = (1, usize::MAX);
        let liar = Honest { takes_ms, room, off: 5000, as_text: false, dated: false, answers_unknown: false };
        let liars = liars.min((honest.len() - 1) / 2);
        if liars > 0 {
            // Values are compared with those that came. While most honest workers refuse, these may be lies.
            for worker in &mut workers {
                worker.room = usize::MAX;
            }
        }
        workers.extend(std::iter::repeat_n(liar, liars));
        let coordinator = Coordinator::new(config, 1);
        let mut play = Play { coordinator, now: Timestamp::ZERO, answers: Vec::new(), tickets: 0 };
        play.input(&Input::BusUp, &workers);
        for (query, overrides, wait_ms) in requests {
            for number in 0..workers.len() {
                let presence = Presence::new(name(number), "".into(), PresenceState::Live);
                play.input(&Input::Presence(presence), &workers);
            }
            let query = Query::new(QUERIES[query]).expect("a query");
            play.tickets += 1;
            let submit = Submit { ticket: Ticket(play.tickets), id: None, query, overrides, trace: None };
            play.input(&Input::Submit(submit), &workers);
            let end = play.now.after(Duration::from_millis(wait_ms));
            play.until(end, &workers);
        }
        let end = play.now.after(Duration::from_secs(3));
        play.until(end, &workers);
        for (id, worker) in play.coordinator.workers().take(honest.len()) {
            prop_assert_eq!(worker.reliability.score, Score::ONE, "{}: {:?}", id, worker);
        }
    }
}
