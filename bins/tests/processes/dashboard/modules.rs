//! What the page's modules compute, run in the browser that runs them.

use serde_json::{Value as Json, json};

use super::opened;
use crate::chromium::Browser;
use crate::support::Cluster;

/// What a function of a module returns for each of these lists of arguments.
async fn results(browser: &Browser, module: &str, function: &str, arguments: &Json) -> Json {
    let script = format!(
        "return import(new URL('dashboard/{module}', document.baseURI)).then((found) => {arguments}.map((given) => \
         found.{function}(...given)))"
    );
    browser.script(&script).await
}

/// An answer that rests on these values, the last of which is excluded.
fn outcome(answer: &str, values: &[&str]) -> Json {
    let response = |(n, value): (usize, &&str)| json!({"worker_id": format!("w{n}"), "value": value});
    let responses: Vec<_> = values.iter().enumerate().map(response).collect();
    let excluded = json!([{"worker_id": format!("w{}", values.len() - 1), "reason": "outlier"}]);
    json!({"final_value": answer, "worker_responses": responses, "excluded": excluded})
}

#[tokio::test]
async fn the_modules_round_sort_and_name_times_as_people_do() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let browser = opened(&cluster).await;
    for (module, function, cases) in [
        (
            "rounded.js",
            "rounded",
            vec![
                (json!(["41914.32666666666666666666667", 4]), json!("41914.3267")),
                (json!(["41914.00004", 4]), json!("41914")),
                (json!(["0.5", 0]), json!("0")),
                (json!(["1.5", 0]), json!("2")),
                (json!(["2.5", 0]), json!("2")),
                (json!(["2.5000000000000000000001", 0]), json!("3")),
                (json!(["-0.125", 2]), json!("-0.12")),
                (json!(["-0.001", 2]), json!("0")),
                (json!(["9.999", 2]), json!("10")),
                (json!(["99999999999999999999.995", 2]), json!("100000000000000000000")),
                (json!(["cat", 2]), json!("cat")),
                (json!(["1e30", 2]), json!("1e30")),
            ],
        ),
        (
            "rounded.js",
            "answerOf",
            [
                // As in bins/src/render/number.rs.
                ("41914.32666666666666666666667", &["41914.10", "41914.2", "41914.68", "9.123456"][..], "41914.3267"),
                ("100.5", &["100", "101", "9"], "100.5"),
                ("42000.50", &["42000.50", "9"], "42000.50"),
                ("1.00000", &["1.00000", "9"], "1"),
                ("0.3333333333333333333333333333", &["0", "0", "1", "9"], "0.33"),
                ("ok", &["ok", "1.5"], "ok"),
            ]
            .map(|(answer, values, shown)| (json!([outcome(answer, values)]), json!(shown)))
            .to_vec(),
        ),
        (
            "rounded.js",
            "readable",
            vec![
                (json!(["41914.32666666666666666666667"]), json!("41914.327")),
                (json!(["123456789012.3456"]), json!("123456789012.35")),
                (json!(["0.0000123456789123"]), json!("0.000012345679")),
                (json!(["-0.5"]), json!("-0.5")),
                (json!(["cat"]), json!("cat")),
                (json!([null]), json!("–")),
            ],
        ),
        (
            "rounded.js",
            "percent",
            vec![
                (json!([1]), json!("100 %")),
                (json!([0.999_999]), json!("99 %")),
                (json!([0.202_414]), json!("20 %")),
                (json!([0.000_001]), json!("<1 %")),
                (json!([0]), json!("0 %")),
            ],
        ),
        (
            "rounded.js",
            "deviationText",
            vec![
                (json!([0, 5]), json!("±0 %")),
                (json!([0.0561, 5]), json!("+0.056 %")),
                (json!([-1.234, 5]), json!("−1.23 %")),
                (json!([20, 5]), json!("+20.0 %")),
                (json!([1.5, 0]), json!("+1.50")),
                (json!([null, 5]), json!("")),
            ],
        ),
        (
            "order.js",
            "byName",
            vec![
                (json!(["worker-2", "worker-10"]), json!(-1)),
                (json!(["worker-10", "worker-2"]), json!(1)),
                (json!(["a", "a"]), json!(0)),
                (json!(["a1", "a01"]), json!(1)),
            ],
        ),
        (
            "exact.js",
            "approximate",
            vec![
                (json!(["1e3"]), json!(1000)),
                (json!(["-0.5"]), json!(-0.5)),
                (json!(["1e150"]), json!(1e150)),
                (json!(["1e151"]), json!(null)),
                (json!(["-1e999"]), json!(null)),
                (json!(["1e"]), json!(null)),
                (json!(["Infinity"]), json!(null)),
            ],
        ),
        (
            "rounded.js",
            "deviation",
            vec![
                (json!([3, 2]), json!(50)),
                (json!([3, 0]), json!(3)),
                (json!([null, 2]), json!(null)),
                (json!([1, 1e-320]), json!(null)),
            ],
        ),
        (
            "time.js",
            "period",
            vec![
                (json!([[{"at": 1000}, {"at": 9000}]]), json!([1000, 9000])),
                (json!([[{"at": 9000}, {"at": 9500}, {"at": 1000}, {"at": 2000}]]), json!([1000, 9500])),
                (json!([[{"at": 5000}]]), json!([3000, 5000])),
            ],
        ),
        (
            "view.js",
            "addressOf",
            vec![
                (json!(["query", "BTC/USD&x=1#é %"]), json!("?query=BTC%2FUSD%26x%3D1%23%C3%A9%20%25")),
                (json!(["worker", ".."]), json!("?worker=..")),
            ],
        ),
        (
            "view.js",
            "viewOf",
            vec![
                (json!([""]), json!({"kind": "overview", "key": ""})),
                (json!(["?other=1"]), json!({"kind": "overview", "key": ""})),
                (json!(["?query="]), json!({"kind": "overview", "key": ""})),
                (json!(["?feed=BTC-USD"]), json!({"kind": "feed", "key": "BTC-USD"})),
                (json!(["?worker=a%2Fb"]), json!({"kind": "worker", "key": "a/b"})),
            ],
        ),
    ] {
        let (given, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let given = Json::Array(given);
        assert_eq!(results(&browser, module, function, &given).await, Json::Array(expected), "{function} of {given}");
    }
    // Between ten seconds and a month there are always some ticks, never more than asked for, and at even distances.
    let spans: Vec<_> = (0..20)
        .map(|power| json!([[1_790_000_000_000_u64, 1_790_000_000_000_u64 + 10_000 * (1_u64 << power)], 8]))
        .collect();
    let ticks = results(&browser, "time.js", "timeTicks", &Json::Array(spans)).await;
    for ticks in ticks.as_array().expect("a list for each span") {
        let at: Vec<_> =
            ticks.as_array().expect("ticks").iter().map(|tick| tick["at"].as_u64().expect("a time")).collect();
        assert!((2..=9).contains(&at.len()), "{ticks}");
        assert!(at.windows(3).all(|three| three[2] - three[1] == three[1] - three[0]), "{ticks}");
    }
}

#[tokio::test]
async fn events_are_read_whole_whatever_pieces_they_come_in() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let browser = opened(&cluster).await;
    let text = "retry: 1000\n\nid: c1-7\nevent: outcome\ndata: {\"a\":\": b\"}\n\n:\n\nid: c1-9\n\nevent: worker\ndata:\n\nid: c1-10\n";
    let script = format!(
        "const text = {}; const read = ({{ Frames }}) => [1, 2, 3, text.length].map((size) => {{ const frames = new Frames(); \
         return text.match(new RegExp(`[^]{{1,${{size}}}}`, 'g')).flatMap((piece) => frames.take(piece)); }}); \
         return import(new URL('dashboard/frames.js', document.baseURI)).then(read)",
        json!(text)
    );
    let expected = json!([
        {"retry": "1000"}, {"id": "c1-7", "event": "outcome", "data": "{\"a\":\": b\"}"}, {"": ""}, {"id": "c1-9"},
        {"event": "worker", "data": ""},
    ]);
    assert_eq!(browser.script(&script).await, json!([expected, expected, expected, expected]));
}
