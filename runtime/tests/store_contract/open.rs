//! How a store on JetStream is opened: what is made, what is used as it is, and what is refused.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, Republish};
use async_nats::jetstream::{self, Context};
use quorate_runtime::bus::nats::NatsConfig;
use quorate_runtime::store::jetstream::{JetStream, Limits, OpenError, Settings, Storage};
use quorate_runtime::store::{Log, Store as _};
use quorate_test_support::nats_by_hand::ServerByHand;
use quorate_test_support::store_contract::{append, key, last, next_entry, read_all, until_caught_up};
use quorate_test_support::{NatsServer, workspace};
use tempfile::TempDir;

use crate::bounded;
use crate::harness::JetStreamHarness;

async fn context(server: &NatsServer) -> Context {
    jetstream::new(async_nats::connect(server.url()).await.expect("the server listens"))
}

async fn open(server: &NatsServer, settings: Settings) -> Result<JetStream, OpenError> {
    JetStream::open(NatsConfig::new(server.url()), settings).await
}

#[tokio::test]
async fn the_streams_are_made_as_configured() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        let day = Duration::from_hours(24);
        let settings = Settings {
            subjects: "eu.staging".parse().expect("a prefix"),
            feeds: Limits { age: Some(day), bytes: Some(1 << 20) },
            requests: Limits { age: Some(Duration::from_secs(30)), bytes: None },
            storage: Storage::Memory,
            ..Settings::default()
        };
        open(&harness.server, settings.clone()).await.expect("the server has JetStream");
        open(&harness.server, settings).await.expect("what was made can be used");
        let context = context(&harness.server).await;
        let config =
            async |name: &str| context.get_stream(name).await.expect("it was made").cached_info().config.clone();
        let feeds = config("eu-staging-feeds").await;
        assert_eq!((feeds.subjects, feeds.max_age, feeds.max_bytes), (vec!["eu.staging.feeds.>".into()], day, 1 << 20));
        assert!(feeds.deny_delete && feeds.deny_purge && feeds.allow_direct && feeds.allow_message_ttl);
        let requests = config("eu-staging-requests").await;
        assert_eq!((requests.subjects, requests.max_bytes), (vec!["eu.staging.requests.>".to_owned()], -1));
        assert_eq!(requests.max_age, Duration::from_secs(30));
        let leases = context.get_key_value("eu-staging-leases").await.expect("a bucket");
        assert_eq!(leases.status().await.expect("a bucket").history(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_open_a_store_at_once_find_the_same_one() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        // They differ, as during a change of the configuration.
        let opening = (1_u64..=8).map(|number| {
            let requests = Limits { age: Some(Duration::from_hours(number)), bytes: None };
            open(&harness.server, Settings { requests, ..Settings::default() })
        });
        let stores = futures_util::future::join_all(opening).await;
        let stores: Vec<_> = stores.into_iter().map(|store| store.expect("every one is opened")).collect();
        append(&stores[0], Log::Outcomes, &key("a"), 0, "one").await.expect("it is the first");
        let found = stores[7].last(Log::Outcomes, &key("a")).await.expect("the server answers");
        assert_eq!(found.expect("it is stored").body, "one");
    })
    .await;
}

#[tokio::test]
async fn a_bucket_can_be_read_with_other_clients() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        let store = open(&harness.server, Settings::default()).await.expect("the server has JetStream");
        append(&store, Log::Leases, &key("btc-usd"), 0, "holder").await.expect("it is the first");
        let bucket = context(&harness.server).await.get_key_value("oracle-leases").await.expect("a bucket");
        assert_eq!(bucket.get("btc-usd").await.expect("an answer").expect("a value"), "holder");
    })
    .await;
}

#[tokio::test]
async fn a_server_without_jetstream_is_refused() {
    bounded(async || {
        let server = NatsServer::start();
        let error = open(&server, Settings::default()).await.expect_err("there is no JetStream");
        assert!(matches!(error, OpenError::NoJetStream(_)), "{error}");
    })
    .await;
}

#[tokio::test]
async fn an_old_server_is_refused_with_its_version() {
    bounded(async || {
        let server = ServerByHand::start().await;
        let config = NatsConfig::new(server.url());
        let opening = tokio::spawn(JetStream::open(config, Settings::default()));
        let mut client = server.accept().await;
        client.greet_as("2.10.29").await;
        let hand = tokio::spawn(async move { client.serve_on().await });
        let error = opening.await.expect("no panic").expect_err("the server is too old");
        assert_eq!(error, OpenError::TooOld("2.10.29".to_owned()));
        hand.abort();
    })
    .await;
}

#[tokio::test]
async fn a_server_that_refuses_the_credentials_is_an_error() {
    bounded(async || {
        let server = NatsServer::start_with(&["-js", "--user", "us@er", "--pass", "p%ss"]);
        let error = open(&server, Settings::default()).await.expect_err("there are no credentials");
        assert!(matches!(error, OpenError::Unreachable(_)), "{error}");
    })
    .await;
}

