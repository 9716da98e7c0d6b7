//! The client in TypeScript: what `npm pack` makes of it, in Node and in a browser.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use quorate_test_support::documents::blocks;
use quorate_test_support::workspace;
use tempfile::TempDir;

use super::Suite;
use crate::chromium::Browser;
use crate::npm::installed;
use crate::support::{Cluster, Program, QUICK};

/// A folder with the packages of the lock file in its `node_modules`. Each lock file has a folder of its own.
fn packages() -> PathBuf {
    let client = workspace("clients/typescript");
    let mut hash = DefaultHasher::new();
    for name in ["package.json", "package-lock.json"] {
        fs::read(client.join(name)).expect("it can be read").hash(&mut hash);
    }
    let prepare = |folder: &Path| {
        for name in ["package.json", "package-lock.json", ".npmrc"] {
            fs::copy(client.join(name), folder.join(name)).expect("it can be copied");
        }
    };
    installed(&format!("client-{:016x}", hash.finish()), prepare, &["ci"], "to test clients/typescript")
}

/// A copy of the client in a folder where Node finds the packages, above it.
struct Copy {
    packages: PathBuf,
    folder: TempDir,
}

impl Copy {
    fn new() -> Self {
        let packages = packages();
        let folder = tempfile::tempdir_in(&packages).expect("a folder");
        copy(&workspace("clients/typescript"), folder.path());
        Self { packages, folder }
    }

    /// Runs a program of the packages.
    fn tool(&self, name: &str, arguments: &[&str]) -> Suite {
        let program = self.packages.join("node_modules/.bin").join(name).display().to_string();
        Suite::of(&program, arguments).within(self.folder.path())
    }

    /// Makes the package, and installs it for a program in the folder that this returns.
    async fn published(&self) -> PathBuf {
        let tools = self.packages.join("node_modules/.bin");
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&on_path)));
        let pack = Suite::of("npm", ["pack", "--silent"]).within(self.folder.path());
        let written = pack.with("PATH", path.expect("no folder has a colon")).passes().await;
        let archive = written.lines().last().expect("npm names the archive");
        let consumer = self.folder.path().join("consumer");
        let modules = consumer.join("node_modules");
        fs::create_dir_all(&modules).expect("a folder");
        let modules_name = modules.display().to_string();
        Suite::of("tar", ["-xzf", archive, "-C", &modules_name]).within(self.folder.path()).passes().await;
        fs::rename(modules.join("package"), modules.join("quorate")).expect("the archive has this folder");
        fs::write(consumer.join("package.json"), "{\"type\": \"module\"}\n").expect("written");
        consumer
    }
}

/// Copies a folder without what is built in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let (name, path) = (entry.file_name(), entry.path());
        if name == "node_modules" || name == "dist" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).expect("it can be copied");
        }
    }
}

#[tokio::test]
async fn the_client_in_typescript_passes_its_tests() {
    let client = Copy::new();
    let consumer = client.published().await;
    copy(&workspace("clients/typescript/test"), &consumer.join("test"));
    let readme = fs::read_to_string(consumer.join("node_modules/quorate/README.md")).expect("it is published");
    for (number, block) in blocks(&readme).into_iter().filter(|block| block.fence == "ts").enumerate() {
        fs::write(consumer.join(format!("test/example_{number}.ts")), block.text).expect("written");
    }
    client.tool("tsc", &["-p", "consumer/test"]).passes().await;
    let built = fs::read_dir(consumer.join("built")).expect("it was built");
    let built = built.map(|entry| entry.expect("it can be read").path().display().to_string());
    let tests: Vec<_> = built.filter(|path| path.ends_with(".test.js")).collect();
    let node = Suite::of("node", ["--test"].into_iter().chain(tests.iter().map(String::as_str))).within(&consumer);
    let written = node.with("QUORATE_VERSION", env!("CARGO_PKG_VERSION")).with_programs().passes().await;
    let count =
        |what: &str| written.lines().find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix(what));
    assert!(count("pass ").is_some_and(|passed| passed != "0") && count("skipped ") == Some("0"), "{written}");
}

