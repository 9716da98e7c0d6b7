//! One request is one trace: from its caller through the coordinator to the workers and their sources, and back.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::{Client, Subscriber};
use futures_util::StreamExt as _;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::collector::{Collector, Span};
use crate::support::{Api, Cluster, PATIENCE, Program, QUICK, QUORATE, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// The header of a caller that records the trace.
fn traceparent() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

/// Asks within a trace, and returns the answer. The request must succeed.
async fn ask_within(api: &Api, traceparent: &str, body: Json) -> Json {
    let (status, answer) = api.ask_within(traceparent, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// A client of NATS that receives everything published on `subject`.
async fn listens(cluster: &Cluster, subject: &str) -> (Client, Subscriber) {
    let client = async_nats::connect(cluster.nats.url()).await.expect("the server listens");
    let subscriber = client.subscribe(subject.to_owned()).await.expect("it may subscribe");
    // The server has processed the subscription once it has answered what follows it.
    let inbox = client.new_inbox();
    let mut echo = client.subscribe(inbox.clone()).await.expect("it may subscribe");
    client.publish(inbox, "".into()).await.expect("it is connected");
    next(&mut echo).await;
    (client, subscriber)
}

async fn next(subscriber: &mut Subscriber) -> async_nats::Message {
    timeout(PATIENCE, subscriber.next()).await.expect("a message").expect("it is subscribed")
}

/// The values of the header that carries the trace.
fn traces(message: &async_nats::Message) -> Vec<String> {
    let headers = message.headers.as_ref();
    headers
        .into_iter()
        .flat_map(|headers| headers.get_all("traceparent"))
        .map(|value| value.as_str().to_owned())
        .collect()
}

fn of<'a>(spans: &'a [Span], service: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.service == service).collect()
}

/// The coordinator's span among those of a trace, and the rest.
fn parts(spans: &[Span]) -> (&Span, Vec<&Span>) {
    let [request] = of(spans, "quorate-coordinator").try_into().expect("one span of the coordinator");
    (request, of(spans, "quorate-worker"))
}

#[tokio::test]
async fn one_request_is_one_trace_across_the_coordinator_and_all_workers() {
    let collector = Collector::start().await;
    let export = ["--otlp", collector.url.as_str()];
    let cluster = Cluster::start(3, &export, &[&QUICK[..], &export].concat()).await;
    let (_client, mut tasks) = listens(&cluster, "oracle.tasks").await;
    let (_other, mut results) = listens(&cluster, "_INBOX.*.*").await;
    let before = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_nanos() as u64;
    let answer = ask_within(&cluster.api, &traceparent(), json!({"query": "BTC/USD", "id": "order-1"})).await;

    let spans = collector.trace(TRACE, 4).await;
    let (request, of_workers) = parts(&spans);
    assert_eq!((request.name.as_str(), request.kind), ("POST /request", SpanKind::Server));
    assert_eq!(request.parent, CALLER, "the span is part of its caller's");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/request"),
        ("http.response.status_code", "200"),
        ("quorate.request.id", "order-1"),
        ("quorate.query", "BTC/USD"),
        ("quorate.status", "complete"),
        ("quorate.expected", "3"),
        ("quorate.succeeded", "3"),
    ] {
        assert_eq!(request.attributes.get(name).map(String::as_str), Some(value), "{name}: {request:#?}");
    }
    assert_eq!((request.attributes.len(), &request.error), (8, &None), "{request:#?}");
    let told: Vec<_> = request.events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(told, ["asked", "result", "result", "result"]);
    let mut by: Vec<_> =
        request.events[1..].iter().map(|(_, told)| (&*told["quorate.worker.id"], &*told["quorate.fate"])).collect();
    by.sort_unstable();
    assert_eq!(by, [("w1", "used"), ("w2", "used"), ("w3", "used")], "{answer}");

    let mut instances: Vec<_> = of_workers.iter().map(|span| span.instance.as_str()).collect();
    instances.sort_unstable();
    assert_eq!(instances, ["w1", "w2", "w3"]);
    for span in &of_workers {
        assert_eq!((span.name.as_str(), span.kind), ("process oracle.tasks", SpanKind::Consumer));
        assert_eq!(span.parent, request.id, "a task is part of its request");
        assert_eq!(
            (&span.attributes["quorate.worker.id"], &*span.attributes["quorate.query"]),
            (&span.instance, "BTC/USD")
        );
    }
    // All clocks are that of one machine.
    let ends = spans.iter().map(|span| span.times.1).max().expect("some spans");
    assert!(spans.iter().all(|span| before <= span.times.0 && span.times.0 <= span.times.1), "{before} {spans:#?}");
    assert!(request.times.1 + 1_000_000_000 >= ends, "{spans:#?}");

    // The same on the bus: tasks belong to the request, results to the work.
    assert_eq!(traces(&next(&mut tasks).await), [format!("00-{TRACE}-{}-01", request.id)]);
    let mut sent = Vec::new();
    while sent.len() < 3 {
        sent.extend(traces(&next(&mut results).await));
    }
    let mut worked: Vec<_> = of_workers.iter().map(|span| format!("00-{TRACE}-{}-01", span.id)).collect();
    sent.sort_unstable();
    worked.sort_unstable();
    assert_eq!(sent, worked);
}

