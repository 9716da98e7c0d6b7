//! Two deployments on one NATS server, kept apart by their subject prefixes and by permissions.

use std::collections::BTreeSet;
use std::fs;

use async_nats::Client;
use futures_util::{FutureExt as _, StreamExt as _};
use quorate_test_support::NatsServer;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::schemas::check;
use crate::support::{Api, COORDINATOR, PATIENCE, Program, QUICK, WORKER, api_of, parsed, run};

/// Users with the least rights of each deployment, as docs/operations.md lists them, and one with all rights.
const USERS: &str = r#"
authorization { users = [
  { user: all, password: pw }
  { user: coordinator, password: pw, permissions: {
      publish: ["oracle.tasks", "oracle.tasks.packed", "oracle.outcomes.>", "$SRV.PING.quorate-worker", "_INBOX.>"],
      subscribe: ["oracle.results", "oracle.workers", "_INBOX.>"] } }
  { user: worker, password: pw, permissions: {
      publish: ["oracle.results", "oracle.workers", "_INBOX.>"],
      subscribe: ["oracle.tasks", "oracle.tasks.packed", "$SRV.>", "_INBOX.quorate.echo.>"] } }
  { user: staging_coordinator, password: pw, permissions: {
      publish: ["eu.staging.>", "$SRV.PING.quorate-worker-eu_staging"], subscribe: ["eu.staging.>"] } }
  { user: staging_worker, password: pw, permissions: {
      publish: ["eu.staging.>"], subscribe: ["eu.staging.>", "$SRV.>"] } }
] }
"#;

/// A coordinator and a worker.
struct Deployment {
    coordinator: Program,
    worker: Program,
    api: Api,
}

impl Deployment {
    async fn start(nats: &NatsServer, users: [&str; 2], id: &str, flags: &[&str]) -> Self {
        let [coordinator, worker] = users.map(|user| nats.url().replace("://", &format!("://{user}:pw@")));
        let worker = Program::start(WORKER, &[&["--nats", &worker, "--id", id], flags, &QUICK[..]].concat());
        let listen = ["--nats", &coordinator, "--listen", "127.0.0.1:0"];
        let coordinator = Program::start(COORDINATOR, &[&listen, flags].concat());
        let api = api_of(&coordinator).await;
        api.wait_for(1, "live").await;
        Self { coordinator, worker, api }
    }

    /// Checks that its one worker is `id`, and alone answers.
    async fn has_only(&self, id: &str) {
        let answer = self.api.answer("BTC/USD").await;
        let responses = answer["worker_responses"].as_array().expect("a list");
        assert_eq!((responses.len(), &responses[0]["worker_id"]), (1, &json!(id)), "{answer}");
        let (_, known) = self.api.get("/workers").await;
        assert_eq!(known["workers"].as_array().map(Vec::len), Some(1), "{known}");
        self.api.knows(id, true).await;
        for program in [&self.coordinator, &self.worker] {
            let log = program.stderr();
            assert!(!log.contains("reports an error") && !log.contains("did not confirm"), "{log}");
        }
    }
}

/// The worker of the deployment, as it answers a ping of its service.
async fn pinged(client: &Client, service: &str, inbox: &str) -> (Json, Json) {
    let mut replies = client.subscribe(inbox.to_owned()).await.expect("a subscription");
    client.publish_with_reply(format!("$SRV.PING.{service}"), inbox.to_owned(), "".into()).await.expect("it is sent");
    let reply = timeout(PATIENCE, replies.next()).await.expect("an answer").expect("a message");
    let reply = parsed(std::str::from_utf8(&reply.payload).expect("text"));
    check("service_ping", &reply);
    (reply["name"].clone(), reply["metadata"]["worker_id"].clone())
}

#[tokio::test]
async fn two_prefixes_on_one_server_share_neither_workers_nor_tasks() {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nats.conf");
    fs::write(&file, USERS).expect("it can be written");
    let nats = NatsServer::start_with(&["--config", &file.display().to_string()]);
    let options = async_nats::ConnectOptions::with_user_and_password("all".to_owned(), "pw".to_owned());
    let client = options.connect(nats.url()).await.expect("a connection");
    let mut all = client.subscribe(">").await.expect("a subscription");
    client.flush().await.expect("it arrives");

    let production = Deployment::start(&nats, ["coordinator", "worker"], "p1", &[]).await;
    let prefix = ["--subject-prefix", "eu.staging"];
    let staging = Deployment::start(&nats, ["staging_coordinator", "staging_worker"], "s1", &prefix).await;
    for _ in 0..3 {
        production.has_only("p1").await;
        staging.has_only("s1").await;
    }
    client.flush().await.expect("it arrives");
    let mut seen = BTreeSet::new();
    while let Some(Some(message)) = all.next().now_or_never() {
        let subject = message.subject.into_string();
        // What its task says about the deployment is also true of where the answer goes.
        if let (Some("tasks"), Some(reply)) = (subject.rsplit('.').next(), &message.reply) {
            assert_eq!(reply.starts_with("eu.staging._INBOX."), subject.starts_with("eu."), "{subject} {reply}");
        }
        seen.insert(subject);
    }
    for expected in ["tasks", "workers", "outcomes.BTC/USD"]
        .map(|subject| [format!("oracle.{subject}"), format!("eu.staging.{subject}")])
    {
        assert!(expected.iter().all(|subject| seen.contains(subject)), "{expected:?}: {seen:?}");
    }
    let names = ["quorate-worker", "quorate-worker-eu_staging"];
    for name in names {
        assert!(seen.contains(&format!("$SRV.PING.{name}")), "{seen:?}");
    }
    for (name, inbox, id) in [(names[0], "_INBOX.test", "p1"), (names[1], "eu.staging._INBOX.test", "s1")] {
        assert_eq!(pinged(&client, name, inbox).await, (json!(name), json!(id)));
    }
}

#[tokio::test]
async fn a_prefix_is_tokens_of_a_subject() {
    for (prefix, why) in [("a..b", "expected tokens"), ("$SYS", "expected tokens"), ("x.outcomes.y", "no token")] {
        let ended = run(WORKER, &["--subject-prefix", prefix]).await;
        assert_eq!(ended.code, Some(2), "{prefix}");
        assert!(ended.stderr.contains(why) && ended.stderr.contains("--subject-prefix"), "{}", ended.stderr);
    }
}
