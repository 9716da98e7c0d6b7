//! Numbers as people read them.

use quorate_client::{Decimal, Evidence, Outcome};

/// How many decimals a mean has more than the values it is made of.
const MORE_FOR_A_MEAN: u32 = 2;

/// How many digits of a number are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digits {
    /// As many decimals as the values have, and up to two more if the answer lies between them.
    #[default]
    Few,
    /// All.
    All,
}

impl Digits {
    /// All digits if the user wants the exact number.
    pub fn exact(exact: bool) -> Self {
        if exact { Self::All } else { Self::Few }
    }

    /// The value of an answer.
    pub fn answer(self, outcome: &Outcome) -> String {
        let value = &outcome.final_value;
        // A value that the coordinator has rounded has the decimals that the user asked for.
        let as_it_is = self == Self::All || outcome.exact_value.is_some();
        match (value.number(), decimals(&outcome.evidence)) {
            (Some(number), Some(decimals)) if !as_it_is => few(number, decimals).to_string(),
            _ => value.to_string(),
        }
    }

    /// A difference between answers that rest on such values.
    pub fn difference(self, difference: Decimal, evidence: &Evidence) -> Decimal {
        match (self, decimals(evidence)) {
            (Self::Few, Some(decimals)) => few(difference, decimals),
            _ => difference,
        }
    }
}

/// The most decimals of a used value, without zeros at its end; `None` if no used value is a number.
fn decimals(evidence: &Evidence) -> Option<u32> {
    let is_used = |worker: &str| evidence.excluded.iter().all(|excluded| excluded.worker_id != worker);
    let used = evidence.worker_responses.iter().filter(|response| is_used(&response.worker_id));
    used.filter_map(|response| response.value.as_ref()?.number()).map(|number| number.normalize().scale()).max()
}

/// The number as it is, or rounded half-even if it has too many decimals for what it is made of.
fn few(number: Decimal, decimals: u32) -> Decimal {
    let most = decimals + MORE_FOR_A_MEAN;
    if number.scale() <= most { number } else { number.round_dp(most).normalize() }
}

#[cfg(test)]
mod tests {
    use quorate_client::Body as _;

    use super::*;

    /// An answer that rests on these values, the last of which is excluded.
    fn outcome(answer: &str, values: &[&str]) -> Outcome {
        let response = |(n, value): (usize, &&str)| format!(r#"{{"worker_id": "w{n}", "value": {value}}}"#);
        let responses: Vec<_> = values.iter().enumerate().map(response).collect();
        let json = format!(
            r#"{{"request_id": "r", "final_value": {answer}, "worker_responses": [{}],
            "excluded": [{{"worker_id": "w{}", "reason": "outlier"}}]}}"#,
            responses.join(","),
            values.len() - 1
        );
        Outcome::read(&json).expect("an outcome")
    }

    #[test]
    fn an_answer_has_the_decimals_of_its_values_and_a_mean_up_to_two_more() {
        for (answer, values, shown) in [
            ("41914.32666666666666666666667", &["41914.10", "41914.2", "41914.68", "9.123456"][..], "41914.3267"),
            ("41914.325", &["41914.30", "41914.35", "9"], "41914.325"),
            ("91218.21666666666666666666667", &["91218", "91221.85", "91214.80000", "9"], "91218.2167"),
            ("42000.50", &["42000.50", "9"], "42000.50"),
            ("1.00000", &["1.00000", "9"], "1"),
            ("0.3333333333333333333333333333", &["0", "0", "1", "9"], "0.33"),
            ("-1.5", &["-1", "-2", "9"], "-1.5"),
            ("12", &["12", "12.000", "9"], "12"),
            ("2.675", &["2.675", "\"2.675\"", "9"], "2.675"),
            ("\"ok\"", &["\"ok\"", "1.5"], "ok"),
            (
                "7.9228162514264337593543950335",
                &["7.9228162514264337593543950335", "1"],
                "7.9228162514264337593543950335",
            ),
        ] {
            let outcome = outcome(answer, values);
            assert_eq!(Digits::Few.answer(&outcome), shown, "{answer} from {values:?}");
            assert_eq!(Digits::All.answer(&outcome), answer.trim_matches('"'));
        }
    }

    #[test]
    fn an_answer_that_the_coordinator_has_rounded_stays_as_it_is() {
        let mut rounded = outcome("42", &["41.75", "42.00", "9"]);
        rounded.exact_value = Some("41.875".parse::<Decimal>().expect("a decimal").into());
        assert_eq!(Digits::Few.answer(&rounded), "42");
    }
}