#[tokio::test]
async fn requests_outside_any_trace_begin_one_as_often_as_the_sample_says() {
    let collector = Collector::start().await;
    let export = ["--otlp", collector.url.as_str()];
    let cluster = Cluster::start(1, &export, &[&QUICK[..], &export].concat()).await;
    cluster.api.answer("BTC/USD").await;
    until("two spans", async || collector.spans().len() == 2).await;
    let spans = collector.spans();
    let (request, of_workers) = parts(&spans);
    assert_eq!(request.parent, "", "nothing was before it");
    assert_eq!((of_workers.len(), &of_workers[0].trace, &of_workers[0].parent), (1, &request.trace, &request.id));

    // A caller that does not record the trace decides so for all of it; messages are the same as without an export.
    let (_client, mut tasks) = listens(&cluster, "oracle.tasks").await;
    let unrecorded = format!("00-{TRACE}-{CALLER}-00");
    ask_within(&cluster.api, &unrecorded, json!({"query": "BTC/USD"})).await;
    assert_eq!(traces(&next(&mut tasks).await), [unrecorded]);
    drop(cluster);

    let rarely = Collector::start().await;
    let export = ["--otlp", rarely.url.as_str()];
    let cluster =
        Cluster::start(1, &[&export[..], &["--otlp-sample", "0"]].concat(), &[&QUICK[..], &export].concat()).await;
    let (_client, mut tasks) = listens(&cluster, "oracle.tasks").await;
    cluster.api.answer("BTC/USD").await;
    assert_eq!(next(&mut tasks).await.headers, None);
    // It records what its callers record.
    ask_within(&cluster.api, &traceparent(), json!({"query": "BTC/USD"})).await;
    rarely.trace(TRACE, 2).await;
    assert_eq!((rarely.spans().len(), collector.spans().len()), (2, 2));
}

#[tokio::test]
async fn without_an_export_traces_are_passed_on_and_nothing_is_exported() {
    let collector = Collector::start().await;
    let cluster = Cluster::start(2, &[], &QUICK).await;
    let (_client, mut tasks) = listens(&cluster, "oracle.tasks").await;
    let (_other, mut results) = listens(&cluster, "_INBOX.*.*").await;
    let twice = [traceparent(), traceparent()].join(", ");
    let nonsense = "00-nonsense".repeat(500);
    for (sent, passed_on) in [
        (None, None),
        (Some(traceparent()), Some(traceparent())),
        // An invalid header is ignored, never an error.
        (Some(traceparent().to_uppercase()), None),
        (Some(twice), None),
        (Some(nonsense), None),
        (Some(format!("cc-{TRACE}-{CALLER}-ff-later")), Some(format!("00-{TRACE}-{CALLER}-03"))),
    ] {
        let body = json!({"query": "BTC/USD"});
        match &sent {
            Some(sent) => drop(ask_within(&cluster.api, sent, body).await),
            None => drop(cluster.api.answer("BTC/USD").await),
        }
        let messages = [next(&mut tasks).await, next(&mut results).await, next(&mut results).await];
        for message in &messages {
            assert_eq!(traces(message), passed_on.iter().cloned().collect::<Vec<_>>(), "{sent:?}");
            assert_eq!(message.headers.is_none(), passed_on.is_none(), "{:?}", message.headers);
        }
    }
    assert_eq!(collector.requests().len(), 0);
}

/// Answers the next task as a foreign worker would.
async fn answer_as(client: &Client, tasks: &mut Subscriber, name: &str, value: &Json) -> async_nats::Message {
    let task = next(tasks).await;
    let id = serde_json::from_slice::<Json>(&task.payload).expect("a task")["id"].clone();
    let result = json!({"worker_id": name, "request_id": id, "value": value});
    let reply = task.reply.clone().expect("a reply subject");
    client.publish(reply, result.to_string().into()).await.expect("it is connected");
    client.flush().await.expect("the server answers");
    task
}

