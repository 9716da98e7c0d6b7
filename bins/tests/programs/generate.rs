//! Completions and manual pages: what is written, and how shells and readers process it.

use std::fs;
use std::process::{Command, Stdio};

use clap::CommandFactory as _;
use quorate_cli::args::{CoordinatorArgs, QuorateArgs, WorkerArgs};
use quorate_cli::exit;

use super::binary::{QUORATE, run};

/// The completions that `bash` offers for the words.
fn completed(script: &str, words: &[&str]) -> Vec<String> {
    let program = words[0];
    let last = words[words.len() - 1];
    let before = words[words.len() - 2];
    let ask = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_{program} {program} '{last}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1
    );
    let output = Command::new("bash").args(["--norc", "-c", &ask]).output().expect("bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn bash_completes_subcommands_flags_and_values_of_every_program() {
    let script = async |program: &str| {
        let (code, script, error) = run(QUORATE, &["completions", "bash", "--program", program]).await;
        assert_eq!((code, error.as_str()), (0, ""));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("completions");
        fs::write(&file, &script).expect("it can be written");
        let checked = Command::new("bash").arg("-n").arg(&file).output().expect("bash");
        assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");
        script
    };
    let quorate = script("quorate").await;
    assert_eq!(run(QUORATE, &["completions", "bash"]).await.1, quorate, "it is the default");
    let subcommands = completed(&quorate, &["quorate", ""]);
    for subcommand in QuorateArgs::command().get_subcommands() {
        assert!(subcommands.iter().any(|word| word == subcommand.get_name()), "{subcommands:?}");
    }
    assert_eq!(completed(&quorate, &["quorate", "wor"]), ["workers", "worker"]);
    assert_eq!(completed(&quorate, &["quorate", "coordinator", "--nats-cr"]), ["--nats-creds"]);
    assert_eq!(completed(&quorate, &["quorate", "ask", "q", "--fail"]), ["--fail-on-dispute"]);
    assert_eq!(completed(&quorate, &["quorate", "ask", "q", "--on-dispute", "r"]), ["reject"]);
    assert_eq!(completed(&quorate, &["quorate", "feed", "h"]), ["history", "help"]);
    assert_eq!(completed(&script("coordinator").await, &["coordinator", "--nats-cr"]), ["--nats-creds"]);
    assert_eq!(completed(&script("worker").await, &["worker", "--source", "sim"]), ["simulated"]);
}

#[tokio::test]
async fn every_shell_has_a_script_that_names_the_subcommands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script, _) = run(QUORATE, &["completions", shell]).await;
        assert_eq!(code, 0, "{shell}");
        for subcommand in QuorateArgs::command().get_subcommands() {
            assert!(script.contains(subcommand.get_name()), "{shell}: {}", subcommand.get_name());
        }
    }
}

/// The text of a manual page, formatted by groff with all warnings on if groff is installed, else without its markup.
fn formatted(page: &str) -> String {
    let groff = Command::new("groff")
        .args(["-man", "-ww", "-Tascii", "-P-cbou", "-rLL=200n"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut groff) = groff else { return page.replace('\\', "") };
    let mut input = groff.stdin.take().expect("it is piped");
    let source = page.to_owned();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, source.as_bytes()));
    let output = groff.wait_with_output().expect("groff ends");
    writer.join().expect("it does not panic").expect("groff reads");
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && warnings.is_empty(), "{warnings}");
    String::from_utf8(output.stdout).expect("ASCII")
}

/// The words of a text, without line breaks between or within them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_program_and_subcommand_has_a_page_with_every_flag_variable_and_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("made/man1");
    let (code, shown, error) = run(QUORATE, &["man", "--dir", dir.to_str().expect("text")]).await;
    assert_eq!((code, shown.as_str(), error.as_str()), (0, "", ""));
    let mut quorate = QuorateArgs::command();
    quorate.build();
    let mut pages = vec![
        ("quorate".to_owned(), quorate.clone(), exit::QUORATE),
        ("coordinator".to_owned(), CoordinatorArgs::command(), exit::SERVER),
        ("worker".to_owned(), WorkerArgs::command(), exit::SERVER),
    ];
    let subcommands = quorate.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
    pages.extend(subcommands.map(|sub| {
        let codes = if ["coordinator", "worker"].contains(&sub.get_name()) { exit::SERVER } else { exit::QUORATE };
        (format!("quorate-{}", sub.get_name()), sub.clone(), codes)
    }));
    for parent in ["context", "feed"] {
        let parent = quorate.find_subcommand(parent).expect("a subcommand");
        let subcommands = parent.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
        let name = |sub: &str| format!("quorate-{}-{sub}", parent.get_name());
        pages.extend(subcommands.map(|sub| (name(sub.get_name()), sub.clone(), exit::QUORATE)));
    }

    for (name, command, codes) in &pages {
        let source =
            fs::read_to_string(dir.join(format!("{name}.1"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        let page = words(&formatted(&source));
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let long = arg.get_long().map(|long| format!("--{long}"));
            let variable = arg.get_env().map(|name| name.to_str().expect("ASCII").to_owned());
            for text in long.into_iter().chain(variable) {
                assert!(page.contains(&text), "{text} is not in {name}.1: {page}");
            }
        }
        for (code, meaning) in codes.list() {
            assert!(page.contains(&format!("{code} {meaning}")), "{code} is not in {name}.1: {page}");
        }
        assert!(page.contains("NO_COLOR") && page.starts_with(&format!("{name}(1)")), "{name}.1: {page}");
        assert_eq!(run(QUORATE, &["man", name]).await.1, source, "printed as written");
    }
    assert_eq!(fs::read_dir(&dir).expect("it was made").count(), pages.len());
    let (code, _, error) = run(QUORATE, &["man", "no-such-page"]).await;
    assert!(code == 1 && error.contains("the pages are: quorate, quorate-demo, "), "{error}");
}
