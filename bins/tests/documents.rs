//! The documents against the code: examples decode, flags exist with the stated variables and defaults, and links lead
//! somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use quorate_cli::args::{CoordinatorArgs, QuorateArgs, WorkerArgs};
use quorate_cli::exit;
use quorate_client::{Ask, Body as _, ErrorBody, Outcome};
use quorate_runtime::clock::Clock;
use quorate_runtime::http::RequestBody;
use quorate_runtime::source::{AnySource, SourceKind};
use quorate_runtime::wire::{PresenceMessage, decode_result, decode_results, decode_task, decode_tasks};
use quorate_test_support::documents::{self, Block, blocks, commands, documents, prose};
use quorate_test_support::{Schema, workspace};

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Decodes a message with the code that decodes it in production.
fn decode(kind: &str, text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    let error = |error: &dyn std::fmt::Display| error.to_string();
    match kind {
        "task" => decode_task(bytes, None).map(drop).map_err(|e| error(&e)),
        "result" => decode_result(bytes, None, std::time::SystemTime::now()).map(drop).map_err(|e| error(&e)),
        "task_pack" => {
            decode_tasks(bytes, None).map_err(|e| error(&e))?.try_for_each(|task| task.map(drop).map_err(|e| error(&e)))
        }
        "result_pack" => decode_results(bytes, std::time::SystemTime::now())
            .map_err(|e| error(&e))?
            .try_for_each(|result| result.map(drop).map_err(|e| error(&e))),
        "presence" => PresenceMessage::decode(bytes).map(drop).map_err(|e| error(&e)),
        "service_ping" => PresenceMessage::decode_ping(bytes).map(drop).map_err(|e| error(&e)),
        // None of our programs reads these: they are for the tools of NATS.
        "service_info" | "service_stats" => Ok(()),
        "request" => serde_json::from_str::<RequestBody>(text).map(drop).map_err(|e| error(&e)),
        "outcome" => Outcome::read(text).map(drop).map_err(|e| error(&e)),
        "error" => ErrorBody::read(text).map(drop).map_err(|e| error(&e)),
        _ => Err("no program reads such a message".to_owned()),
    }
}

fn check(kind: &str, text: &str) {
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let schema = Schema::of(kind).unwrap_or_else(|| panic!("docs/schemas has no {kind}"));
    schema.check(&value).unwrap_or_else(|wrong| panic!("{wrong} in {text}"));
    decode(kind, text).unwrap_or_else(|wrong| panic!("{wrong} in {text}"));
}

#[test]
fn every_message_that_the_protocol_shows_is_understood_and_fits_its_schema() {
    let mut seen = BTreeSet::new();
    for Block { fence, text } in blocks(&read(workspace("docs/protocol.md"))) {
        match fence.strip_prefix("json") {
            Some("") => drop(serde_json::from_str::<serde_json::Value>(&text).expect(&text)),
            Some(kind) => {
                check(kind.trim(), &text);
                seen.insert(kind.trim().to_owned());
            }
            None => {}
        }
    }
    let schemas = fs::read_dir(workspace("docs/schemas")).expect("the folder exists");
    let kinds = schemas.map(|entry| entry.expect("it can be read").file_name().into_string().expect("ASCII"));
    let kinds: BTreeSet<_> = kinds.map(|name| name.trim_end_matches(".schema.json").to_owned()).collect();
    assert_eq!(seen, kinds, "each schema has an example");
}

#[test]
fn the_client_can_send_every_field_of_a_request() {
    let decimal = Some("0.1".parse().expect("a decimal"));
    let word = || Some("w".to_owned());
    let ask = Ask {
        query: "q".to_owned(),
        id: word(),
        strategy: word(),
        min_responses: Some(1),
        quorum: Some(1),
        timeout_ms: Some(1),
        max_deviation: word(),
        tolerance: decimal,
        min_agreement: decimal,
        on_dispute: word(),
        max_age_ms: Some(1),
        trim_share: decimal,
        precision: Some(1),
        decimals: Some(1),
    };
    let sent = serde_json::to_value(ask).expect("JSON");
    let sent: BTreeSet<_> = sent.as_object().expect("an object").keys().map(String::as_str).collect();
    let schema = read(workspace("docs/schemas/request.schema.json"));
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    let fields = schema["properties"].as_object().expect("an object").keys().map(String::as_str);
    // It reads exact numbers in either form.
    assert_eq!(sent, fields.filter(|field| *field != "numbers").collect());
}

