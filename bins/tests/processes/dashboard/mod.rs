//! The dashboard in a real browser, with a coordinator and workers that are processes.

mod asking;
mod chart;
mod connection;
mod events;
mod faults;
mod feeds;
mod layout;
mod modules;
mod pages;
mod pictures;
mod scripted;
mod table;

use serde_json::json;

use crate::chromium::{Browser, ENTER};
use crate::support::{Api, Cluster, Program, QUORATE};

/// True once the question is answered.
const ANSWERED: &str = "document.querySelector('#answer-value .final') !== null";

/// A cluster of three workers with these flags.
async fn cluster(worker: &[&str]) -> Cluster {
    let worker = [&["--announce-ms", "300"], worker].concat();
    Cluster::start(3, &["--presence-ms", "1500"], &worker).await
}

/// True once the page shows so many workers as live, and itself.
fn ready(workers: usize) -> String {
    format!(
        "document.querySelectorAll('#workers tr[data-state=live]').length === {workers} \
         && document.querySelector('#connection').dataset.state === 'live'"
    )
}

/// True once so many outcomes are listed.
fn listed(outcomes: usize) -> String {
    format!("document.querySelectorAll('#outcomes tr th').length === {outcomes}")
}

/// A browser that shows the overview of a cluster.
async fn opened(cluster: &Cluster) -> Browser {
    opened_at(&cluster.api, cluster.workers.len()).await
}

/// A browser that shows the overview of a coordinator with so many workers.
async fn opened_at(api: &Api, workers: usize) -> Browser {
    let browser = opened_on(&api.url, "").await;
    browser.until(&ready(workers)).await;
    browser
}

/// A browser that shows a page of a coordinator, once it is up to date.
async fn opened_on(url: &str, page: &str) -> Browser {
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser.open(&format!("{url}/{page}")).await;
    browser.until("document.querySelector('#connection').dataset.state === 'live'").await;
    browser
}

/// Writes a query into the form and submits it, by the keyboard.
async fn ask(browser: &Browser, query: &str) {
    browser.script("document.querySelector('#query').select(); document.querySelector('#query').focus()").await;
    browser.press(&format!("{query}{ENTER}")).await;
}

/// Many workers in one process with their coordinator, once all are live.
async fn crowd(workers: usize) -> (Program, Api) {
    let flags = ["--listen", "127.0.0.1:0", "--rate-limit", "0", "--read-rate-limit", "0"];
    let dev = Program::start(QUORATE, &[&["dev", "--workers", &workers.to_string()], &flags[..]].concat());
    let api = Api::at(&format!("http://{}", dev.logs("address=").await));
    api.wait_for(workers, "live").await;
    (dev, api)
}

/// Sets a control, as its reader would.
async fn choose(browser: &Browser, id: &str, value: &str) {
    let set = format!(
        "const control = document.querySelector('#{id}, [name={id}]'); control.value = {}; \
         for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind, {{bubbles: true}}))",
        json!(value)
    );
    browser.script(&set).await;
}
