//! Watching without a terminal: lines and objects, until a count or a signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use reqwest::Url;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::binary::{QUORATE, command, run};
use super::server;

/// A coordinator whose n-th answer, from 0, is `answer(n)`.
async fn coordinator(answer: fn(usize) -> (StatusCode, String)) -> Url {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = move || async move { answer(asked.fetch_add(1, Ordering::Relaxed)) };
    server::serve(Router::new().route("/request", post(count.clone())).route("/workers", get(count))).await
}

fn value(value: &str) -> (StatusCode, String) {
    (StatusCode::OK, server::outcome("BTC/USD", value))
}

fn refusal() -> (StatusCode, String) {
    let body = r#"{"error":"deadline_exceeded","code":504,"details":"no usable value","missing":["w1"]}"#;
    (StatusCode::GATEWAY_TIMEOUT, body.to_owned())
}

/// Watches to the end, with an interval too short to delay a test.
async fn watch(subcommand: &[&str], url: &Url, count: &str, flags: &[&str]) -> (i32, Vec<String>, String) {
    let watching = ["--watch", "--interval", "10ms", "--count", count, "--url", url.as_str()];
    let (code, shown, error) = run(QUORATE, &[subcommand, &watching[..], flags].concat()).await;
    (code, shown.lines().map(str::to_owned).collect(), error)
}