#[tokio::test]
async fn the_client_in_typescript_is_as_generated_and_in_style() {
    let client = Copy::new();
    let generated = client.folder.path().join("schema.ts");
    // The script reads docs/openapi.json from where it lies in the repository.
    let docs = client.folder.path().join("clients/typescript");
    copy(&workspace("clients/typescript/scripts"), &docs.join("scripts"));
    fs::create_dir_all(client.folder.path().join("docs")).expect("a folder");
    fs::copy(workspace("docs/openapi.json"), client.folder.path().join("docs/openapi.json")).expect("it can be copied");
    let script = docs.join("scripts/generate.mjs").display().to_string();
    Suite::of("node", [&script, &generated.display().to_string()]).within(client.folder.path()).passes().await;
    let read = |path: PathBuf| fs::read_to_string(path).expect("it can be read");
    assert!(
        read(generated.clone()) == read(workspace("clients/typescript/src/schema.ts")),
        "clients/typescript/src/schema.ts is stale; renew it with: make openapi"
    );
    fs::remove_file(generated).expect("it is there");
    fs::remove_dir_all(client.folder.path().join("clients")).expect("it is there");
    fs::remove_dir_all(client.folder.path().join("docs")).expect("it is there");
    client.tool("prettier", &["--check", "."]).passes().await;
}

/// Serves the files of a folder to browsers.
async fn served(folder: &Path) -> (Program, String) {
    let folder = folder.display().to_string();
    let arguments = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", &folder, "0"];
    let server = Program::start("python3", &arguments);
    let port = server.prints("Serving HTTP on 127.0.0.1 port ").await;
    let port = port.split(' ').next().expect("a split has a first part").to_owned();
    (server, format!("http://127.0.0.1:{port}"))
}

#[tokio::test]
async fn the_client_in_typescript_works_in_a_page_of_another_origin_that_is_allowed() {
    let client = Copy::new();
    let consumer = client.published().await;
    let page = "<!doctype html><title>A page of another origin</title><link rel=icon href=data:,>";
    fs::write(consumer.join("index.html"), page).expect("written");
    let (_server, origin) = served(&consumer).await;
    let cluster = Cluster::start(1, &["--cors", &origin], &QUICK).await;
    let closed = Cluster::start(1, &[], &QUICK).await;
    let browser = Browser::start().await;
    browser.open(&format!("{origin}/index.html")).await;

    let used = format!(
        "return (async () => {{
           const {{ Client, InvalidRequest }} = await import('/node_modules/quorate/dist/index.js');
           const client = new Client('{}');
           const outcome = await client.ask('BTC/USD', {{ id: 'first' }});
           const events = client.follow('BTC/USD', {{ recent: 1 }});
           const {{ value: first }} = await events.next();
           await client.ask('BTC/USD', {{ id: 'second' }});
           const {{ value: second }} = await events.next();
           await events.return();
           const refused = await client.ask('BTC/USD', {{ timeout_ms: 0 }}).catch((error) => error);
           const followed = [first, second].map((event) => event.outcome.request_id).join();
           const workers = (await client.workers()).workers.length;
           return [outcome.status, typeof outcome.final_value, followed, refused instanceof InvalidRequest, workers];
         }})()",
        cluster.api.url
    );
    let expected = serde_json::json!(["complete", "string", "first,second", true, 1]);
    assert_eq!(browser.script(&used).await, expected);
    assert!(browser.complaints().await.iter().all(|complaint| complaint.contains("400 (Bad Request)")));

    let refused = format!(
        "return (async () => {{
           const {{ Client }} = await import('/node_modules/quorate/dist/index.js');
           return new Client('{}').ask('BTC/USD').catch((error) => error.name);
         }})()",
        closed.api.url
    );
    assert_eq!(browser.script(&refused).await, "Unreachable");
    let complaints = browser.complaints().await.concat();
    assert!(complaints.contains("blocked by CORS policy"), "{complaints}");
}
