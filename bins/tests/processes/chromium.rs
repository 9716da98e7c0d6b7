//! A browser for one test: headless Chromium, driven over W3C WebDriver.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quorate_test_support::workspace;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use tokio::time::sleep;

use crate::support::{PATIENCE, Program, client};

/// The keys that the tests press, as WebDriver encodes them.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const SPACE: &str = "\u{e00d}";
pub(crate) const ARROW_LEFT: &str = "\u{e012}";

/// How long one command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

/// A browser with one page. It and its driver are killed when dropped.
pub(crate) struct Browser {
    session: String,
    process: Pid,
    client: reqwest::Client,
    _driver: Program,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser with an empty profile.
    pub(crate) async fn start() -> Self {
        let driver = env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let profile = tempfile::tempdir().expect("a folder");
        let home = profile.path().display().to_string();
        // The browser writes only below its home directory.
        let variables = [("HOME", home.as_str()), ("LANG", "C.UTF-8")];
        // A driver that chooses a port by itself takes one that is free for IPv6, and ends if it is not for IPv4.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let driver = Program::start_in(&driver, &[&format!("--port={}", free.port())], &variables);
        let port = driver.prints("was started successfully on port ").await;
        let base = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let mut options = json!({"args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
            "--disable-background-networking", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
            // Nothing waits for the end of a transition.
            "--force-prefers-reduced-motion",
            format!("--user-data-dir={home}/profile"), "--window-size=1280,900",
        ]});
        if let Ok(browser) = env::var("CHROMIUM") {
            options["binary"] = json!(browser);
        }
        let timeouts = json!({"script": COMMAND_TIMEOUT.as_millis()});
        let capabilities = json!({"browserName": "chrome", "timeouts": timeouts, "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}});
        let client = client();
        let body = json!({"capabilities": {"alwaysMatch": capabilities}});
        let created = command(client.post(format!("{base}/session")), &body).await;
        let id = created["sessionId"].as_str().expect("a session has an id");
        let process =
            created["capabilities"]["goog:processID"].as_i64().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Self {
            session: format!("{base}/session/{id}"),
            process: process.expect("the driver says which process it has started"),
            client,
            _driver: driver,
            _profile: profile,
        }
    }

    async fn post(&self, path: &str, body: Json) -> Json {
        command(self.client.post(format!("{}/{path}", self.session)), &body).await
    }

    pub(crate) async fn open(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// The value of an expression in the page.
    pub(crate) async fn value(&self, expression: &str) -> Json {
        self.script(&format!("return ({expression})")).await
    }

    /// Runs a script in the page, and waits for the promise it may return.
    pub(crate) async fn script(&self, script: &str) -> Json {
        self.post("execute/sync", json!({"script": script, "args": []})).await
    }

    /// Whether an expression in the page is true.
    pub(crate) async fn is(&self, expression: &str) -> bool {
        self.value(expression).await == json!(true)
    }

    /// Waits until an expression in the page is true.
    pub(crate) async fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.is(expression).await {
            if Instant::now() >= deadline {
                let text = self.value("document.body.innerText").await;
                panic!("timed out waiting for {expression} in: {}", text.as_str().unwrap_or_default());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The text of the first element that a CSS selector finds.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector({})?.textContent", json!(selector))).await;
        text.as_str().unwrap_or_else(|| panic!("no {selector}")).to_owned()
    }

    /// Presses and releases keys, one after the other, wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            let key = key.to_string();
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
        });
        let strokes: Vec<_> = strokes.collect();
        self.post("actions", json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]})).await;
    }

    /// Sets the width of the page and the preferred colour scheme.
    pub(crate) async fn show(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Saves a picture of the whole page in `target/dashboard/`.
    pub(crate) async fn picture(&self, name: &str) {
        fs::create_dir_all(pictures()).expect("target can be written to");
        self.capture(json!({"captureBeyondViewport": true}), &pictures().join(format!("{name}.png"))).await;
    }

    /// Saves a picture of the top of the page in a file of the workspace.
    pub(crate) async fn shot(&self, width: u32, height: u32, file: &str) {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        self.capture(json!({"captureBeyondViewport": true, "clip": clip}), &workspace(file)).await;
    }

    async fn capture(&self, how: Json, file: &Path) {
        let shot = self.devtools("Page.captureScreenshot", how).await;
        let bytes = decoded(shot["data"].as_str().expect("a picture"));
        fs::write(file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    /// The errors that the browser has logged: of scripts, missing files, and violations of the page's policy.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({"type": "browser"})).await;
        let entries = log.as_array().into_iter().flatten();
        entries.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn devtools(&self, command: &str, parameters: Json) -> Json {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }
}

impl Drop for Browser {
    /// The driver is killed, so it has no time to end what it has started.
    fn drop(&mut self) {
        // It may have crashed already.
        let _ = kill_process(self.process, Signal::KILL);
    }
}

/// Where the pictures are kept.
fn pictures() -> PathBuf {
    workspace("target/dashboard")
}

async fn command(request: reqwest::RequestBuilder, body: &Json) -> Json {
    let request = request.header("content-type", "application/json").timeout(COMMAND_TIMEOUT);
    let response = request.body(body.to_string()).send().await.expect("the driver answers");
    let text = response.text().await.expect("a body");
    let mut answer: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
    assert!(answer["value"]["error"].is_null(), "{body}: {}", answer["value"]);
    answer["value"].take()
}

/// Decodes base 64.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte: u8| DIGITS.iter().position(|digit| *digit == byte);
    let digits: Vec<_> = text.bytes().map_while(digit).collect();
    let group = |group: &[usize]| {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        (bits as u32).to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}
