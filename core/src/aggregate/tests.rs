use super::*;

fn numbers(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::number(text).expect("a number")).collect()
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::text(text).expect("a text")).collect()
}

fn run(strategy: Strategy, values: &[Value]) -> Result<Aggregate, AggregateError> {
    let values: Vec<&Value> = values.iter().collect();
    aggregate(&Rule { strategy, precision: 2, max_deviation: None }, &values)
}

#[test]
fn strategies_have_names_that_read_back() {
    for strategy in Strategy::ALL {
        assert_eq!(strategy.name().parse(), Ok(strategy));
    }
    assert_eq!("mode".parse::<Strategy>(), Err(UnknownStrategy));
}

#[test]
fn a_text_that_is_a_number_counts_as_one_where_numbers_are_needed() {
    let mut values = texts(&["10", "ten"]);
    values.extend(numbers(&["20"]));
    let average = run(Strategy::Average, &values).expect("two numbers");
    assert_eq!(average.value.to_string(), "15");
    assert_eq!(average.excluded, [(1, Exclusion::NotANumber)]);
    assert_eq!(run(Strategy::Median, &texts(&["ten"])), Err(AggregateError::NoValues));
}

#[test]
fn a_tie_is_broken_by_rule_and_reported() {
    let cases = [
        (numbers(&["1", "2"]), "1"),
        (numbers(&["1", "1", "5", "5", "9"]), "5"),
        (texts(&["red", "blue"]), "blue"),
        ([texts(&["7"]), numbers(&["7"])].concat(), "7"),
    ];
    for (values, expected) in cases {
        let majority = run(Strategy::Majority, &values).expect("values");
        assert!(majority.tie, "{values:?}");
        assert_eq!(majority.value.to_string(), expected, "{values:?}");
    }
    let mixed = run(Strategy::Majority, &[texts(&["7"]), numbers(&["7"])].concat()).expect("values");
    assert!(matches!(mixed.value, Value::Number(_)), "a number stands before an equally frequent text");
}

#[test]
fn majority_rounds_half_even_at_the_extremes_too() {
    let values = numbers(&["0.125", "0.12", "79228162514264337593543950335", "7.9228162514264337593543950335"]);
    assert_eq!(run(Strategy::Majority, &values).expect("values").value.to_string(), "0.12");
}
