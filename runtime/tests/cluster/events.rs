//! `GET /events` over real sockets.

use std::time::{Duration, Instant};

use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::bus::{Bus, Subscription as _};
use quorate_runtime::http::EventLimits;
use serde_json::{Value as Json, json};

use crate::support::{
    PATIENCE, Setup, TestCoordinator, client, delayed, failing, number, on_both_buses, until, worker,
};

/// A client that reads events.
struct Reader {
    response: reqwest::Response,
    /// What has been received and not been parsed.
    text: String,
    last_id: String,
}

/// One event.
#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Json,
}

impl Reader {
    async fn open(coordinator: &TestCoordinator, parameters: &str) -> Self {
        let response = client().get(coordinator.url(&format!("/events{parameters}"))).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut reader = Self { response, text: String::new(), last_id: String::new() };
        assert_eq!(reader.block().await.as_deref(), Some("retry: 1000"));
        reader
    }

    /// The text before the next empty line; `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something comes");
            self.text.push_str(std::str::from_utf8(&chunk.expect("the stream does not break off")?).expect("a text"));
        }
    }

    async fn next(&mut self) -> Event {
        let block = self.block().await.expect("the stream goes on");
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let data = serde_json::from_str(field("data: ")).unwrap_or_else(|error| panic!("{error} in {block:?}"));
        let event = Event { id: field("id: ").to_owned(), name: field("event: ").to_owned(), data };
        if !event.id.is_empty() {
            self.last_id.clone_from(&event.id);
        }
        event
    }

    /// The next event of a kind.
    async fn next_of(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.name == name {
                return event;
            }
        }
    }
}

fn number_of(id: &str) -> u64 {
    id.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in {id:?}"))
}

on_both_buses! {
    outcomes_are_sent_as_their_callers_receive_them,
    each_workers_result_is_sent_before_the_request_ends,
}

async fn outcomes_are_sent_as_their_callers_receive_them<B: Bus>(connect: impl Fn() -> B) {
    let _worker = worker(connect(), "a", number("42000.123456789012345678901234")).await;
    let coordinator = TestCoordinator::with_workers(connect(), 1).await;
    let mut reader = Reader::open(&coordinator, "").await;
    let answer = coordinator.answer("BTC/USD").await;
    let told = reader.next_of("outcome").await;
    assert_eq!(told.data, answer);
    let fails = worker(connect(), "b", failing("no such thing")).await;
    coordinator.wait_for_live(2).await;
    let (status, failed) = coordinator.ask(json!({"query": "ETH/USD", "min_responses": 2})).await;
    assert_eq!((status, &failed["error"]), (422, &json!("insufficient_responses")), "{failed}");
    let joined = reader.next_of("worker").await;
    assert_eq!((&joined.data["worker_id"], &joined.data["state"]), (&json!("b"), &json!("live")), "{joined:?}");
    let told = reader.next_of("outcome").await;
    assert_eq!(told.data, failed);
    fails.stop().await;
    let left = reader.next_of("worker").await;
    assert_eq!(left.data["worker_id"], "b", "{left:?}");
    assert!(["draining", "left"].contains(&left.data["state"].as_str().expect("a state")), "{left:?}");
}

async fn each_workers_result_is_sent_before_the_request_ends<B: Bus>(connect: impl Fn() -> B) {
    let _quick = worker(connect(), "quick", number("1")).await;
    let _fails = worker(connect(), "fails", failing("boom")).await;
    let _slow = worker(connect(), "slow", delayed("3", Duration::from_millis(400))).await;
    let coordinator = TestCoordinator::with_workers(connect(), 3).await;
    let mut reader = Reader::open(&coordinator, "?request_id=watched").await;
    let mut other = Reader::open(&coordinator, "?request_id=another").await;
    let (status, answer) = coordinator.ask(json!({"query": "q", "id": "watched"})).await;
    assert_eq!(status, 200, "{answer}");
    let mut told = Vec::new();
    loop {
        let event = reader.next().await;
        match event.name.as_str() {
            "observation" => told.push(event.data),
            "outcome" => break,
            _ => {}
        }
    }
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[2]["worker_id"], "slow", "{told:?}");
    told.sort_by_key(|said| said["worker_id"].to_string());
    assert_eq!(Json::Array(told), answer["worker_responses"]);
    // A reader that watches another request learns how this one ended, but not its results.
    assert_eq!(other.next().await.name, "outcome");
}

#[tokio::test]
async fn a_watcher_sees_accepted_results_and_not_those_forged_in_a_workers_name() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", delayed("3", Duration::from_millis(200))).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    // The worker uses a reply subject, so that nothing is accepted in its name on the shared subject.
    coordinator.answer("q").await;
    let mut reader = Reader::open(&coordinator, "?request_id=watched").await;
    let mut tasks = bus.subscribe("oracle.tasks", None).await.expect("a subscription");
    let forge = async {
        tasks.recv().await.expect("the task");
        let forged = json!({"worker_id": "a", "request_id": "watched", "value": 666, "response_time": 1});
        bus.publish("oracle.results", None, forged.to_string().into()).expect("it is connected");
    };
    let ((status, answer), ()) = tokio::join!(coordinator.ask(json!({"query": "q", "id": "watched"})), forge);
    assert_eq!((status, &answer["final_value"]), (200, &json!(3)), "{answer}");
    assert_eq!(coordinator.counter("results_misdirected").await, 1);
    let told = reader.next_of("observation").await;
    assert_eq!((&told.data["worker_id"], &told.data["value"]), (&json!("a"), &json!(3)), "{told:?}");
    assert_eq!(reader.next().await.name, "outcome", "nothing else was accepted");
}