#[tokio::test]
async fn more_replicas_than_servers_are_refused() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        let settings = Settings { replicas: 3, ..Settings::default() };
        let error = open(&harness.server, settings).await.expect_err("there is one server");
        assert!(matches!(error, OpenError::NoPeers { replicas: 3, .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_not_as_it_must_be_is_refused_and_left_alone() {
    Box::pin(bounded(async || {
        let harness = JetStreamHarness::start();
        let context = context(&harness.server).await;
        let right = Config {
            name: "oracle-feeds".to_owned(),
            subjects: vec!["oracle.feeds.>".to_owned()],
            allow_direct: true,
            allow_message_ttl: true,
            deny_delete: true,
            deny_purge: true,
            republish: Some(Republish {
                source: "oracle.feeds.*".to_owned(),
                destination: "oracle.reports.{{wildcard(1)}}".to_owned(),
                headers_only: false,
            }),
            num_replicas: 1,
            ..Config::default()
        };
        for (wrong, reason) in [
            (
                Config { subjects: vec!["oracle-feeds.>".to_owned()], ..right.clone() },
                "it has the subjects oracle-feeds.>",
            ),
            (Config { allow_direct: false, ..right.clone() }, "allow_direct"),
            (Config { allow_message_ttl: false, ..right.clone() }, "allow_msg_ttl"),
            (Config { deny_delete: false, ..right.clone() }, "deny_delete"),
            (Config { deny_purge: false, ..right.clone() }, "deny_purge"),
            (Config { no_ack: true, ..right.clone() }, "no_ack"),
            (Config { republish: None, ..right.clone() }, "republish"),
            (Config { max_message_size: 1000, ..right.clone() }, "max_msg_size"),
            (Config { max_messages_per_subject: 1, ..right.clone() }, "max_msgs_per_subject"),
            (Config { discard: DiscardPolicy::New, ..right.clone() }, "(discard)"),
        ] {
            let made = context.create_stream(wrong).await.expect("it can be made").cached_info().config.clone();
            let error = open(&harness.server, Settings::default()).await.expect_err("it cannot be used");
            assert!(
                matches!(&error, OpenError::Stream { stream, why } if stream == "oracle-feeds" && why.contains(reason))
            );
            let left = context.get_stream("oracle-feeds").await.expect("it is there").cached_info().config.clone();
            assert_eq!(left, made);
            context.delete_stream("oracle-feeds").await.expect("it is there");
        }
        // The subjects under another name.
        let other = Config { name: "other".to_owned(), ..right.clone() };
        context.create_stream(other).await.expect("it can be made");
        let error = open(&harness.server, Settings::default()).await.expect_err("the subjects are taken");
        assert!(matches!(&error, OpenError::Stream { stream, .. } if stream == "oracle-feeds"), "{error}");
        context.delete_stream("other").await.expect("it is there");

        let own = Config { max_messages: 7, discard: DiscardPolicy::Old, max_age: Duration::from_hours(1), ..right };
        let made = context.create_stream(own).await.expect("it can be made").cached_info().config.clone();
        open(&harness.server, Settings::default()).await.expect("other limits are a warning");
        let left = context.get_stream("oracle-feeds").await.expect("it is there").cached_info().config.clone();
        assert_eq!(left, made);
    }))
    .await;
}

/// The permissions that `docs/durability.md` lists, beside those of a coordinator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_permissions_suffice() {
    bounded(async || {
        let guide = std::fs::read_to_string(workspace("docs/durability.md")).expect("the document");
        let (_, listed) = guide.split_once("### Permissions").expect("the section");
        let (listed, _) = listed.split_once("```text").expect("a list").1.split_once("```").expect("its end");
        let publish: Vec<_> =
            listed.split_whitespace().chain(["_INBOX.>"]).map(|subject| format!("{subject:?}")).collect();
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("nats.conf");
        let text = format!(
            r#"authorization {{ users = [{{ user: "c", password: "c", permissions: {{
                publish: [{}], subscribe: ["_INBOX.>"] }} }}] }}"#,
            publish.join(", ")
        );
        std::fs::write(&config, text).expect("it can be written");
        let (config, folder) = (config.display().to_string(), folder.path().display().to_string());
        let server = NatsServer::start_with(&["-c", &config, "-js", "-sd", &folder]);
        let config = NatsConfig::new(server.url().replace("nats://", "nats://c:c@"));
        let store = JetStream::open(config, Settings::default()).await.expect("it may make the streams");
        for log in Log::ALL {
            let name = key("a");
            let mut watch = store.watch(log).await.expect("a watch");
            assert_eq!(until_caught_up(&mut watch).await, []);
            let sequence = append(&store, log, &name, 0, "a").await.expect("it is the first");
            assert_eq!(next_entry(&mut watch).await.sequence, sequence);
            assert!(last(&store, log, &name).await.is_some());
            assert!(store.get(log, sequence).await.expect("an answer").is_some());
            assert_eq!(read_all(&store, log, None, 10).await.len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named() {
    bounded(async || {
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("nats.conf");
        let text = r#"authorization { users = [{ user: "c", password: "c", permissions: {
            publish: { deny: "$JS.API.STREAM.CREATE.>" } } }] }"#;
        std::fs::write(&config, text).expect("it can be written");
        let (config, folder) = (config.display().to_string(), folder.path().display().to_string());
        let server = NatsServer::start_with(&["-c", &config, "-js", "-sd", &folder]);
        let config = NatsConfig::new(server.url().replace("nats://", "nats://c:c@"));
        let error = JetStream::open(config, Settings::default()).await.expect_err("it may not make streams");
        assert!(error.to_string().contains("may not publish to $JS.API.STREAM.CREATE.oracle-feeds"), "{error}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_messages_are_too_short_is_refused() {
    bounded(async || {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("nats.conf");
        std::fs::write(&config, "max_payload: 65536\n").expect("it can be written");
        let (config, folder) = (config.display().to_string(), folder.path().display().to_string());
        let server = NatsServer::start_with(&["-c", &config, "-js", "-sd", &folder]);
        let error = open(&server, Settings::default()).await.expect_err("it would refuse long entries");
        assert!(matches!(&error, OpenError::Configuration(why) if why.contains("raise max_payload")), "{error}");
    })
    .await;
}