#[tokio::test]
async fn a_worker_that_knows_no_traces_is_shown_all_the_same_and_so_is_a_redispatch() {
    let collector = Collector::start().await;
    let cluster = Cluster::start(0, &["--otlp", &collector.url], &[]).await;
    let (client, mut tasks) = listens(&cluster, "oracle.tasks").await;
    // Both are expected, so that the silence of one is noticed.
    for name in ["loud", "shy"] {
        let presence = json!({"worker_id": name, "state": "live"});
        client.publish("oracle.workers", presence.to_string().into()).await.expect("it is connected");
    }
    cluster.api.wait_for(2, "live").await;
    let api = cluster.api.clone();
    let body = json!({"query": "q", "timeout_ms": 2000});
    let asking = tokio::spawn(async move { ask_within(&api, &traceparent(), body).await });
    let first = answer_as(&client, &mut tasks, "loud", &json!(1)).await;
    let second = answer_as(&client, &mut tasks, "shy", &json!(1)).await;
    asking.await.expect("an answer");

    let [request] = collector.trace(TRACE, 1).await.try_into().expect("one span");
    let expected = [format!("00-{TRACE}-{}-01", request.id)];
    assert_eq!((traces(&first), traces(&second)), (expected.to_vec(), expected.to_vec()));
    let told: Vec<_> = request
        .events
        .iter()
        .map(|(name, told)| (&**name, told.values().map(|told| &**told).collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        told,
        [("asked", vec!["1"]), ("result", vec!["used", "loud"]), ("asked", vec!["2"]), ("result", vec!["used", "shy"])]
    );
}

#[tokio::test]
async fn a_result_that_comes_late_is_part_of_the_trace() {
    let collector = Collector::start().await;
    let export = ["--otlp", collector.url.as_str()];
    let slow = ["--delay-min-ms", "500", "--delay-max-ms", "500", "--failure-rate", "0"];
    let cluster = Cluster::start(1, &export, &[&slow[..], &export].concat()).await;
    let (client, mut tasks) = listens(&cluster, "oracle.tasks").await;
    // A worker that is not expected makes no quorum while an expected one may still answer.
    let quick = json!({"worker_id": "quick", "state": "live"}).to_string();
    client.publish("oracle.workers", quick.into()).await.expect("it is sent");
    cluster.api.wait_for(2, "live").await;
    let api = cluster.api.clone();
    let asking =
        tokio::spawn(async move { ask_within(&api, &traceparent(), json!({"query": "q", "quorum": 1})).await });
    answer_as(&client, &mut tasks, "quick", &json!(1)).await;
    asking.await.expect("an answer");
    let spans = collector.trace(TRACE, 3).await;
    let [work] = of(&spans, "quorate-worker").try_into().expect("one span of the worker");
    let [request, late] = of(&spans, "quorate-coordinator").try_into().expect("two spans of the coordinator");
    assert_eq!((request.name.as_str(), &*request.attributes["quorate.missing"]), ("POST /request", "w1"));
    assert_eq!(
        (late.name.as_str(), &late.parent, &*late.attributes["quorate.worker.id"]),
        ("late result", &work.id, "w1")
    );
    assert_eq!(late.attributes["quorate.request.id"], request.attributes["quorate.request.id"]);
}

#[tokio::test]
async fn failures_are_visible_in_the_spans() {
    let collector = Collector::start().await;
    let export = ["--otlp", collector.url.as_str()];
    let failing = ["--delay-min-ms", "1", "--delay-max-ms", "5", "--failure-rate", "1"];
    let cluster = Cluster::start(1, &export, &[&failing[..], &export].concat()).await;
    let (status, refusal) = cluster.api.ask_within(&traceparent(), json!({"query": "q"})).await;
    assert_eq!(status, 422, "{refusal}");
    let spans = collector.trace(TRACE, 2).await;
    let (request, of_workers) = parts(&spans);
    assert_eq!(of_workers[0].error.as_deref(), Some("simulated failure"));
    assert_eq!(request.error, None, "the request was understood and answered");
    assert_eq!(request.attributes["error.type"], "insufficient_responses");
    assert_eq!(request.attributes["http.response.status_code"], "422");
    let (_, told) = &request.events[1];
    assert_eq!((&*told["quorate.fate"], &*told["quorate.failure"]), ("failed", "simulated failure"));

    // Neither is dispatched: one is invalid, and for the other there is no worker.
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let (status, _) = cluster.api.ask_within(&format!("00-{trace}-{CALLER}-01"), json!({"query": 5})).await;
    assert_eq!(status, 400);
    let [refused] = collector.trace(trace, 1).await.try_into().expect("one span");
    assert_eq!((&*refused.attributes["error.type"], refused.error), ("invalid_request", None));
    drop(cluster);

    let cluster = Cluster::start(0, &export, &[]).await;
    until("a connection", async || cluster.api.get("/health").await.1["nats"] == true).await;
    let (status, _) = cluster.api.ask_within(&format!("00-{:032x}-{CALLER}-01", 1), json!({"query": "q"})).await;
    assert_eq!(status, 503);
    let [request] = collector.trace(&format!("{:032x}", 1), 1).await.try_into().expect("one span");
    assert!(request.error.as_ref().is_some_and(|error| error.starts_with("no worker is listening")), "{request:#?}");
    assert_eq!(request.attributes["error.type"], "no_workers");
}

#[tokio::test]
async fn abandoned_work_is_visible_in_the_spans() {
    let collector = Collector::start().await;
    let export = ["--otlp", collector.url.as_str()];
    let stuck = ["--delay-min-ms", "50000", "--delay-max-ms", "50000", "--failure-rate", "0"];
    let once = [&export[..], &["--redispatch-share", "0"]].concat();
    let cluster = Cluster::start(1, &once, &[&stuck[..], &export].concat()).await;
    let (status, _) = cluster.api.ask_within(&traceparent(), json!({"query": "q", "timeout_ms": 100})).await;
    assert_eq!(status, 504);
    let spans = collector.trace(TRACE, 2).await;
    let (request, of_workers) = parts(&spans);
    assert_eq!(of_workers[0].error.as_deref(), Some("the task ran out of time"));
    assert!(request.error.is_some(), "nobody answered in time: {request:#?}");
    assert_eq!(
        (&*request.attributes["error.type"], &*request.attributes["quorate.missing"]),
        ("deadline_exceeded", "w1")
    );
}

#[tokio::test]
async fn a_caller_who_joins_a_request_and_one_who_goes_away_have_spans_of_their_own() {
    let collector = Collector::start().await;
    let cluster = Cluster::start(0, &["--otlp", &collector.url, "--stall-ms", "60000"], &[]).await;
    let (client, mut tasks) = listens(&cluster, "oracle.tasks").await;
    let body = json!({"query": "q", "id": "r", "quorum": 1});
    let ask = |trace: u32| {
        let (api, body) = (cluster.api.clone(), body.clone());
        tokio::spawn(async move { api.ask_within(&format!("00-{trace:032x}-{CALLER}-01"), body).await })
    };
    let first = ask(1);
    cluster.api.wait_for_in_flight(1).await;
    let (joined, gone) = (ask(2), ask(3));
    until("the others to join", async || cluster.api.counter("requests_joined").await == 2).await;
    gone.abort();
    let [gone] = collector.trace(&format!("{:032x}", 3), 1).await.try_into().expect("one span");
    assert_eq!(gone.error.as_deref(), Some("the caller went away"));
    answer_as(&client, &mut tasks, "w", &json!(1)).await;
    for asking in [first, joined] {
        assert_eq!(asking.await.expect("an answer").0, 200);
    }
    let [first] = collector.trace(&format!("{:032x}", 1), 1).await.try_into().expect("one span");
    let [joined] = collector.trace(&format!("{:032x}", 2), 1).await.try_into().expect("one span");
    assert_eq!((first.events.len(), first.attributes.get("quorate.joined")), (2, None));
    assert_eq!((joined.events.len(), &*joined.attributes["quorate.joined"]), (0, "true"));
    assert_eq!(joined.attributes["quorate.request.id"], "r");
}

/// A service that reports the heads of the requests it receives, and answers each with 42.
async fn service(listener: TcpListener, heads: tokio::sync::mpsc::UnboundedSender<Vec<String>>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a client");
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut head = Vec::new();
        while let Some(line) = lines.next_line().await.expect("a head").filter(|line| !line.is_empty()) {
            head.push(line.to_ascii_lowercase());
        }
        heads.send(head).expect("the test reads");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n42";
        write.write_all(answer).await.expect("the client reads");
    }
}

