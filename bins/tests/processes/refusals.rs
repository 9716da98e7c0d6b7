//! Invalid settings: one sentence that says what to do, and an exit code. With 2, no restart helps.

use std::fs;
use std::net::TcpListener;

use quorate_test_support::workspace;

use crate::support::{COORDINATOR, QUORATE, WORKER, run};

/// Why a file cannot be read that is not there, and what to do.
const MISSING: &str = "No such file or directory (os error 2); correct its path or its permissions";

/// Runs a program that must refuse to start, and returns its error.
async fn refusal(program: &str, flags: &[&str], code: i32) -> String {
    let ended = run(program, flags).await;
    assert_eq!(ended.code, Some(code), "{flags:?}: {ended:?}");
    assert_eq!(ended.stdout, "", "{flags:?}");
    assert!(ended.stderr.starts_with("error: "), "{flags:?}: {}", ended.stderr);
    ended.stderr
}

/// Runs a program that must refuse to start with exactly this sentence.
async fn refuses(program: &str, flags: &[&str], sentence: &str) {
    assert_eq!(refusal(program, flags, 2).await, format!("error: {sentence}\n"), "{flags:?}");
}

#[tokio::test]
async fn an_address_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let sentence = format!(
        "cannot listen on {address}: Address already in use (os error 98); stop the program that listens there, \
         or choose another address with --listen"
    );
    // The other program may end, so that a restart helps.
    assert_eq!(refusal(COORDINATOR, &["--listen", &address], 1).await, format!("error: {sentence}\n"));
    assert_eq!(refusal(QUORATE, &["dev", "--listen", &address], 1).await, format!("error: {sentence}\n"));
    // An address for documentation, which no machine has.
    let elsewhere = "cannot listen on 203.0.113.1:80: Cannot assign requested address (os error 99); no network \
                     interface has this address; choose another one with --listen";
    assert_eq!(refusal(COORDINATOR, &["--listen", "203.0.113.1:80"], 1).await, format!("error: {elsewhere}\n"));
    let said = refusal(COORDINATOR, &["--listen", "localhost:8080"], 2).await;
    assert!(said.contains("expected an IP address and a port, such as 0.0.0.0:8080"), "{said}");
}

#[tokio::test]
async fn an_invalid_nats_address_is_refused() {
    for (program, flags) in [(COORDINATOR, ["--listen", "127.0.0.1:0"]), (WORKER, ["--id", "w"])] {
        for (url, why) in [
            ("http://localhost:4222", "invalid scheme for NATS server URL: http"),
            ("nats://", "it has no host"),
            ("nats://localhost:99999", "NATS server URL is invalid: invalid port number"),
        ] {
            let sentence = format!(
                "cannot use the NATS settings: \"{url}\" is not the address of a NATS server: {why}; --nats takes \
                 addresses such as nats://localhost:4222, --nats-creds a credentials file, --nats-ca PEM certificates"
            );
            refuses(program, &[&flags[..], &["--nats", url]].concat(), &sentence).await;
        }
    }
    for flag in ["--nats-creds", "--nats-ca"] {
        let said = refusal(WORKER, &[flag, "/nonexistent"], 2).await;
        assert!(said.contains("/nonexistent: ") && said.contains("No such file or directory"), "{said}");
    }
}

#[tokio::test]
async fn flags_that_contradict_each_other_are_refused() {
    let listen = ["--listen", "127.0.0.1:0"];
    let policy = "the policy that the flags set for every request is not valid";
    refuses(
        COORDINATOR,
        &[&listen[..], &["--quorum", "1", "--min-responses", "2"]].concat(),
        &format!("{policy}: quorum must be between min_responses (2) and 1000"),
    )
    .await;
    refuses(
        COORDINATOR,
        &[&listen[..], &["--timeout-ms", "70000"]].concat(),
        &format!("{policy}: timeout_ms must be between 1 and 60000"),
    )
    .await;
    let delays = "the simulated source cannot be used; see --delay-min-ms and --delay-max-ms: \
                  the shortest delay must not exceed the longest";
    refuses(WORKER, &["--delay-min-ms", "3000"], delays).await;
    refuses(QUORATE, &[&["dev"], &listen[..], &["--delay-min-ms", "3000"]].concat(), delays).await;
}

