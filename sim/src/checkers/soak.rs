//! A machine as it is, told much at random, is never objected to.

use std::time::Duration;

use quorate_core::aggregate::{Millionths, OutlierRule, Strategy};
use quorate_core::coordinator::{Input, Output, PresenceState, Submit, Undelivered, UndeliveredCause};
use quorate_core::id::{TaskId, Ticket};
use quorate_core::policy::{OnDispute, Overrides};
use quorate_core::query::Query;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rust_decimal::Decimal;

use super::ledger::Fact;
use super::support::{Run, id, number, presence, result, scenario, text};
use super::{Checker, Context, aggregation, answered_once, honest_range, provenance, quiescence, refusals};
use crate::Depth;
use crate::event::Event;
use crate::scenario::{Policy, QUERIES, QueryPolicy};

/// All that judge a coordinator by itself.
struct All(Vec<(&'static str, Box<dyn Checker>)>);

fn all(context: &Context<'_>) -> All {
    All(vec![
        ("aggregation", Box::new(aggregation::new(context))),
        ("answered_once", Box::new(answered_once::new(context))),
        ("honest_range", Box::new(honest_range::new(context))),
        ("provenance", Box::new(provenance::new(context))),
        ("quiescence", Box::new(quiescence::new(context))),
        ("refusals", Box::new(refusals::new(context))),
    ])
}

impl Checker for All {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        for (name, checker) in &mut self.0 {
            checker.event(event).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }

    fn fact(&mut self, fact: &Fact<'_>) -> Result<(), String> {
        for (name, checker) in &mut self.0 {
            checker.fact(fact).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }
}

struct Chance(ChaCha8Rng);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }

    fn maybe<T>(&mut self, one_in: u64, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(one_in) == 0).then(|| value(self))
    }

    fn overrides(&mut self) -> Overrides {
        Overrides {
            strategy: self.maybe(2, |chance| Strategy::ALL[chance.below(Strategy::ALL.len() as u64) as usize]),
            precision: self.maybe(4, |chance| chance.below(30) as u32),
            trim_share: self.maybe(4, |chance| Millionths::new(chance.below(51) * 10_000)),
            max_deviation: self.maybe(3, |chance| match chance.below(3) {
                0 => OutlierRule::Mad(Millionths::new(chance.below(6) * 500_000)),
                1 => OutlierRule::Iqr(Millionths::new(chance.below(6) * 500_000)),
                _ => OutlierRule::Relative(Decimal::new(chance.below(200).cast_signed() - 5, 3)),
            }),
            tolerance: self.maybe(4, |chance| Decimal::new(chance.below(200).cast_signed() - 5, 3)),
            min_agreement: self.maybe(4, |chance| Millionths::new(chance.below(21) * 50_000 + 1)),
            max_age: self.maybe(4, |chance| Duration::from_millis(chance.below(4))),
            on_dispute: self.maybe(4, |chance| OnDispute::ALL[chance.below(2) as usize]),
            min_responses: self.maybe(4, |chance| chance.below(7) as u32),
            quorum: self.maybe(4, |chance| chance.below(9) as u32),
            timeout: self.maybe(2, |chance| Duration::from_millis(chance.below(400))),
        }
    }

    fn input(&mut self, tickets: &mut u64, tasks: &[TaskId]) -> Input {
        let name = |chance: &mut Self| format!("request-{}", chance.below(6));
        match self.below(20) {
            0..5 => {
                *tickets += 1;
                Input::Submit(Submit {
                    ticket: Ticket(*tickets),
                    id: self.maybe(2, |chance| id(&name(chance))),
                    query: Query::new(QUERIES[self.below(2) as usize * 4].text).expect("a query"),
                    overrides: self.overrides(),
                    trace: None,
                })
            }
            5..7 => Input::Cancel(Ticket((*tickets + 1).saturating_sub(self.below(8)))),
            7..15 => {
                let observed = match self.below(6) {
                    0 => Err("no".into()),
                    1 => Ok(text("n/a")),
                    2 => Ok(text("2500.125")),
                    3 => Ok(number("99999999")),
                    4 => Ok(number("42000.001")),
                    _ => Ok(number(&format!("{}.{}", 41_900 + self.below(3), self.below(100)))),
                };
                let mut result = result(1 + self.below(5) as u8, &name(self), observed);
                result.age = self.maybe(2, |chance| Duration::from_millis(chance.below(5)));
                result.age = result.age.filter(|_| result.observed.is_ok());
                result.task = self.maybe(8, |chance| tasks.get(chance.below(8) as usize).copied()).flatten();
                Input::Result(result)
            }
            15..17 => {
                let states = [PresenceState::Live, PresenceState::Live, PresenceState::Draining, PresenceState::Left];
                presence(1 + self.below(5) as u8, states[self.below(4) as usize])
            }
            17 => {
                let cause =
                    [UndeliveredCause::NoResponders, UndeliveredCause::Disconnected, UndeliveredCause::QueueFull]
                        [self.below(3) as usize];
                let task = tasks.get(self.below(8) as usize).copied().unwrap_or(TaskId(1 << 32));
                Input::Undelivered(Undelivered { task, cause })
            }
            18 => Input::BusUp,
            _ => self.maybe(3, |_| Input::BusDown).unwrap_or(Input::BusUp),
        }
    }
}