#[test]
fn the_table_of_errors_is_that_of_the_schema() {
    let protocol = read(workspace("docs/protocol.md"));
    let (_, errors) = protocol.split_once("### Errors").expect("there is such a section");
    let (errors, _) = errors.split_once("### Retries").expect("there is such a section");
    let schema: serde_json::Value =
        serde_json::from_str(&read(workspace("docs/schemas/error.schema.json"))).expect("JSON");
    let words = schema["properties"]["error"]["enum"].as_array().expect("a list").iter();
    let words: BTreeSet<_> = words.map(|word| word.as_str().expect("a word")).collect();
    let rows = errors.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| code"));
    let listed: BTreeSet<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(listed, words);
}

#[test]
fn the_readme_shows_the_two_commands_the_worker_and_answers_that_are_right() {
    let readme = read(workspace("README.md"));
    let blocks = blocks(&readme);
    let of = |fence: &str| {
        blocks.iter().filter(|block| block.fence == fence).map(|block| block.text.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("sh")[..2], ["cargo run --release -- demo\n", "make test\n"]);
    let first_of = |client: &str, fence: &str| {
        let client = read(workspace(&format!("clients/{client}/README.md")));
        documents::blocks(&client).into_iter().find(|block| block.fence == fence).expect("an example").text
    };
    assert_eq!(of("python"), [first_of("python", "python"), read(workspace("examples/worker.py"))]);
    assert_eq!(of("ts"), [first_of("typescript", "ts")]);
    for worker in ["examples/worker.py", "examples/worker.mjs"] {
        assert!(read(workspace(worker)).lines().count() < 40, "{worker} is no longer short");
    }
    let [outcome, error] = of("json")[..] else { panic!("the README shows an outcome and an error") };
    check("outcome", outcome);
    check("error", error);
    let makefile = read(workspace("Makefile"));
    let prose = prose(&readme);
    let lines = of("sh").into_iter().flat_map(str::lines).chain(quoted(&prose));
    for target in lines.filter_map(|line| line.strip_prefix("make ")) {
        let rule = format!("{target}:");
        assert!(makefile.lines().any(|line| line.starts_with(&rule)), "there is no make {target}");
    }
}

#[test]
fn the_readme_and_the_tutorial_work_by_copy_and_paste() {
    for document in ["README.md", "docs/tutorial.md"] {
        let text = read(workspace(document));
        let commands: Vec<_> = blocks(&text)
            .into_iter()
            .filter(|block| block.fence == "sh")
            .flat_map(|block| commands(&block.text))
            .collect();
        let mut workers = 0;
        for command in &commands {
            assert!(!command.contains(".example."), "{document}: {command}: nobody has such a host");
            let after = |flag: &str| command.split_whitespace().skip_while(|word| *word != flag).nth(1);
            let (Some(id), Some(file)) = (after("--id"), after("--config")) else { continue };
            workers += 1;
            let source = AnySource::from_config(&workspace(file), id, SourceKind::Http, Clock::new());
            assert!(source.is_ok(), "{document}: {command}: {source:?}");
            let address = "http://127.0.0.1:8090/";
            assert!(read(workspace(file)).contains(address), "{document}: {command} needs the internet");
        }
        assert_eq!(workers, 3, "{document}");
        assert!(commands.iter().any(|command| command.ends_with("quorate exchange")), "{document}");
    }
}

/// A flag as a program has it: name, variable, defaults.
fn flags(command: &clap::Command) -> Vec<(String, String, String)> {
    let named = |arg: &clap::Arg| {
        let takes_value = arg.get_action().takes_values();
        let default = arg.get_default_values().first().filter(|_| takes_value).and_then(|value| value.to_str());
        let variable = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
        Some((format!("--{}", arg.get_long()?), variable.to_owned(), default.unwrap_or_default().to_owned()))
    };
    let shown = |arg: &&clap::Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let own: Vec<_> = command.get_arguments().filter(shown).filter_map(named).collect();
    own.into_iter().chain(command.get_subcommands().flat_map(flags)).collect()
}

/// The texts in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The flags in the tables under a heading: name, variable, default.
fn rows(document: &str, heading: &str) -> Vec<(String, String, String)> {
    let (_, section) = document.split_once(&format!("\n### {heading}\n")).expect("there is such a section");
    let section = section.split("\n## ").next().expect("a split has a first part");
    let section = section.split("\n### ").next().expect("a split has a first part");
    let mut flags = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| `--")) {
        let row = row.replace("\\|", "/");
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let defaults: Vec<_> = cells[4].split(',').map(|default| default.trim().trim_matches('`')).collect();
        for (at, name) in quoted(cells[1]).enumerate() {
            // A row for two flags shows only the first variable; the second follows from the flag's name.
            let variable = match quoted(cells[2]).nth(at) {
                Some(variable) if variable.starts_with(|first: char| first.is_ascii_uppercase()) => variable.to_owned(),
                _ => format!("QUORATE_{}", name[2..].replace('-', "_").to_uppercase()),
            };
            let default = if quoted(cells[1]).count() == 1 { cells[4].trim_matches('`') } else { defaults[at] };
            flags.push((name.to_owned(), variable, default.to_owned()));
        }
    }
    flags
}