#[tokio::test]
async fn a_source_file_that_cannot_be_used_is_refused_with_the_place_of_its_fault() {
    let said = refusal(WORKER, &["--source", "http"], 2).await;
    assert!(said.contains("--config <FILE>"), "{said}");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sources.toml").display().to_string();
    let with_file = ["--source", "http", "--config", &file, "--id", "a"];
    refuses(WORKER, &with_file, &format!("cannot read the source file {file}: {MISSING}")).await;
    fs::write(&file, "[[source]]\nworker = \"a\"\nquery = \"q\"\n  kid = \"http\"\n").expect("it can be written");
    let said = refusal(WORKER, &with_file, 2).await;
    assert!(said.starts_with(&format!("error: {file}:4:3: unknown field `kid`, expected one of `worker`")), "{said}");

    let example = workspace("examples/sources.toml").display().to_string();
    let sentence = format!(
        "{example} has no entry with kind = \"http\" for worker \"a\"; it has entries for: bitstamp, coinbase, kraken. \
         Start the worker with one of these as --id, or add a [[source]] with worker = \"a\""
    );
    refuses(WORKER, &["--source", "http", "--config", &example, "--id", "a"], &sentence).await;

    let entry = |n| format!("[[source]]\nquery = \"q{n}\"\nkind = \"command\"\nargv = [\"x\"]\n");
    fs::write(&file, (0..257).map(entry).collect::<String>()).expect("it can be written");
    let with_file = ["--source", "command", "--config", &file];
    let sentence = format!(
        "a worker cannot offer the queries of its entries in {file}: a worker offers at most 256 queries, of 16384 bytes \
         together. Start the worker with --queries and a few patterns that cover them, such as */USD"
    );
    refuses(WORKER, &with_file, &sentence).await;
    let said = refusal(WORKER, &[&with_file[..], &["--queries", "q*", "--nats", "nats://"]].concat(), 2).await;
    assert!(said.contains("cannot use the NATS settings"), "its queries are accepted: {said}");
    let said = refusal(WORKER, &["--queries", "BTC/*,"], 2).await;
    let why = "invalid value 'BTC/*,' for '--queries <QUERIES>': an offered query must have 1 to 256 characters";
    assert!(said.contains(why), "{said}");
}

#[tokio::test]
async fn a_policy_file_that_cannot_be_used_is_refused_with_the_place_of_its_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policies.toml").display().to_string();
    let coordinator = ["--listen", "127.0.0.1:0", "--policies", &file];
    let dev = [&["dev"], &coordinator[..]].concat();
    let unreadable = format!("cannot read the policy file {file}: {MISSING}");
    refuses(COORDINATOR, &coordinator, &unreadable).await;
    let policies = "[[policy]]\nquery = \"*/USD\"\n\n[[policy]]\nquery = \"*\"\n";
    for (fault, line, column, says) in [
        ("  stategy = \"median\"", 6, 3, "unknown field `stategy`, expected one of `query`"),
        ("timeout_ms = 60001", 6, 14, "timeout_ms must be between 1 and 60000\n"),
        ("[[policy]]\nquery = \"*/USD\"", 7, 9, "an earlier policy is for the same queries"),
    ] {
        fs::write(&file, format!("{policies}{fault}\n")).expect("it can be written");
        for (program, flags) in [(COORDINATOR, &coordinator[..]), (QUORATE, &dev)] {
            let said = refusal(program, flags, 2).await;
            assert!(said.starts_with(&format!("error: {file}:{line}:{column}: {says}")), "{fault}: {said}");
        }
    }
    // The limits come from the flags.
    let narrow = [&coordinator[..], &["--max-timeout-ms", "6000"]].concat();
    fs::write(&file, "[[policy]]\nquery = \"*\"\ntimeout_ms = 6001\n").expect("it can be written");
    refuses(COORDINATOR, &narrow, &format!("{file}:3:14: timeout_ms must be between 1 and 6000")).await;
}