#[tokio::test]
async fn a_client_that_reconnects_continues_where_it_was() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    let mut reader = Reader::open(&coordinator, "").await;
    for query in ["one", "two"] {
        coordinator.answer(query).await;
        assert_eq!(reader.next_of("outcome").await.data["query"], query);
    }
    let last_id = reader.last_id.clone();
    drop(reader);
    for query in ["three", "four"] {
        coordinator.answer(query).await;
    }
    let mut back = Reader::open(&coordinator, &format!("?last_event_id={last_id}")).await;
    for (query, after) in [("three", 1), ("four", 2)] {
        let event = back.next().await;
        assert_eq!((&event.data["query"], number_of(&event.id)), (&json!(query), number_of(&last_id) + after));
    }
    let mut recent = Reader::open(&coordinator, "?recent=2").await;
    assert_eq!(recent.next().await.data["query"], "three");
    let header = client().get(coordinator.url("/events?recent=3")).header("last-event-id", &back.last_id);
    let mut caught_up = Reader { response: header.send().await.expect("an answer"), ..recent };
    caught_up.text.clear();
    caught_up.block().await;
    coordinator.answer("five").await;
    assert_eq!(caught_up.next().await.data["query"], "five", "the header goes before the address");
}

#[tokio::test]
async fn a_reader_can_follow_one_query_and_find_one_request() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    for query in ["BTC/USD", "ETH/USD", "BTC/EUR", "ETH/EUR"] {
        coordinator.answer(query).await;
    }
    let mut exact = Reader::open(&coordinator, "?query=ETH%2FUSD&recent=9").await;
    let mut pattern = Reader::open(&coordinator, "?query=BTC%2F*&recent=1").await;
    assert_eq!(pattern.next().await.data["query"], "BTC/EUR", "only one is recent");
    assert_eq!(exact.next().await.data["query"], "ETH/USD");
    let (id, query) = ("a/b?c d%", "ETH/USD");
    let (status, answer) = coordinator.ask(json!({"query": query, "id": id})).await;
    assert_eq!((status, exact.next().await.data), (200, answer.clone()), "no event of a worker or another query");
    assert_eq!(coordinator.get("/requests/a%2Fb%3Fc%20d%25").await, (200, answer));
    let (status, failed) = coordinator.ask(json!({"query": query, "id": "few", "min_responses": 2})).await;
    assert_eq!((status, coordinator.get("/requests/few").await), (422, (200, failed)));
    for unknown in ["/requests/other", "/requests/%00", "/requests/%FF", "/requests/", "/requests/a/b"] {
        let (status, refusal) = coordinator.get(unknown).await;
        assert_eq!((status, &refusal["error"]), (404, &json!("not_found")), "{unknown}");
    }
}

#[tokio::test]
async fn a_worker_shows_its_last_failure_and_what_has_lowered_its_score() {
    let bus = LocalBus::new();
    let _good = [worker(bus.connection(), "a", number("1")).await, worker(bus.connection(), "b", number("1")).await];
    let _liar = worker(bus.connection(), "liar", number("900")).await;
    let _fails = worker(bus.connection(), "fails", failing("no route to the exchange")).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 4).await;
    for number in 0..10 {
        assert_eq!(coordinator.ask(json!({"query": "q", "id": format!("r{number}")})).await.0, 200);
    }
    let known = async |id: &str| {
        let (_, register) = coordinator.get("/workers").await;
        let mut workers = register["workers"].as_array().expect("a list").clone().into_iter();
        workers.find(|worker| worker["worker_id"] == id).expect("it is known")
    };
    until("the last request to be shown", async || known("fails").await["last_failure"]["request_id"] == "r9").await;
    let (good, fails, liar) = (known("a").await, known("fails").await, known("liar").await);
    assert_eq!((&good["last_failure"], &good["blames"]), (&Json::Null, &json!([])));
    assert_eq!(fails["last_failure"]["text"], "no route to the exchange");
    let blames = liar["blames"].as_array().expect("a list");
    assert_eq!(blames.len(), 8, "{liar}");
    for (blame, number) in blames.iter().zip(2..) {
        assert_eq!((&blame["blame"], &blame["request_id"]), (&json!("outlier"), &json!(format!("r{number}"))));
        assert!(blame["score"].as_f64() < blame["score_before"].as_f64() && blame["ago_ms"].is_u64(), "{blame}");
    }
    assert_eq!(blames[7]["score"], liar["score"], "nothing has raised it since");
}