/// Whether the default in a table is that of the program. If the program has none, the table says so in words.
fn is_default(said: &str, default: &str) -> bool {
    if default.is_empty() { !said.starts_with(|first: char| first.is_ascii_digit()) } else { said == default }
}

#[test]
fn the_tables_of_flags_are_those_of_the_programs() {
    let operations = read(workspace("docs/operations.md"));
    let common = rows(&operations, "All programs that use NATS");
    for (heading, command) in [("`coordinator`", CoordinatorArgs::command()), ("`worker`", WorkerArgs::command())] {
        let told: Vec<_> = common.iter().cloned().chain(rows(&operations, heading)).collect();
        let has = flags(&command);
        for (name, variable, said) in &told {
            let found = has.iter().find(|flag| flag.0 == *name);
            let (_, real, default) = found.unwrap_or_else(|| panic!("{heading} has no {name}"));
            assert_eq!(variable, real, "{name} of {heading}");
            assert!(is_default(said, default), "{name} of {heading} has the default {default:?}, not {said:?}");
        }
        for (name, ..) in &has {
            assert!(told.iter().any(|flag| flag.0 == *name), "{name} of {heading} is not in docs/operations.md");
        }
    }
}

#[test]
fn the_tables_of_the_operators_tool_are_those_of_its_subcommands() {
    let operations = read(workspace("docs/operations.md"));
    let of = |headings: &[&str]| headings.iter().flat_map(|heading| rows(&operations, heading)).collect::<Vec<_>>();
    let client = "All subcommands that ask a coordinator";
    let contexts = "Contexts and the configuration file";
    let quorate = QuorateArgs::command();
    let mut subcommands = 0;
    for subcommand in quorate.get_subcommands() {
        subcommands += 1;
        let name = subcommand.get_name();
        let own = format!("`quorate {name}`");
        // The tables whose flags it has all, and those of which it has some.
        let (whole, part): (&[&str], &[&str]) = match name {
            "ask" => (&[client, contexts, "Numbers", "Watching", &own], &[]),
            "workers" => (&[client, contexts, "Watching", &own], &[]),
            "follow" | "feed" | "result" => (&[client, contexts, "Numbers", &own], &[]),
            "submit" => (&[client, contexts, &own], &["`quorate ask`"]),
            "demo" => (&[client, "Numbers", &own], &[]),
            "queries" | "policies" | "health" | "load" => (&[client, contexts, &own], &[]),
            "coordinator" => (&["All programs that use NATS", "`coordinator`"], &[]),
            "worker" => (&["All programs that use NATS", "`worker`"], &[]),
            "dev" => (&[&own, "`coordinator`"], &["All programs that use NATS", "`worker`"]),
            _ => (&[&own], &[]),
        };
        let (told, perhaps) = (of(whole), of(part));
        let has = flags(subcommand);
        for (at, (flag, variable, said)) in told.iter().enumerate() {
            // The first table wins.
            if told[..at].iter().any(|(earlier, ..)| earlier == flag) {
                continue;
            }
            let found = has.iter().find(|has| has.0 == *flag);
            let (_, real, default) = found.unwrap_or_else(|| panic!("{name} has no {flag}"));
            assert_eq!(variable, real, "{flag} of {name}");
            assert!(is_default(said, default), "{flag} of {name} has the default {default:?}, not {said:?}");
        }
        for (flag, ..) in &has {
            let is_told = told.iter().chain(&perhaps).any(|told| told.0 == *flag);
            assert!(is_told, "{flag} of {name} is not in docs/operations.md");
        }
    }
    assert_eq!(subcommands, 18);
}

