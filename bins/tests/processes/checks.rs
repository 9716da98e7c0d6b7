//! `--check`: what it reads, what it says, and that it contacts nothing.

use std::fs;
use std::net::TcpListener;

use quorate_test_support::workspace;

use crate::support::{COORDINATOR, Ended, Program, QUORATE, WORKER, run};

/// Checks settings that can be used, and returns what was checked.
async fn passes(program: &str, flags: &[&str]) -> String {
    let ended = run(program, flags).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{flags:?}: {ended:?}");
    ended.stdout
}

/// Checks settings with faults, and returns the faults.
async fn faults(program: &str, flags: &[&str]) -> Vec<String> {
    let Ended { code, stdout, stderr, .. } = run(program, flags).await;
    assert_eq!(code, Some(2), "{flags:?}: {stdout}{stderr}");
    stderr.lines().map(|line| line.strip_prefix("error: ").expect("only errors").to_owned()).collect()
}

#[tokio::test]
async fn a_check_says_what_it_has_read_and_contacts_nothing() {
    // The address is taken, and the server never answers: neither is noticed.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let nats = format!("nats://user:s3cret@{address}");
    let policies = workspace("examples/policies.toml").display().to_string();
    let sources = workspace("examples/sources.toml").display().to_string();

    let coordinator = ["--check", "--listen", &address, "--nats", &nats, "--policies", &policies];
    let said = passes(COORDINATOR, &coordinator).await;
    for line in [
        format!("policies      {policies}, 3 policies and 3 weights"),
        "flags         valid".to_owned(),
        format!("address       {address}, not opened"),
        format!("NATS          nats://{address}, not contacted"),
        "log           info,async_nats=off".to_owned(),
    ] {
        assert!(said.lines().any(|said| said == line), "{line:?} is not in: {said}");
    }
    assert_eq!(passes(QUORATE, &[&["coordinator"], &coordinator[..]].concat()).await, said);

    let worker = ["--check", "--nats", &nats, "--source", "http", "--config", &sources, "--id", "kraken"];
    let said = passes(WORKER, &worker).await;
    assert!(said.contains("worker        kraken\n") && !said.contains("s3cret"), "{said}");
    assert!(said.contains(&format!("source        {sources}, for ")), "{said}");
    assert!(passes(WORKER, &["--check"]).await.contains("source        simulated, for every query\n"));
    taken.set_nonblocking(true).expect("it can be polled");
    assert!(taken.accept().is_err(), "nobody has connected");

    let checked =
        Program::start_in(WORKER, &["--nats", &nats], &[("QUORATE_CHECK", "1"), ("QUORATE_CONFIG", &sources)]);
    let ended = checked.ended().await;
    let ignored = "ignored       QUORATE_CONFIG has no effect without --source http or --source command\n";
    assert!(ended.code == Some(0) && ended.stdout.contains(ignored), "{ended:?}");
}

#[tokio::test]
async fn a_check_finds_every_fault_of_files_and_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("it can be written");
        file.display().to_string()
    };
    let policies = file("policies.toml", "[[policy]]\nquery = \"*\"\nquorum = 0\n");
    let creds = file("user.creds", "no credentials");
    let certificates = file("ca.pem", "no certificate");
    let flags =
        ["--check", "--policies", &policies, "--nats-creds", &creds, "--nats-ca", &certificates, "--log", "=?!"];
    let said = faults(COORDINATOR, &flags).await;
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with(&format!("{policies}:3:10: quorum must be ")), "{said:?}");
    assert!(said[1].contains(&format!("the NATS credentials cannot be used: {creds}: ")), "{said:?}");
    assert!(said[2].starts_with("cannot understand the log filter "), "{said:?}");

    let said = faults(COORDINATOR, &["--check", "--quorum", "1", "--min-responses", "2"]).await;
    assert_eq!(
        said,
        ["the policy that the flags set for every request is not valid: quorum must be between \
                      min_responses (2) and 1000"]
    );
    let said = faults(WORKER, &["--check", "--nats-ca", &certificates, "--delay-min-ms", "1h"]).await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("the shortest delay must not exceed the longest"), "{said:?}");
    let none = format!("the NATS certificates cannot be used: {certificates}: there is no PEM certificate in it");
    assert!(said[1].contains(&none), "{said:?}");
    let sources = file("sources.toml", "[[source]]\nquery = \"q\"\nkind = \"command\"\nargv = []\n");
    let said = faults(WORKER, &["--check", "--source", "command", "--config", &sources]).await;
    assert!(said.len() == 1 && said[0].starts_with(&format!("{sources}:4:")), "{said:?}");
}
