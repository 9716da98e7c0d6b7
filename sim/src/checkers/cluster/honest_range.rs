//! A minority of liars cannot move an answer out of the range of honest values.
//!
//! What a minority is depends on the strategy. The median withstands fewer than half of the values, the weighted median
//! less than half of the weight, and the trimmed mean as many liars as are trimmed at each end. If more than half of
//! the votes are for one honest value, it is the majority. An average with a fence of at most 6 % around the median, as it
//! has by default, withstands fewer than half if they are grossly wrong. A minimum and a maximum withstand no liar.

use quorate_core::aggregate::{Exclusion, Millionths, NEAR, OutlierRule, Rule, Strategy};
use quorate_core::coordinator::{Config, Input, Output};
use quorate_core::id::RequestId;
use quorate_core::outcome::{Observation, Outcome};
use quorate_core::value::Value;
use quorate_model::policy;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::checkers::hosts::{Map, PerHost};
use crate::checkers::{Checker, Context};
use crate::event::{Event, What};
use crate::scenario::{QUERIES, Truth};

#[derive(Debug)]
pub(crate) struct HonestRange {
    config: Config,
    coordinators: PerHost<Process>,
}

/// The rules of one coordinator's requests in flight.
#[derive(Debug, Default)]
struct Process {
    /// The rule of the request that is being submitted.
    submitted: Option<Rule>,
    in_flight: Map<RequestId, Rule>,
}

pub(crate) fn new(context: &Context<'_>) -> HonestRange {
    HonestRange { config: context.scenario.cluster.settings.config(), coordinators: PerHost::new() }
}

/// The values that an honest worker may send.
#[derive(Clone, Copy, Debug)]
enum Honest {
    Between(Decimal, Decimal),
    Text(&'static str),
}

impl Honest {
    fn of(truth: Truth) -> Self {
        match truth {
            Truth::Number { mantissa, scale, noise, .. } => {
                let (middle, noise) =
                    (Decimal::new(mantissa, scale), Decimal::from_i128_with_scale(noise.into(), scale));
                Self::Between(middle - noise, middle + noise)
            }
            Truth::Text(text) => Self::Text(text),
        }
    }

    /// Whether a value is farther from the honest ones than any small difference.
    fn is_far_from(self, value: &Value) -> bool {
        match self {
            Self::Between(least, most) => value.as_number().is_some_and(|number| {
                let (middle, fifth) = ((least + most) / Decimal::TWO, Decimal::new(2, 1));
                (number - middle).abs() > middle.abs() * fifth
            }),
            Self::Text(_) => false,
        }
    }

    fn says(self, value: &Value) -> bool {
        match self {
            Self::Between(least, most) => value.as_number().is_some_and(|number| (least..=most).contains(&number)),
            Self::Text(honest) => matches!(value, Value::Text(text) if text.as_ref() == honest),
        }
    }
}

/// What a majority counts: a text as it is, a number after rounding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Vote<'a> {
    Number(Decimal),
    Text(&'a str),
}

fn vote(value: &Value, precision: u32) -> Vote<'_> {
    match value {
        Value::Text(text) => Vote::Text(text),
        Value::Number(number) => {
            Vote::Number(number.round_dp_with_strategy(precision, RoundingStrategy::MidpointNearestEven))
        }
    }
}

/// Whether a rule excludes what is more than 6 % from the median, or even less.
fn is_fenced(rule: &Rule) -> bool {
    matches!(rule.max_deviation, OutlierRule::Relative(fraction) if fraction <= NEAR)
}

/// Whether fewer than half of the numbers are lies, and each of these is grossly wrong.
fn withstands(honest: Honest, outcome: &Outcome) -> bool {
    let counts = |it: &&Observation| matches!(it.excluded, None | Some(Exclusion::Outlier));
    let values = outcome.observations.iter().filter(counts).filter_map(|it| it.observed.as_ref().ok());
    let (honest_ones, lies): (Vec<&Value>, Vec<&Value>) = values.partition(|value| honest.says(value));
    lies.len() < honest_ones.len() && lies.iter().all(|lie| honest.is_far_from(lie))
}

/// Checks that an answer is honest, as far as its strategy promises that.
fn check(rule: &Rule, outcome: &Outcome) -> Result<(), String> {
    let Ok(answer) = &outcome.verdict else { return Ok(()) };
    let Some(question) = QUERIES.iter().find(|question| question.text == outcome.query.as_str()) else {
        return Ok(());
    };
    let honest = Honest::of(question.truth);
    let observations = outcome.observations.iter().filter(|observation| observation.excluded.is_none());
    let values = observations.filter_map(|observation| Some((observation.observed.as_ref().ok()?, observation.weight)));
    let (used, weights): (Vec<&Value>, Vec<Option<Millionths>>) = values.unzip();
    let liars = used.iter().filter(|value| !honest.says(value)).count();
    // The policy may round it, which is no lie.
    let given = answer.exact.map_or_else(|| answer.value.clone(), Value::from);
    let holds = match outcome.strategy {
        Strategy::Median => 2 * liars >= used.len() || honest.says(&given),
        Strategy::WeightedMedian => {
            let weights: Vec<u64> = weights.iter().map(|weight| weight.map_or(0, Millionths::get)).collect();
            let weightless = weights.iter().all(|weight| *weight == 0);
            let (mut honesty, mut all) = (0, 0);
            for (value, weight) in used.iter().zip(weights) {
                let weight = if weightless { 1 } else { u128::from(weight) };
                honesty += if honest.says(value) { weight } else { 0 };
                all += weight;
            }
            2 * honesty <= all || honest.says(&given)
        }
        Strategy::TrimmedMean => {
            let share = u128::from(rule.trim_share.get());
            liars as u128 > used.len() as u128 * share / 1_000_000 || honest.says(&given)
        }
        Strategy::Average => liars > 0 && !(is_fenced(rule) && withstands(honest, outcome)) || honest.says(&given),
        Strategy::Min | Strategy::Max => liars > 0 || honest.says(&given),
        Strategy::Majority => {
            let honest_votes: Vec<Vote<'_>> =
                used.iter().filter(|value| honest.says(value)).map(|value| vote(value, rule.precision)).collect();
            let wins = |of: &&Vote<'_>| 2 * honest_votes.iter().filter(|vote| vote == of).count() > used.len();
            // The answer has already been rounded.
            honest_votes.iter().find(wins).is_none_or(|winner| *winner == vote(&given, 28))
        }
        // A strategy unknown to this checker promises nothing.
        _ => true,
    };
    if holds {
        return Ok(());
    }
    Err(format!(
        "{}: the answer {} is not honest, but only {liars} of {} used values are lies; honest: {honest:?}; {outcome:?}",
        outcome.request,
        given,
        used.len()
    ))
}

