use super::*;
use crate::scenario::Fault;

fn violation(checker: &'static str) -> Violation {
    Violation { checker, at: 0, text: "broken".to_owned() }
}

/// Many faults and requests, each identified by its time.
fn large() -> Scenario {
    let mut scenario = Scenario::generate(1);
    scenario.cluster.clients = vec![1];
    scenario.cluster.coordinators.truncate(1);
    let host = |number: u64| Host::Worker((number % 3 + 1) as u8);
    scenario.faults =
        (0..37).map(|number| Fault { at_ms: 10 * number, for_ms: 64, kind: FaultKind::Freeze(host(number)) }).collect();
    let request = Request { client: 1, coordinator: 1, ..scenario.requests[0].clone() };
    scenario.requests = (0..41).map(|number| Request { at_ms: 7 * number, ..request.clone() }).collect();
    scenario.heal_ms = 100_000;
    scenario
}

fn has(scenario: &Scenario, fault: u64, request: u64) -> bool {
    scenario.faults.iter().any(|it| it.at_ms == fault) && scenario.requests.iter().any(|it| it.at_ms == request)
}

#[test]
fn only_what_matters_is_left() {
    let shrunk = shrink(&large(), Budget::UNLIMITED, |scenario| has(scenario, 200, 70).then(|| violation("x")));
    let Shrunk { scenario, minimal, .. } = shrunk.expect("it fails");
    assert!(minimal);
    assert_eq!((scenario.faults[0].at_ms, scenario.requests[0].at_ms), (200, 70));
    assert_eq!(Size::of(&scenario), Size { faults: 1, requests: 1, hosts: 4, heal_ms: 201 });
    assert_eq!((scenario.faults[0].for_ms, scenario.requests[0].retries, scenario.requests[0].id), (1, 0, None));
}

#[test]
fn nothing_more_can_be_removed() {
    // It fails with any two of three faults, one of two requests and an odd number of workers.
    let fails = |scenario: &Scenario| {
        let count = [30, 110, 360].iter().filter(|at| scenario.faults.iter().any(|it| it.at_ms == **at)).count();
        let asked = scenario.requests.iter().any(|request| request.at_ms == 70 || request.at_ms == 140);
        count >= 2 && asked && !scenario.cluster.workers.len().is_multiple_of(2)
    };
    let run = |scenario: &Scenario| fails(scenario).then(|| violation("x"));
    let scenario = shrink(&large(), Budget::UNLIMITED, run).expect("it fails").scenario;
    assert_eq!((scenario.faults.len(), scenario.requests.len()), (2, 1));
    for place in 0..scenario.faults.len() {
        let mut smaller = scenario.clone();
        smaller.faults.remove(place);
        assert!(!fails(&smaller), "fault {place}");
    }
    for place in 0..scenario.requests.len() {
        let mut smaller = scenario.clone();
        smaller.requests.remove(place);
        assert!(!fails(&smaller), "request {place}");
    }
    for host in scenario.hosts() {
        assert!(without(&scenario, host).is_none_or(|smaller| !fails(&smaller)), "{host}");
    }
}

#[test]
fn a_violation_by_another_checker_is_not_the_same_failure() {
    let run = |scenario: &Scenario| match scenario.faults.len() {
        0..5 => Some(violation("other")),
        _ => Some(violation("same")),
    };
    let shrunk = shrink(&large(), Budget::UNLIMITED, run).expect("it fails");
    assert_eq!((shrunk.violation.checker, shrunk.scenario.faults.len()), ("same", 5));
}

#[test]
fn the_best_scenario_is_kept_when_the_budget_ends_and_none_is_run_twice() {
    let mut seen = HashSet::new();
    let mut run = |scenario: &Scenario| {
        assert!(seen.insert(hash(scenario)), "run twice");
        has(scenario, 200, 70).then(|| violation("x"))
    };
    let shrunk = shrink(&large(), Budget { runs: 12, ..Budget::UNLIMITED }, &mut run).expect("it fails");
    assert!(!shrunk.minimal && shrunk.runs == 12, "{} runs", shrunk.runs);
    assert!(has(&shrunk.scenario, 200, 70));
    assert!(shrunk.scenario.faults.len() < 37);
}

#[test]
fn a_scenario_that_passes_is_not_shrunk() {
    assert_eq!(shrink(&large(), Budget::UNLIMITED, |_| None), None);
}

#[test]
fn requests_of_a_removed_host_move_to_another() {
    let mut scenario = large();
    scenario.cluster.clients.push(2);
    scenario.requests[3].client = 2;
    scenario.faults[0].kind = FaultKind::Lie(vec![Host::Worker(1), Host::Worker(2)], 100);
    let smaller = without(&scenario, Host::Client(2)).expect("there is another");
    assert_eq!(smaller.requests, large().requests);
    let smaller = without(&scenario, Host::Worker(1)).expect("there is another");
    assert_eq!(smaller.faults[0].kind, FaultKind::Lie(vec![Host::Worker(2)], 100));
    assert!(smaller.faults.iter().all(|fault| !fault.kind.hosts().contains(&Host::Worker(1))));
    assert_eq!(without(&scenario, Host::Coordinator(1)), None);
}
