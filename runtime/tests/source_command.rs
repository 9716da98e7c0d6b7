//! The command source against small shell scripts.
#![cfg(unix)]

use std::time::{Duration, Instant};

use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_runtime::clock::Clock;
use quorate_runtime::source::{CommandConfig, CommandSource, Reading, Source, SourceError};

const LONG: Duration = Duration::from_secs(30);

fn source(script: &str) -> CommandSource {
    let config = CommandConfig {
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        timeout: LONG,
        max_bytes: 64 * 1024,
    };
    CommandSource::new(config, Clock::starting_at(Timestamp::from_millis(20_000)))
}

async fn run(script: &str) -> Result<Value, SourceError> {
    source(script).observe("BTC/USD", LONG).await.map(|reading| reading.value)
}

#[tokio::test]
async fn a_program_answers_with_a_number_a_string_or_an_object() {
    let number = |text: &str| Value::Number(text.parse().expect("a decimal"));
    for (script, value) in [
        ("echo 42000.123456789012345678", number("42000.123456789012345678")),
        ("echo '\"0xff\"'", Value::Text("0xff".into())),
        ("echo '{\"value\": 1.50}'", number("1.50")),
        ("echo '{\"value\": \"1.50\", \"err\": \"\", \"more\": [1]}'", Value::Text("1.50".into())),
        ("read line; printf %s \"$line\" | sed 's/.*\"query\":\\(\"[^\"]*\"\\).*/\\1/'", Value::Text("BTC/USD".into())),
        ("read line; printf %s \"$line\" | sed 's/.*\"ttl_ms\":\\([0-9]*\\).*/\\1/'", number("30000")),
        ("exec <&-; yes 2>/dev/null | head -c 200000 >&2; echo 7", number("7")),
    ] {
        assert_eq!(run(script).await, Ok(value), "{script}");
    }
}

#[tokio::test]
async fn a_program_that_fails_says_why() {
    for (script, says) in [
        ("echo '{\"err\": \"closed today\"}'", "closed today"),
        ("echo '{\"value\": 1, \"err\": \"closed today\"}'", "closed today"),
        ("echo; echo no key >&2; echo more >&2; exit 3", "exit status: 3: no key"),
        ("printf '\\033[31mred\\a\\n' >&2; exit 1", "exit status: 1: [31mred"),
        ("exit 4", "ended with exit status: 4"),
        ("kill -9 $$", "signal: 9"),
        ("echo 1; exit 5", "exit status: 5"),
        ("true", "not JSON"),
        ("echo hello", "not JSON"),
        ("echo '{}'", "neither"),
        ("echo '[1]'", "array"),
        ("echo '{\"err\": 1}'", "err"),
        ("printf '\"\\377\"'", "not UTF-8"),
        ("cat /dev/zero", "longer than 65536 bytes"),
    ] {
        let error = run(script).await.expect_err(script).to_string();
        assert!(error.contains(says), "{script}: {error}");
        assert!(error.chars().count() <= 201 && !error.contains(char::is_control), "{error:?}");
    }
    let missing = CommandConfig { program: "/nowhere/x".into(), args: Vec::new(), timeout: LONG, max_bytes: 1 };
    let error =
        CommandSource::new(missing, Clock::new()).observe("q", LONG).await.expect_err("no such program").to_string();
    assert!(error.starts_with("/nowhere/x: cannot be run"), "{error}");
}

#[tokio::test]
async fn a_program_may_say_how_old_its_value_is() {
    let age = |fields: &str| {
        let script = format!("echo '{{\"value\": 1{fields}}}'");
        async move { source(&script).observe("BTC/USD", LONG).await.map(|Reading { age, .. }| age) }
    };
    assert_eq!(age("").await, Ok(None));
    assert_eq!(age(r#", "age_ms": 1500"#).await, Ok(Some(Duration::from_millis(1500))));
    let since = age(r#", "observed_at": "1970-01-01T00:00:15Z""#).await.expect("a value").expect("an age");
    assert!((Duration::from_secs(5)..LONG).contains(&since), "{since:?}");
    for (fields, says) in
        [(r#", "age_ms": -1"#, "sh: age_ms must be"), (r#", "observed_at": 15"#, "observed_at must be")]
    {
        let error = age(fields).await.expect_err(fields).to_string();
        assert!(error.contains(says), "{fields}: {error}");
    }
}

#[tokio::test]
async fn a_task_longer_than_a_pipe_holds_does_not_hang_whether_it_is_read_or_not() {
    let query = "x".repeat(1_000_000);
    for script in ["echo 1", "echo 1; cat >/dev/null", "cat >/dev/null; echo 1"] {
        let observed = source(script).observe(&query, LONG).await;
        assert_eq!(observed, Ok(Value::Number(1.into()).into()), "{script}");
    }
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_killed_with_all_it_started() {
    let directory = tempfile::tempdir().expect("a directory");
    let fifo = directory.path().join("alive");
    let fifo = fifo.to_str().expect("a path in UTF-8");
    // The slow script and its child hold the write end of the pipe: the witness answers once both are gone.
    let witness = format!("mkfifo {fifo}; cat <{fifo}; echo 1");
    let witness = tokio::spawn(async move { run(&witness).await });
    while !std::path::Path::new(fifo).exists() {
        tokio::task::yield_now().await;
    }
    let started = Instant::now();
    let slow = source(&format!("exec 3>{fifo}; sleep 600 & wait"));
    let error = slow.observe("q", Duration::from_millis(300)).await;
    assert_eq!(error, Err(SourceError::Failed("sh: no answer within 300 ms".into())));
    assert_eq!(witness.await.expect("no panic"), Ok(Value::Number(1.into())));
    assert!(started.elapsed() < Duration::from_secs(20));
}
