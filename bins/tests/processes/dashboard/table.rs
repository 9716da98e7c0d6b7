//! The table of workers.

use serde_json::json;

use super::{choose, cluster, crowd, opened, opened_at};
use crate::support::QUICK;

/// The names of the listed workers, in order.
const NAMES: &str = "[...document.querySelectorAll('#workers tr[data-worker]')].map((row) => row.dataset.worker)";

#[tokio::test]
async fn sixty_workers_are_sorted_filtered_and_no_higher_than_the_screen() {
    let (_dev, api) = crowd(60).await;
    let browser = opened_at(&api, 60).await;
    let height = browser.value("document.documentElement.scrollHeight").await;
    assert!(height.as_u64().is_some_and(|height| height < 2000), "{height}");
    let names: Vec<_> = (1..=60).map(|number| format!("worker-{number}")).collect();
    assert_eq!(browser.value(NAMES).await, json!(names));

    choose(&browser, "workers-filter", "worker-1 live").await;
    browser.until("document.querySelectorAll('#workers tr').length === 11").await;
    assert_eq!(browser.text("#workers-note").await, "11 of 60 workers");
    choose(&browser, "workers-filter", "nobody").await;
    browser.until("document.querySelector('#workers .empty')?.textContent === 'No worker matches the filter.'").await;
    choose(&browser, "workers-filter", "").await;

    api.ask(json!({"query": "BTC/USD"})).await;
    choose(&browser, "workers-order", "p99").await;
    assert!(browser.is("document.querySelector('th[aria-sort=descending]').textContent === 'p99'").await);
    let slowest = "[...document.querySelectorAll('#workers td[data-label=p99]')].map((cell) => parseFloat(cell.textContent) * \
                   (cell.textContent.endsWith(' s') ? 1000 : 1)).filter((time) => !Number.isNaN(time))";
    browser
        .until(&format!("{slowest}.length > 30 && {slowest}.every((time, n, all) => n === 0 || time <= all[n - 1])"))
        .await;
    browser.script("document.querySelector('button[data-order=name]').click()").await;
    browser.until(&format!("{NAMES}.join() === {}", json!(names.join(",")))).await;
    assert!(browser.is("document.querySelector('th[aria-sort]').textContent === 'Worker'").await);
    assert!(browser.is("document.querySelector('#workers-order').value === 'name'").await);
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_worker_in_trouble_comes_first_and_the_focus_stays_where_it_is() {
    let mut cluster = cluster(&QUICK).await;
    let browser = opened(&cluster).await;
    assert_eq!(browser.value(NAMES).await, json!(["w1", "w2", "w3"]));
    browser.script("document.querySelector('#workers tr[data-worker=w2] a').focus()").await;
    drop(cluster.workers.remove(2));
    browser.until(&format!("{NAMES}.join() === 'w3,w1,w2'")).await;
    assert_eq!(browser.text(":focus").await, "w2");
    assert_eq!(browser.text("#workers tr:first-child td[data-label=State]").await.trim(), "○ expired");
}