#[test]
fn a_machine_as_it_is_is_never_objected_to() {
    for seed in seeds() {
        let mut chance = Chance(ChaCha8Rng::seed_from_u64(seed));
        let mut scenario = scenario();
        let settings = &mut scenario.cluster.settings;
        settings.max_in_flight = 1 + chance.below(8) as usize;
        settings.max_waiting = 1 + chance.below(3) as usize;
        settings.max_remembered = chance.below(8) as usize;
        settings.remember_ms = chance.below(500);
        settings.max_workers = 3 + chance.below(10) as u32;
        settings.presence_ms = 50 + chance.below(500);
        settings.policy.timeout_ms = Some(1 + chance.below(300));
        settings.admitted = chance.maybe(3, |_| vec![1, 2, 3]);
        settings.cordon_below = chance.maybe(3, |_| 900_000);
        if chance.below(3) == 0 {
            settings.weights.extend([(1, 500_000), (2, 3_000_000)]);
        }
        if chance.below(3) == 0 {
            let policy = Policy { strategy: Some("weighted_median".to_owned()), ..Policy::default() };
            settings.policies.push(QueryPolicy { pattern: "BTC/*".to_owned(), policy });
        }
        let depth = if seed % 2 == 0 { Depth::Machines } else { Depth::Network };
        let mut run = Run::new(&scenario, depth, all);
        run.begin(&[1, 2, 3]);
        let (told, tasks) = std::sync::mpsc::channel();
        run.tamper(move |output| {
            if let Output::Publish(task) = &output {
                told.send(task.id).expect("the test listens");
            }
            vec![output]
        });
        let mut recent = Vec::new();
        let mut tickets = 0;
        let together = 1 + chance.below(8);
        for _ in 0..400 {
            recent.splice(0..0, tasks.try_iter());
            recent.truncate(8);
            for _ in 0..=chance.below(together) {
                let input = chance.input(&mut tickets, &recent);
                if let Input::Result(result) = &input {
                    run.sent(result);
                }
                run.put(input);
            }
            run.settle();
            run.pass(chance.below(30));
            run.wake_when_due();
        }
        run.drive(Input::Drain);
        run.pass(1000);
        run.wake_when_due();
        run.end();
        run.finds_nothing_at(seed);
    }
}

/// Which runs are made; `SOAK` may name more, as `first..last`.
fn seeds() -> std::ops::Range<u64> {
    let named = std::env::var("SOAK").ok();
    let named = named.as_ref().and_then(|range| range.split_once(".."));
    named.and_then(|(first, last)| Some(first.parse().ok()?..last.parse().ok()?)).unwrap_or(0..400)
}
