//! Credentials that NATS refuses: at the start they end a program, later they do not.

use std::fs;

use quorate_test_support::NatsServer;
use quorate_test_support::nats_by_hand::ServerByHand;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::{Api, COORDINATOR, Program, QUICK, QUORATE, WORKER, api_of, run, until};

/// A NATS server for one user, whose password can be changed.
struct Guarded {
    folder: TempDir,
    nats: NatsServer,
}

impl Guarded {
    fn start(password: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder, password);
        let file = folder.path().join("nats.conf").display().to_string();
        Self { nats: NatsServer::start_with(&["--config", &file]), folder }
    }

    /// The server comes back with another password.
    fn restart(&mut self, password: &str) {
        write(&self.folder, password);
        self.nats.restart();
    }

    /// The address with some user information.
    fn url(&self, user: &str) -> String {
        self.nats.url().replace("://", &format!("://{user}@"))
    }
}

fn write(folder: &TempDir, password: &str) {
    let users = format!("authorization {{ users = [{{ user: quorate, password: {password} }}] }}\n");
    fs::write(folder.path().join("nats.conf"), users).expect("it can be written");
}

#[tokio::test]
async fn a_program_that_nats_does_not_let_in_says_so_once_and_ends() {
    let guarded = Guarded::start("right");
    let address = guarded.nats.url();
    let mut all = JoinSet::new();
    for (user, refused) in
        [("quorate:wr0ng", "the user or its password"), ("t0ken", "the token"), ("", "a client without credentials")]
    {
        let url = if user.is_empty() { address.clone() } else { guarded.url(user) };
        for (program, flags) in
            [(COORDINATOR, &["--listen", "127.0.0.1:0"][..]), (WORKER, &[]), (QUORATE, &["worker", "--id", "w"])]
        {
            let (address, url) = (address.clone(), url.clone());
            all.spawn(async move {
                let ended = run(program, &[flags, &["--nats", &url]].concat()).await;
                assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
                let sentence = format!(
                    "error: NATS refuses the credentials: {address}: the server refuses {refused}; correct them in \
                     --nats (nats://user:password@host or nats://token@host) or --nats-creds"
                );
                assert_eq!(ended.stderr.lines().last(), Some(sentence.as_str()), "{ended:?}");
                let complaints = ["refuse", "uthorization", "reached"].map(|word| ended.stderr.matches(word).count());
                assert_eq!(complaints, [2, 0, 0], "said once: {}", ended.stderr);
                assert!(!ended.stderr.contains("wr0ng") && !ended.stderr.contains("t0ken"), "{}", ended.stderr);
            });
        }
    }
    all.join_all().await;
}

/// The service that authorizes the clients of a server may start after the server, as after a power cut.
#[tokio::test]
async fn a_server_that_refuses_everybody_may_let_the_program_in_some_seconds_later() {
    let mut guarded = Guarded::start("before");
    let url = guarded.url("quorate:after");
    let flags = ["--nats", &url, "--listen", "127.0.0.1:0", "--log", "info,quorate_runtime=debug"];
    let coordinator = Program::start(COORDINATOR, &flags);
    coordinator.logs("NATS refuses the credentials").await;
    guarded.restart("after");
    coordinator.logs("connected to NATS").await;
}

#[tokio::test]
async fn one_server_that_cannot_be_reached_may_let_the_program_in_later() {
    let guarded = Guarded::start("right");
    let mut down = NatsServer::start();
    down.kill();
    let urls = format!("{},{}", guarded.url("quorate:wrong"), down.url());
    let coordinator = Program::start(COORDINATOR, &["--nats", &urls, "--listen", "127.0.0.1:0"]);
    let why = coordinator.logs("NATS cannot be reached; still trying attempts=1 error=").await;
    assert!(why.contains("the server refuses the user or its password"), "{why}");
    down.restart();
    coordinator.logs("connected to NATS").await;
}

#[tokio::test]
async fn a_changed_password_is_waited_out() {
    let mut guarded = Guarded::start("first");
    let url = guarded.url("quorate:first");
    let coordinator = Program::start(COORDINATOR, &["--nats", &url, "--listen", "127.0.0.1:0"]);
    let worker = Program::start(WORKER, &[&["--nats", &url, "--id", "w1"], &QUICK[..]].concat());
    let api: Api = api_of(&coordinator).await;
    api.wait_for(1, "live").await;
    guarded.restart("second");
    for program in [&coordinator, &worker] {
        let why = program.logs("NATS refuses the credentials; still trying error=").await;
        assert!(why.contains("the server refuses the user or its password"), "{why}");
    }
    guarded.restart("first");
    until("an answer", async || api.ask(serde_json::json!({"query": "q"})).await.0 == 200).await;
}

#[tokio::test]
async fn a_refusal_that_lasts_is_logged_once() {
    let server = ServerByHand::start().await;
    let coordinator = Program::start(COORDINATOR, &["--nats", &server.url(), "--listen", "127.0.0.1:0"]);
    let client = server.begin().await;
    coordinator.logs("connected to NATS").await;
    drop(client);
    for _ in 0..4 {
        let mut client = server.accept().await;
        client.greet().await;
        client.hear().await;
        client.say("-ERR 'Authorization Violation'").await;
    }
    // The coordinator tries again only after it has handled the refusal before.
    drop(server.accept().await);
    let log = coordinator.stderr();
    assert_eq!(log.matches("NATS refuses the credentials").count(), 1, "{log}");
    assert!(!log.contains("async_nats"), "{log}");
}
