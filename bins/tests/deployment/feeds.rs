//! Feeds and the store, as the compose file and systemd give them to a coordinator.

use quorate_core::coordinator::Config;
use quorate_test_support::workspace;

use crate::files::{fields, read, text, texts, yaml};
use crate::program::check_taken;

/// Checks that a coordinator takes a feed file with this text.
pub(crate) fn check_feed_file(text: &str) {
    let feeds = quorate_runtime::feeds::parse("feeds.toml", text, &Config::default());
    assert!(!feeds.unwrap_or_else(|error| panic!("{error}")).is_empty(), "{text}");
}

#[test]
fn the_compose_file_with_feeds_gives_the_coordinator_its_feed_file_and_nats_a_volume() {
    let (compose, base) = (yaml("deploy/compose.feeds.yaml"), yaml("deploy/compose.yaml"));
    for (name, _) in fields(&compose["services"]) {
        assert!(base["services"].get(name).is_some(), "{name} is a service of compose.yaml");
    }
    let coordinator = &compose["services"]["coordinator"];
    let variables: Vec<_> = fields(&coordinator["environment"]).map(|(name, value)| (name, text(value))).collect();
    check_taken("coordinator", &[], &variables);
    let [mount] = texts(&coordinator["volumes"])[..] else { panic!("one file") };
    let [from, to, "ro"] = mount.split(':').collect::<Vec<_>>()[..] else { panic!("{mount} can be written to") };
    assert!(variables.contains(&("QUORATE_FEEDS", to)), "{mount}");
    let file = std::fs::read_to_string(workspace("deploy").join(from)).expect("it exists");
    check_feed_file(&file);

    let (nats, before) = (&compose["services"]["nats"], &base["services"]["nats"]);
    let (command, plain) = (texts(&nats["entrypoint"]), texts(&before["entrypoint"]));
    assert!(command.starts_with(&plain), "{command:?}");
    let ["--jetstream", "--store_dir", folder] = command[plain.len()..] else { panic!("{command:?}") };
    let [mount] = texts(&nats["volumes"])[..] else { panic!("one volume") };
    let (volume, place) = mount.split_once(':').expect("a volume and its place");
    assert_eq!(place, folder);
    assert!(compose["volumes"].get(volume).is_some(), "{volume}");
}

#[test]
fn the_documents_name_the_feed_file_and_both_compose_files() {
    let operations = read("docs/operations.md");
    for part in ["deploy/feeds.toml", "--file deploy/compose.feeds.yaml", "components/feeds"] {
        assert!(operations.contains(part), "{part}");
    }
}
