//! What a coordinator that is ready says: how much it has to do, and which policies lack workers.

use super::clean;
use quorate_client::body::{Readiness, ShortPolicy};

/// A line for the coordinator, and one for each policy that lacks workers.
pub fn readiness(ready: &Readiness) -> String {
    let Readiness { workers, in_flight, short, .. } = ready;
    let mut lines = vec![format!("ready; live workers: {workers}, requests in flight: {in_flight}")];
    lines.extend(short.iter().map(|policy| clean(&shortage(policy))));
    lines.join("\n")
}

/// How many workers a policy has of those that it needs, and who is missing.
fn shortage(policy: &ShortPolicy) -> String {
    let ShortPolicy { query, served, workers, needed, missing } = policy;
    // Workers that are missing by name are needed as well, however many others are there.
    let needed = workers.saturating_add(missing.len() as u64).max(*needed);
    let mut said = format!("{query}: {workers} of {needed} workers");
    if !missing.is_empty() {
        said = said + ", missing " + &missing.join(", ");
    }
    if !served {
        said += "; its requests fail";
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_client::Body;

    #[test]
    fn each_policy_that_lacks_workers_is_a_line() {
        let json = r#"{"ready": true, "workers": 6, "in_flight": 2, "short": [
            {"query": "BTC/*", "served": true, "workers": 2, "needed": 3, "missing": ["kraken"]},
            {"query": "ETH/*", "served": true, "workers": 4, "needed": 1, "missing": ["a", "b\nc"]},
            {"query": "block/latest", "served": false, "workers": 1, "needed": 2, "missing": []}]}"#;
        let expected = "\
ready; live workers: 6, requests in flight: 2
BTC/*: 2 of 3 workers, missing kraken
ETH/*: 4 of 6 workers, missing a, b\\u{a}c
block/latest: 1 of 2 workers; its requests fail";
        assert_eq!(readiness(&Readiness::read(json).expect("a readiness")), expected);
    }

    #[test]
    fn a_coordinator_that_lists_no_policies_has_one_line() {
        let ready = Readiness::read(r#"{"ready": true, "workers": 1}"#).expect("a readiness");
        assert_eq!(readiness(&ready), "ready; live workers: 1, requests in flight: 0");
    }
}