/// The lines as JSON, without their times, which are checked.
fn objects(lines: &[String]) -> Vec<Json> {
    let object = |line: &String| {
        let mut object: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        let time = object.as_object_mut().and_then(|fields| fields.remove("time")).expect("each line has its time");
        let time = time.as_str().expect("a text").to_owned();
        assert!(time.len() > 19 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
        object
    };
    lines.iter().map(object).collect()
}

#[tokio::test]
async fn each_answer_is_a_line_with_its_change() {
    let values = ["42000.50", "42010.50", "42010.500", "-1"];
    let url = coordinator(|n| value(["42000.50", "42010.50", "42010.500", "-1"][n])).await;
    let (code, lines, error) = watch(&["ask", "BTC/USD"], &url, "4", &[]).await;
    assert_eq!((code, lines.len(), error.as_str()), (0, 4, ""), "{lines:?}");
    let changes = ["-", "+10.00 (+0.024%)", "same", "-42011.5 (-100.002%)"];
    for ((line, value), change) in lines.iter().zip(values).zip(changes) {
        let (time, rest) = line.split_once("  ").expect("columns");
        assert!(time.len() == 20 && time.ends_with('Z'), "{line}");
        let columns: Vec<_> = rest.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        assert_eq!(columns, [value, change, "complete", "1/1 workers", "2.0 ms"], "{line}");
    }
}

#[tokio::test]
async fn as_json_each_line_is_the_coordinators_object_with_time_and_change() {
    let url = coordinator(|n| if n == 1 { refusal() } else { value(["1.50", "", "2.75"][n]) }).await;
    let (code, lines, error) = watch(&["ask", "BTC/USD"], &url, "3", &["--json"]).await;
    assert_eq!((code, error.as_str()), (3, ""), "the code is that of the failure");
    assert!(lines[2].contains(r#""change":1.25,"#) && lines[2].contains(r#""final_value":2.75,"#), "{}", lines[2]);
    let objects = objects(&lines);
    let mut first: Json = serde_json::from_str(&server::outcome("BTC/USD", "1.50")).expect("JSON");
    first["change"] = Json::Null;
    assert_eq!(objects[0], first);
    let refused: Json = serde_json::from_str(&refusal().1).expect("JSON");
    assert_eq!(objects[1], refused);
}

#[tokio::test]
async fn a_question_without_an_answer_is_a_line_and_does_not_end_the_watch() {
    let url = coordinator(|n| if n == 0 { refusal() } else { value("1") }).await;
    let (code, lines, error) = watch(&["ask", "q"], &url, "2", &[]).await;
    assert_eq!((code, lines.len(), error.as_str()), (3, 2, ""), "{lines:?}");
    let said = "Z  the coordinator answered 504 Gateway Timeout: no usable value; w1 no answer";
    assert!(lines[0].ends_with(said) && lines[1].contains("  1  -"), "{lines:?}");

    let nowhere = server::nowhere().await;
    let (code, lines, _) = watch(&["ask", "q"], &nowhere, "2", &["--json"]).await;
    let details =
        format!("cannot reach {nowhere}: connection refused; is the coordinator running? start one with: quorate dev");
    assert_eq!((code, objects(&lines)), (4, vec![json!({"error": "unreachable", "details": details}); 2]));
}

#[tokio::test]
async fn an_error_that_a_repetition_cannot_fix_ends_the_watch() {
    let wrong = |_| (StatusCode::BAD_REQUEST, r#"{"error":"invalid_request","code":400}"#.to_owned());
    let foreign = |_| (StatusCode::NOT_FOUND, "not here".to_owned());
    for (answer, code) in [(wrong as fn(usize) -> _, 3), (foreign, 4)] {
        let url = coordinator(answer).await;
        for subcommand in [&["ask", "q"][..], &["workers"]] {
            let (ended, lines, error) = watch(subcommand, &url, "100", &[]).await;
            assert_eq!((ended, lines.len(), error.as_str()), (code, 1, ""), "{lines:?}");
        }
    }
}

#[tokio::test]
async fn a_disputed_answer_is_an_error_only_where_that_is_wanted() {
    let disputed = |_| (StatusCode::OK, server::outcome("q", "1").replace("\"complete\"", "\"disputed\""));
    let url = coordinator(disputed).await;
    for (flags, code) in [(&[][..], 0), (&["--fail-on-dispute"], 5)] {
        let (ended, lines, _) = watch(&["ask", "q"], &url, "2", flags).await;
        assert_eq!((ended, lines.len()), (code, 2), "{lines:?}");
    }
}

#[tokio::test]
async fn the_workers_are_tables_or_objects_one_after_the_other() {
    let workers = |n| {
        let json =
            format!(r#"{{"workers":[{{"worker_id":"w1","state":"live","score":1,"successes":{n}}}],"at":1.50}}"#);
        (StatusCode::OK, json)
    };
    let url = coordinator(workers).await;
    let (code, lines, _) = watch(&["workers"], &url, "2", &[]).await;
    assert_eq!(code, 0);
    let heads: Vec<_> = lines.iter().filter(|line| line.ends_with("Z  1 worker: 1 live")).collect();
    let rows: Vec<_> = lines.iter().filter(|line| line.starts_with("  w1 ")).collect();
    assert_eq!((heads.len(), rows.len()), (2, 2), "{lines:?}");

    let url = coordinator(workers).await;
    let (code, lines, _) = watch(&["workers"], &url, "2", &["--json"]).await;
    assert!(code == 0 && lines[1].ends_with(r#""at":1.50}"#), "{lines:?}");
    let counted: Vec<_> = objects(&lines).iter().map(|object| object["workers"][0]["successes"].clone()).collect();
    assert_eq!(counted, [json!(0), json!(1)]);
}

#[tokio::test]
async fn a_signal_ends_a_watch_gracefully() {
    let ask = coordinator(|n| if n % 2 == 0 { value("1") } else { refusal() }).await;
    let workers = coordinator(|_| (StatusCode::OK, r#"{"workers":[]}"#.to_owned())).await;
    for (subcommand, url) in [(&["ask", "q"][..], ask), (&["workers"], workers)] {
        for signal in [Signal::INT, Signal::TERM] {
            let flags = [subcommand, &["--watch", "--interval", "10ms", "--json", "--url", url.as_str()]].concat();
            let mut command = tokio::process::Command::from(command(QUORATE, &flags));
            let mut child = command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
            let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
            for _ in 0..3 {
                lines.next_line().await.expect("text").expect("it goes on");
            }
            let id = child.id().expect("it runs").try_into().expect("an id is positive");
            kill_process(Pid::from_raw(id).expect("an id is not zero"), signal).expect("it can be signalled");
            while lines.next_line().await.expect("text").is_some() {}
            assert_eq!(child.wait().await.expect("it ends").code(), Some(0), "{signal:?} {subcommand:?}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_closes_the_output_ends_the_watch() {
    let url = coordinator(|_| value("1")).await;
    let flags = ["ask", "q", "--watch", "--interval", "10ms", "--url", url.as_str()];
    let mut command = tokio::process::Command::from(command(QUORATE, &flags));
    let mut child = command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().await.expect("it ends").code(), Some(0));
}
