//! Contexts and the configuration file: what is written, what counts, and what is refused.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::binary::{QUORATE, command};
use super::server;

/// Environment variables and their values.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// A home folder, and the configuration file in it.
struct Home {
    folder: TempDir,
    file: PathBuf,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(".config/quorate/config.toml");
        Self { folder, file }
    }

    fn with(text: &str) -> Self {
        let home = Self::new();
        fs::create_dir_all(home.file.parent().expect("a folder")).expect("a folder");
        fs::write(&home.file, text).expect("written");
        home
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).expect("there is a file")
    }

    /// Runs the tool there, with these variables.
    async fn run(&self, flags: &[&str], variables: Variables<'_>) -> (i32, String, String) {
        let mut command = command(QUORATE, flags);
        command.env("HOME", self.folder.path()).envs(variables.iter().copied());
        let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("it does not panic");
        let Output { status, stdout, stderr } = ran.expect("the program was built");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code().expect("it exits by itself"), text(stdout), text(stderr))
    }

    /// Runs a command that must succeed, and returns its output.
    async fn done(&self, flags: &[&str]) -> String {
        let (code, shown, error) = self.run(flags, &[]).await;
        assert_eq!((code, error.as_str()), (0, ""), "{flags:?}");
        shown
    }
}

/// A coordinator that answers every question with its number.
async fn coordinator(number: u32) -> String {
    let answer = move || async move { server::outcome("q", &number.to_string()) };
    let feeds = move || async move { format!(r#"{{"feeds":[{{"name":"f{number}","stale":false}}]}}"#) };
    server::serve(Router::new().route("/request", post(answer)).route("/feeds", get(feeds))).await.to_string()
}

#[tokio::test]
async fn contexts_are_added_listed_selected_shown_and_removed_and_comments_stay() {
    let home = Home::with("# mine\nurl = \"http://localhost:9000\"   # the usual one\n");
    assert_eq!(
        home.done(&["context", "ls"]).await,
        "There is no context. Add one with: quorate context add NAME --url URL\n"
    );
    let said =
        home.done(&["context", "add", "staging", "--url", "https://staging.example", "--description", "soon"]).await;
    assert_eq!(
        said,
        "added staging; use it with --context staging, or select it with: quorate context select staging\n"
    );
    home.done(&["context", "add", "production", "--url", "https://quorate.example/base/", "--output", "json"]).await;
    assert_eq!(home.done(&["context", "select", "staging"]).await, "selected staging\n");
    let expected = "\
\x20    context     url                           output  description
     production  https://quorate.example/base  json
  *  staging     https://staging.example/      -       soon
";
    assert_eq!(home.done(&["context", "ls"]).await, expected);
    let listed: Json = serde_json::from_str(&home.done(&["context", "ls", "--json"]).await).expect("JSON");
    assert_eq!(listed["contexts"][1]["selected"], true);
    assert_eq!(listed["contexts"][0]["url"], "https://quorate.example/base");

    let shown = home.done(&["context", "show"]).await;
    assert!(
        shown.starts_with("context:     staging\nurl:         https://staging.example/\noutput:      -\n"),
        "{shown}"
    );
    assert!(shown.contains(".config/quorate/config.toml\n"), "{shown}");
    let shown: Json =
        serde_json::from_str(&home.done(&["context", "show", "production", "--json"]).await).expect("JSON");
    assert_eq!(shown["context"]["output"], "json");

    assert_eq!(home.done(&["context", "rm", "staging"]).await, "removed staging\n");
    let expected = "# mine\nurl = \"http://localhost:9000\"   # the usual one\n\n[contexts.production]\n\
                    url = \"https://quorate.example/base\"\noutput = \"json\"\n";
    assert_eq!(home.text(), expected, "the removed context is selected no more");
    assert_eq!(
        fs::read_dir(home.file.parent().expect("a folder")).expect("a folder").count(),
        1,
        "nothing is left over"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_said_and_nothing_is_changed() {
    let home = Home::new();
    home.done(&["context", "add", "staging", "--url", "https://staging.example"]).await;
    let before = home.text();
    for (flags, said) in [
        (
            &["context", "add", "staging", "--url", "http://h"][..],
            "error: there is a context staging already; replace it with --replace\n",
        ),
        (
            &["context", "add", "a b", "--url", "http://h"],
            "error: the name of a context has only letters, digits, and the characters - _ .\n",
        ),
        (
            &["context", "select", "stagin"],
            "error: there is no context stagin; did you mean staging?; list the contexts with: quorate context ls\n",
        ),
        (
            &["context", "rm", "production"],
            "error: there is no context production; list the contexts with: quorate context ls\n",
        ),
        (
            &["context", "show", "production"],
            "error: there is no context production; list the contexts with: quorate context ls\n",
        ),
    ] {
        let (code, shown, error) = home.run(flags, &[]).await;
        assert_eq!((code, shown.as_str(), error.as_str()), (1, "", said), "{flags:?}");
    }
    assert_eq!(home.text(), before);
    home.done(&["context", "add", "staging", "--url", "http://h", "--replace"]).await;
    assert!(home.text().contains("url = \"http://h\"") && !home.text().contains("staging.example"), "{}", home.text());
}

#[tokio::test]
async fn a_flag_counts_before_a_variable_a_context_the_file_and_the_default() {
    let mut urls = Vec::new();
    for number in 0..5 {
        urls.push(coordinator(number).await);
    }
    let home = Home::with(&format!(
        "url = \"{}\"\ncontext = \"first\"\n[contexts.first]\nurl = \"{}\"\n[contexts.second]\nurl = \"{}\"\n\
         output = \"json\"\n[contexts.empty]\n",
        urls[0], urls[1], urls[2]
    ));
    let by_url = ("QUORATE_URL", urls[3].as_str());
    let by_flag = ["--url", urls[4].as_str()];
    // The flags, the variables, the coordinator that answers, whether in JSON.
    let cases: [(&[&str], Variables, u32, bool); 9] = [
        (&["--context", "empty"], &[], 0, false),
        (&[], &[], 1, false),
        (&["--context", "second"], &[], 2, true),
        (&[], &[("QUORATE_CONTEXT", "second")], 2, true),
        (&["--context", "first"], &[("QUORATE_CONTEXT", "second")], 1, false),
        (&["--context", "second"], &[("QUORATE_JSON", "0")], 2, false),
        (&["--context", "second"], &[by_url], 3, true),
        (&by_flag, &[by_url], 4, false),
        (&[by_flag[0], by_flag[1], "--context", "second"], &[by_url], 4, true),
    ];
    for (flags, variables, number, is_json) in cases {
        let (code, shown, error) = home.run(&[&["ask", "q"], flags].concat(), variables).await;
        let begins = if is_json { "{\"request_id\"".to_owned() } else { format!("q = {number}  (") };
        assert_eq!((code, error.as_str()), (0, ""), "{flags:?} {variables:?}");
        assert!(shown.starts_with(&begins), "{flags:?} {variables:?}: {shown}");
        assert!(shown.contains(&format!("{number}")), "{flags:?} {variables:?}: {shown}");
    }
}

#[tokio::test]
async fn a_context_counts_for_commands_of_commands_too() {
    let (first, second) = (coordinator(1).await, coordinator(2).await);
    let home = Home::with(&format!(
        "context = \"first\"\n[contexts.first]\nurl = \"{first}\"\n[contexts.second]\nurl = \"{second}\"\noutput = \"json\"\n"
    ));
    let shown = home.done(&["feed", "ls"]).await;
    assert!(shown.starts_with("  feed ") && shown.contains("\n  f1 "), "{shown}");
    let json = home.done(&["feed", "ls", "--context", "second"]).await;
    assert_eq!(json, "{\"feeds\":[{\"name\":\"f2\",\"stale\":false}]}\n");
}

#[tokio::test]
async fn a_wrong_file_is_named_with_its_place_by_whatever_reads_it() {
    let home = Home::with("# a typing error\nulr = \"http://localhost:9000\"\n");
    let problem = format!(
        "error: {}:2:1: unknown key ulr; did you mean url?; the keys are: context, url, output, contexts",
        home.file.display()
    );
    for (flags, code) in
        [(&["ask", "q"][..], 2), (&["health"], 2), (&["load"], 2), (&["context", "ls"], 2), (&["context", "select"], 2)]
    {
        let (ended, shown, error) = home.run(flags, &[]).await;
        assert_eq!((ended, shown.as_str()), (code, ""), "{flags:?}");
        assert!(error.starts_with(&problem), "{flags:?}: {error}");
    }
    let (code, shown, _) = home.run(&["ask", "q", "--json"], &[]).await;
    let shown: Json = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((code, &shown["error"]), (2, &json!("usage")));
    assert!(home.done(&["completions", "bash"]).await.contains("quorate"), "what asks no coordinator reads no file");

    let unknown = Home::with("[contexts.staging]\n");
    let (code, _, error) = unknown.run(&["health", "--context", "stagin"], &[]).await;
    assert_eq!(code, 2);
    assert!(error.contains("there is no context stagin; did you mean staging?"), "{error}");
}

#[tokio::test]
async fn the_file_may_be_elsewhere_and_need_not_be_there() {
    let url = coordinator(7).await;
    let home = Home::new();
    let file = home.folder.path().join("elsewhere.toml").display().to_string();
    let named = [("QUORATE_CLI_CONFIG", file.as_str())];
    let (code, _, error) = home.run(&["ask", "q"], &named).await;
    assert!(code == 2 && error.contains("cannot read the configuration file"), "{error}");
    let (code, ..) = home.run(&["context", "add", "here", "--url", &url], &named).await;
    assert_eq!(code, 0);
    let (code, shown, _) = home.run(&["ask", "q", "--context", "here"], &named).await;
    assert!(code == 0 && shown.starts_with("q = 7  ("), "{shown}");

    let xdg = home.folder.path().join("xdg");
    fs::create_dir_all(xdg.join("quorate")).expect("a folder");
    fs::write(xdg.join("quorate/config.toml"), format!("url = \"{url}\"\n")).expect("written");
    let (code, shown, _) = home.run(&["ask", "q"], &[("XDG_CONFIG_HOME", &xdg.display().to_string())]).await;
    assert!(code == 0 && shown.starts_with("q = 7  ("), "{shown}");
    // As in a container whose user has no home.
    for variables in [&[("HOME", "/dev/null")][..], &[("HOME", "")]] {
        let (code, shown, error) = home.run(&["ask", "q", "--url", &url], variables).await;
        assert_eq!((code, error.as_str()), (0, ""), "{variables:?}: {shown}");
    }
}