#[test]
fn the_table_of_exit_codes_is_that_of_the_programs() {
    let operations = read(workspace("docs/operations.md"));
    let (_, section) = operations.split_once("\n## Exit codes\n").expect("there is such a section");
    let section = section.split("\n## ").next().expect("a split has a first part");
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    let (mut quorate, mut server) = (Vec::new(), Vec::new());
    for row in cells {
        let code: u8 = row[1].parse().expect("a code");
        quorate.push((code, row[2].clone()));
        server.extend(Some((code, row[3].clone())).filter(|(_, meaning)| !meaning.is_empty()));
    }
    let owned = |codes: exit::Codes| -> Vec<_> {
        codes.list().iter().map(|(code, meaning)| (*code, (*meaning).to_owned())).collect()
    };
    assert_eq!((quorate, server), (owned(exit::QUORATE), owned(exit::SERVER)));
}

#[test]
fn every_flag_that_a_document_names_exists() {
    let quorate = QuorateArgs::command();
    let servers = [CoordinatorArgs::command(), WorkerArgs::command()];
    let known: BTreeSet<_> =
        servers.iter().chain(quorate.get_subcommands()).flat_map(flags).map(|flag| flag.0).collect();
    // The simulator has its own flags, which its own tests check.
    for document in documents().into_iter().filter(|document| !document.ends_with("simulation.md")) {
        let text = read(&document);
        for span in quoted(&prose(&text)).filter(|span| span.starts_with("--")) {
            let name = span.split([' ', '=']).next().unwrap_or_default();
            assert!(name == "--help" || known.contains(name), "{}: {span}", document.display());
        }
        // The command lines of our programs in shell blocks. A flag belongs to the program before it on its line.
        for block in blocks(&text).iter().filter(|block| block.fence == "sh") {
            for command in commands(&block.text) {
                let mut words = command.split_whitespace();
                let program = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
                if ["coordinator", "worker", "quorate"].contains(&program) {
                    for flag in words.filter(|word| word.starts_with("--")) {
                        assert!(known.contains(flag), "{}: {command}", document.display());
                    }
                }
            }
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for document in documents().into_iter().chain([workspace("CHANGELOG.md")]) {
        let text = prose(&read(&document));
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            links += 1;
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let folder = document.parent().expect("a document lies in a folder");
            let file = if path.is_empty() { document.clone() } else { folder.join(path) };
            assert!(file.exists(), "{} links to {target}", document.display());
            if !fragment.is_empty() {
                let linked = prose(&read(&file));
                let headings = linked.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(|heading| anchor(heading.trim_start_matches('#').trim()));
                assert!(anchors.any(|anchor| anchor == fragment), "{} links to {target}", document.display());
            }
        }
    }
    assert!(links > 20, "{links}");
}