impl Checker for HonestRange {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let Some(process) = self.coordinators.get(event.host) else { return Ok(()) };
        match event.what {
            What::CoordinatorInput(_, Input::Submit(submit)) => {
                let policy = policy::in_force(&self.config, submit.query.as_str(), &submit.overrides);
                process.submitted = policy.ok().map(|policy| policy.rule);
            }
            What::CoordinatorOutput(_, Output::Publish(task)) if task.attempt == 1 => {
                if let Some(rule) = process.submitted.take() {
                    process.in_flight.insert(task.request.clone(), rule);
                }
            }
            What::CoordinatorOutput(_, Output::Ended(outcome)) => {
                return process.in_flight.remove(&outcome.request).map_or(Ok(()), |rule| check(&rule, outcome));
            }
            What::CoordinatorSettled(_, machine) => {
                process.submitted = None;
                // A cancelled request ends without an output.
                if machine.in_flight() == 0 {
                    process.in_flight.clear();
                }
            }
            What::Started { .. } => *process = Process::default(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::policy::Overrides;

    use super::*;
    use crate::checkers::testing::inputs::{number, submit_with, text};
    use crate::checkers::testing::rig::Rig;

    /// The machine's answer to these values is fine, and `lie` in its place is found.
    fn cases(strategy: Strategy, query: &str, values: &[Value], lie: Option<Value>) {
        for lie in [None, lie] {
            let mut run = Rig::new(new);
            run.begin(&[1, 2, 3, 4]);
            let is_fine = lie.is_none();
            run.tamper_outcome(move |outcome| {
                if let (Ok(answer), Some(lie)) = (&mut outcome.verdict, &lie) {
                    answer.value = lie.clone();
                }
            });
            let overrides = Overrides { strategy: Some(strategy), ..Overrides::default() };
            run.drive(&submit_with(1, "a", query, overrides));
            for (number, value) in (1..).zip(values) {
                run.result(number, "a", Ok(value.clone()));
            }
            run.pass(1000);
            run.wake();
            if is_fine { run.expect_fine() } else { run.expect_violation("is not honest") }
        }
    }

    #[test]
    fn a_minority_of_liars_does_not_move_the_median() {
        let values = ["42000", "42210", "41790", "99999"].map(number);
        cases(Strategy::Median, "BTC/USD", &values, Some(number("42210.01")));
        cases(Strategy::Median, "BTC/USD", &values, Some(number("41789.99")));
        cases(Strategy::Median, "BTC/USD", &values, Some(text("n/a")));
        let as_text = ["2500", "2509", "1"].map(text);
        cases(Strategy::Median, "ETH/USD as text", &as_text, Some(number("2509.01")));
    }

    #[test]
    fn half_of_the_values_may_move_the_median() {
        let values = ["42000", "42000", "99999", "99999"].map(number);
        cases(Strategy::Median, "BTC/USD", &values, None);
        cases(Strategy::Average, "BTC/USD", &values[..3], None);
    }

    #[test]
    fn a_minority_of_gross_liars_does_not_move_the_average_by_default() {
        let values = ["42000", "42210", "1"].map(number);
        cases(Strategy::Average, "BTC/USD", &values, Some(number("28070.33")));
        // A small lie, and half of the values, may.
        cases(Strategy::Average, "BTC/USD", &["42000", "42000", "43000"].map(number), None);
        cases(Strategy::Average, "BTC/USD", &["42000", "42210", "1", "1"].map(number), None);
    }

    #[test]
    fn without_liars_the_average_is_honest() {
        cases(Strategy::Average, "temperature/north pole", &["-31.9", "-31.1"].map(number), Some(number("-31.0")));
    }

    #[test]
    fn more_than_half_honest_votes_are_the_majority() {
        let values = ["42000.001", "42000.002", "42000", "7"].map(number);
        cases(Strategy::Majority, "BTC/USD", &values, Some(number("42000.01")));
        cases(Strategy::Majority, "label/cat.jpg", &["cat", "cat", "dog"].map(text), Some(text("dog")));
    }

    #[test]
    fn a_question_that_nobody_knows_has_no_honest_answer() {
        cases(Strategy::Median, "who/knows", &[number("1")], None);
    }
}
