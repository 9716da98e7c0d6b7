//! The program as a process: its output and its exit codes.

use std::path::Path;
use std::process::{Command, Output};

use quorate_test_support::documents::{blocks, commands, documents};

/// Runs the program in a directory.
fn quorate_sim(directory: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-sim"));
    command.args(line.split(' ')).current_dir(directory).output().expect("the program starts")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("a text")
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("a text")
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_scenario_that_was_printed_plays_like_its_seed() {
    let directory = directory();
    let printed = quorate_sim(directory.path(), "scenario --seed 7");
    std::fs::write(directory.path().join("a.json"), &printed.stdout).expect("written");
    for depth in ["machines", "network", "store"] {
        let seed = quorate_sim(directory.path(), &format!("run --trace --seed 7 --depth {depth}"));
        let file = quorate_sim(directory.path(), &format!("run --trace --scenario a.json --depth {depth}"));
        assert!(out(&seed).contains("\nevents    "), "{}", out(&seed));
        assert_eq!((out(&seed), seed.status.code()), (out(&file), file.status.code()), "{depth}");
    }
}

#[test]
fn a_sweep_prints_the_same_on_any_number_of_threads() {
    let directory = directory();
    let counts = |jobs| {
        let line = format!("sweep --seeds 0..8 --depth machines --shrink-seconds 0 --jobs {jobs}");
        let text = out(&quorate_sim(directory.path(), &line));
        let timeless = |line: &&str| !line.contains("/s");
        text.lines().filter(timeless).map(str::to_owned).collect::<Vec<_>>()
    };
    let one = counts(1);
    assert!(one.contains(&"seeds          8".to_owned()), "{one:#?}");
    assert_eq!(one, counts(3));
}

#[test]
fn two_processes_play_the_same() {
    let directory = directory();
    let verified = quorate_sim(directory.path(), "verify --seeds 0..3 --depth machines");
    assert_eq!(verified.status.code(), Some(0), "{}", out(&verified));
    assert!(out(&verified).starts_with("3 seeds played twice: all "), "{}", out(&verified));
}

#[cfg(unix)]
#[test]
fn verify_detects_a_program_that_plays_differently() {
    let directory = directory();
    let verified = quorate_sim(directory.path(), "verify --seed 3 --depth machines --against echo");
    assert_eq!(verified.status.code(), Some(1));
    let text = out(&verified);
    assert!(text.starts_with("seed 3 differs at line 1\n"), "{text}");
    assert!(text.contains("2       run --trace --seed 3 --depth machines\n"), "{text}");
}

#[test]
fn an_explained_run_is_a_page() {
    let directory = directory();
    let explained = quorate_sim(directory.path(), "explain --seed 7 --depth machines");
    assert!(errors(&explained).contains("seed-7.machines.html"), "{}", errors(&explained));
    let page = std::fs::read_to_string(directory.path().join("seed-7.machines.html")).expect("written");
    assert!(page.starts_with("<!doctype html>") && page.contains(r#"{"seed":"7","depth":"machines","hosts":["#));
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let directory = directory();
    std::fs::write(directory.path().join("b.json"), "{\"seed\": 1}").expect("written");
    for (line, code, text) in [
        ("run --scenario a.json", 1, "error: cannot read a.json: "),
        ("run --scenario b.json", 1, "error: b.json is not a scenario: missing field `cluster`"),
        ("explain --seed 1 --depth machines -o none/a.html", 1, "error: cannot write none/a.html: "),
        ("verify --seed 1 --against ./none", 1, "error: cannot verify seed 1: cannot start ./none: "),
        ("sweep --seeds 9", 2, "expected two seeds as A..B"),
        ("sweep --seeds 9..3", 2, "9..3 contains no seeds"),
    ] {
        let output = quorate_sim(directory.path(), line);
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert!(errors(&output).contains(text), "{line}: {}", errors(&output));
    }
}

#[test]
fn every_flag_that_its_document_names_exists() {
    let directory = directory();
    let helps: String = ["sweep", "run", "verify", "shrink", "explain", "speed"]
        .map(|command| out(&quorate_sim(directory.path(), &format!("{command} --help"))))
        .concat();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/simulation.md");
    let text = std::fs::read_to_string(document).expect("the document is there");
    let flags: Vec<&str> =
        text.split(['`', ' ', '\n']).filter(|word| word.starts_with("--") && word.len() > 2).collect();
    assert!(flags.contains(&"--scenario"), "{flags:?}");
    for flag in flags.into_iter().filter(|flag| *flag != "--release" && !flag.starts_with("-->")) {
        assert!(helps.split_whitespace().any(|word| word == flag), "{flag}");
    }
}

/// The arguments of this program in the commands of the documents.
fn documented() -> Vec<String> {
    let mut lines = Vec::new();
    for document in documents() {
        let text = std::fs::read_to_string(document).expect("it can be read");
        for block in blocks(&text).iter().filter(|block| block.fence == "sh") {
            for command in commands(&block.text) {
                let program = ["quorate-sim ", "cargo run --release -p quorate-sim -- "];
                lines.extend(program.iter().find_map(|program| command.strip_prefix(program)).map(str::to_owned));
            }
        }
    }
    lines
}

#[test]
fn the_commands_of_the_documents_do_what_they_say() {
    let directory = directory();
    let lines = documented();
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        // Three seeds instead of thousands, without the coverage that they cannot reach.
        let words = line.split(' ').map(|word| if word.starts_with("0..") { "0..3" } else { word });
        let here: Vec<_> = words.filter(|word| *word != "--require-coverage").collect();
        let output = quorate_sim(directory.path(), &here.join(" "));
        // No invariant is broken, so there is nothing to shrink.
        let (code, said) = if line.starts_with("shrink ") { (1, "there is nothing to shrink") } else { (0, "") };
        assert_eq!(output.status.code(), Some(code), "{line}: {}{}", out(&output), errors(&output));
        assert!(errors(&output).contains(said), "{line}: {}", errors(&output));
    }
}