#[tokio::test]
async fn sources_receive_the_trace_of_their_worker() {
    let collector = Collector::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (sender, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let service = tokio::spawn(service(listener, sender));
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    let sources = format!(
        "[[source]]\nquery = \"environment\"\nkind = \"command\"\nargv = [\"sh\", \"-c\", 'echo \"\\\"${{TRACEPARENT:-none}}\\\"\"']\n\
         [[source]]\nquery = \"*\"\nkind = \"http\"\nurl = \"http://{address}/\"\npointer = \"\"\n"
    );
    file.write_all(sources.as_bytes()).expect("it can be written");
    let config = file.path().display().to_string();
    for (source, query) in [("command", "environment"), ("http", "feed")] {
        for exports in [true, false] {
            let export = ["--otlp", collector.url.as_str()];
            let export: &[&str] = if exports { &export } else { &[] };
            let flags = [&["--source", source, "--config", &config], export].concat();
            let cluster = Cluster::start(1, &["--strategy", "majority"], &flags).await;
            let trace = format!("{:032x}", query.len() * 2 + usize::from(exports));
            let mut told = Vec::new();
            for traceparent in [Some(format!("00-{trace}-{CALLER}-01")), None] {
                let body = json!({"query": query});
                let answer = match &traceparent {
                    Some(traceparent) => ask_within(&cluster.api, traceparent, body).await,
                    None => cluster.api.answer(query).await,
                };
                if source == "command" {
                    told.push(answer["final_value"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
                } else {
                    let head = heads.recv().await.expect("a request");
                    let header = head.iter().find_map(|line| line.strip_prefix("traceparent: "));
                    told.push(header.unwrap_or("none").to_owned());
                }
            }
            // A recorded request is asked by the worker's span, another one by the caller's.
            let by = if exports { collector.trace(&trace, 1).await[0].id.clone() } else { CALLER.to_owned() };
            assert_eq!(told, [format!("00-{trace}-{by}-01"), "none".to_owned()], "{source}");
        }
    }
    service.abort();
}

#[tokio::test]
async fn a_collector_that_is_not_there_or_does_not_answer_delays_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    // The system accepts connections, which nobody ever reads.
    let silent = format!("http://{}", listener.local_addr().expect("it is bound"));
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let nowhere = format!("http://{}", closed.local_addr().expect("it is bound"));
    drop(closed);
    for url in [&silent, &nowhere] {
        let export = ["--otlp", url.as_str()];
        let cluster = Cluster::start(1, &export, &[&QUICK[..], &export].concat()).await;
        for _ in 0..20 {
            cluster.api.answer("BTC/USD").await;
        }
        let Cluster { coordinator, workers, nats: _nats, .. } = cluster;
        if url == &nowhere {
            let line = coordinator.logs("the collector accepts no spans; they are lost").await;
            assert!(line.contains("lost=") && line.contains(url.as_str()), "{line}");
        }
        let stopped = Instant::now();
        let programs: Vec<_> = workers.into_iter().chain([coordinator]).collect();
        for program in &programs {
            program.signal(Signal::TERM);
        }
        for program in programs {
            let ended = program.ended().await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
    }
}

#[tokio::test]
async fn the_last_spans_are_sent_before_a_program_ends_and_lost_ones_are_reported() {
    let collector = Collector::start().await;
    let address = collector.url.strip_prefix("http://").expect("an address").to_owned();
    let export = ["--otlp", collector.url.as_str()];
    let cluster = Cluster::start(1, &export, &[&QUICK[..], &export].concat()).await;
    drop(collector);
    cluster.api.answer("BTC/USD").await;
    cluster.coordinator.logs("the collector accepts no spans; they are lost").await;
    let collector = Collector::start_on(&address).await;
    ask_within(&cluster.api, &traceparent(), json!({"query": "BTC/USD"})).await;
    let Cluster { coordinator, workers, nats: _nats, .. } = cluster;
    for program in workers.into_iter().chain([coordinator]) {
        program.signal(Signal::TERM);
        assert_eq!(program.ended().await.code, Some(0));
    }
    let ids: Vec<_> =
        collector.spans().into_iter().filter(|span| span.trace == TRACE).map(|span| span.service).collect();
    assert_eq!(ids.len(), 2, "nothing is sent after the end: {ids:?}");
}

#[tokio::test]
async fn the_environment_says_where_spans_go_and_what_is_sent_along() {
    let collector = Collector::start().await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token"),
    ];
    let dev = ["dev", "--listen", "127.0.0.1:0", "--workers", "2", "--delay-min-ms", "1", "--delay-max-ms", "2"];
    let program = Program::start_in(QUORATE, &dev, &variables);
    // The demo asks five questions, each a trace with the spans of both workers.
    program.prints("Serving on").await;
    until("the spans of the demo", async || collector.spans().len() >= 15).await;
    let spans = collector.spans();
    for request in of(&spans, "quorate-coordinator") {
        let work: Vec<_> = of(&spans, "quorate-worker").into_iter().filter(|work| work.parent == request.id).collect();
        assert_eq!(work.len(), 2, "{request:#?}");
        assert!(work.iter().all(|work| work.trace == request.trace));
    }
    assert!(collector.requests().iter().all(|headers| headers["authorization"] == "Bearer token"));
}