#[tokio::test]
async fn the_id_of_another_process_gets_all_events_and_a_notice_that_some_are_missing() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    coordinator.answer("q").await;
    let response = client().get(coordinator.url("/events?last_event_id=gone-7")).send().await.expect("an answer");
    let mut reader = Reader { response, text: String::new(), last_id: String::new() };
    assert_eq!(reader.block().await.as_deref(), Some("retry: 1000"));
    let missed = reader.next().await;
    assert_eq!((missed.name.as_str(), &missed.data["count"]), ("missed", &Json::Null));
    assert_eq!(reader.next_of("outcome").await.data["query"], "q");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_falls_behind_is_told_how_much_it_missed() {
    const ASKED: u64 = 3000;
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    let mut reader = Reader::open(&coordinator, "").await;
    let asking = async {
        for _ in 0..ASKED / 50 {
            futures_util::future::join_all((0..50).map(|_| coordinator.answer("q"))).await;
        }
    };
    let reading = async {
        let (mut told, mut missed, mut last) = (0, 0, None);
        while told + missed < ASKED {
            let event = reader.next().await;
            let number = number_of(&event.id);
            let skipped = match event.name.as_str() {
                "missed" => event.data["count"].as_u64().expect("the number of missed events is known"),
                "outcome" => 0,
                // An event of another kind took this number.
                _ => {
                    last = Some(number);
                    continue;
                }
            };
            assert!(last.is_none_or(|last| number == last + skipped.max(1)), "{last:?}, then {event:?}");
            last = Some(number);
            told += u64::from(skipped == 0);
            missed += skipped;
        }
        (told, missed)
    };
    let ((), (told, missed)) = tokio::join!(asking, reading);
    assert!(told > 0 && missed > 0, "{told} told, {missed} missed");
}

#[tokio::test]
async fn there_is_room_for_the_configured_number_of_readers_and_a_place_is_reused() {
    let events = EventLimits { max_subscribers: 256, max_subscribers_per_client: 257, ..EventLimits::default() };
    let setup = Setup { events, ..Setup::default() };
    let coordinator = TestCoordinator::start_with(LocalBus::new(), setup).await;
    let mut readers = Vec::new();
    for _ in 0..256 {
        readers.push(Reader::open(&coordinator, "").await);
    }
    let (status, refusal) = coordinator.get("/events").await;
    assert_eq!((status, &refusal["error"], &refusal["code"]), (503, &json!("overloaded"), &json!(503)), "{refusal}");
    assert!(refusal["details"].as_str().is_some_and(|details| details.contains("256")), "{refusal}");
    readers.pop();
    until("the place of the one that left", async || {
        client().get(coordinator.url("/events")).send().await.expect("an answer").status() == 200
    })
    .await;
    let (status, refusal) = coordinator.get("/events?request_id=").await;
    assert_eq!((status, &refusal["error"]), (400, &json!("invalid_request")), "{refusal}");
}

#[tokio::test]
async fn one_address_cannot_take_all_places_of_readers() {
    let events = EventLimits { max_subscribers: 8, max_subscribers_per_client: 3, ..EventLimits::default() };
    let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let coordinator =
        TestCoordinator::start_with(LocalBus::new(), Setup { trusted_proxies, events, ..Setup::default() }).await;
    let client = client();
    let read = async |address: &'static str| {
        client.get(coordinator.url("/events")).header("x-forwarded-for", address).send().await.expect("an answer")
    };
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(read("192.0.2.1").await);
    }
    assert!(readers.iter().all(|reader| reader.status() == 200));
    let refused = read("192.0.2.1").await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"1".parse().expect("a value")));
    let body = refused.text().await.expect("a body");
    assert!(body.contains("rate_limited") && body.contains("reads events 3 times"), "{body}");
    assert_eq!(read("192.0.2.2").await.status(), 200, "another address has its own");
    readers.pop();
    until("its place to be free", async || read("192.0.2.1").await.status() == 200).await;
}

#[tokio::test]
async fn readers_do_not_delay_a_stop() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", delayed("1", Duration::from_secs(1))).await;
    let mut coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(Reader::open(&coordinator, "?request_id=r").await);
    }
    coordinator.begin_stop();
    let begun = Instant::now();
    for reader in &mut readers {
        while reader.block().await.is_some() {}
    }
    coordinator.stopped().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_page_and_its_files_are_served_with_a_strict_policy() {
    let coordinator = TestCoordinator::start(LocalBus::new()).await;
    let client = client();
    for (path, media_type) in
        [("/", "text/html"), ("/dashboard/main.js", "text/javascript"), ("/dashboard/style.css", "text/css")]
    {
        let response = client.get(coordinator.url(path)).send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        let header = |name: &str| response.headers()[name].to_str().expect("a text").to_owned();
        assert!(header("content-type").starts_with(media_type), "{path}");
        assert!(header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"), "{path}");
        let tag = header("etag");
        let again = client.get(coordinator.url(path)).header("if-none-match", tag).send().await.expect("an answer");
        assert_eq!(again.status(), 304, "{path}");
    }
    assert_eq!(coordinator.get("/dashboard/nothing.js").await.0, 404);
}
