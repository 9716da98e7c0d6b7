//! Completions and manual pages, generated from the command lines so that they are never out of date.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use clap::CommandFactory;
use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};

use crate::args::{CompletionsArgs, CoordinatorArgs, ManArgs, Program, QuorateArgs, WorkerArgs};
use crate::exit::{self, Codes};

/// What a manual page says about the environment, besides the variables of the flags.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("QUORATE_CLI_CONFIG", "the configuration file of the commands that ask a coordinator"),
    ("NO_COLOR", "if set and not empty, turns colours off"),
    ("CLICOLOR_FORCE", "if set and not empty, turns colours on even without a terminal"),
    ("CLICOLOR", "if 0, turns colours off"),
    ("TERM", "if dumb or not set, turns colours and updates in place off"),
    ("LC_ALL, LC_CTYPE, LANG", "the first one that is set determines whether drawings may use characters beyond ASCII"),
];

/// The subcommands that are servers.
const SERVERS: [&str; 2] = ["coordinator", "worker"];

/// A manual page.
struct Page {
    name: String,
    command: clap::Command,
    codes: Codes,
}

/// Prints the script that completes a program's command lines.
///
/// # Errors
/// Those of writing.
pub fn completions(args: CompletionsArgs) -> anyhow::Result<()> {
    let mut command = match args.program {
        Program::Quorate => QuorateArgs::command(),
        Program::Coordinator => CoordinatorArgs::command(),
        Program::Worker => WorkerArgs::command(),
    };
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let mut out = io::stdout().lock();
    out.write_all(&script)?;
    Ok(out.flush()?)
}

/// Prints a manual page, or writes all of them into a directory.
///
/// # Errors
/// An unknown page, and errors of writing.
pub fn man(args: &ManArgs) -> anyhow::Result<()> {
    let pages = pages();
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).with_context(|| format!("cannot create the directory {}", dir.display()))?;
        return pages.iter().try_for_each(|page| page.write(dir));
    }
    let Some(page) = pages.iter().find(|page| page.name == args.page) else {
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        bail!("there is no page {}; the pages are: {}", args.page, names.join(", "));
    };
    let mut out = io::stdout().lock();
    out.write_all(&page.render()?)?;
    Ok(out.flush()?)
}

/// The pages of all programs and subcommands.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for (mut command, codes) in [
        (QuorateArgs::command(), exit::QUORATE),
        (CoordinatorArgs::command(), exit::SERVER),
        (WorkerArgs::command(), exit::SERVER),
    ] {
        command = command.disable_help_subcommand(true);
        command.build();
        let program = command.get_name().to_owned();
        add_pages(&mut pages, &program, command, codes);
    }
    pages
}

/// Adds the page of a command, and those of its subcommands.
fn add_pages(pages: &mut Vec<Page>, name: &str, command: clap::Command, codes: Codes) {
    let subcommands: Vec<_> = command.get_subcommands().cloned().collect();
    pages.push(Page { name: name.to_owned(), command, codes });
    for subcommand in subcommands {
        let codes = if SERVERS.contains(&subcommand.get_name()) { exit::SERVER } else { codes };
        let name = format!("{name}-{}", subcommand.get_name());
        add_pages(pages, &name, subcommand, codes);
    }
}

impl Page {
    fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let file = dir.join(format!("{}.1", self.name));
        fs::write(&file, self.render()?).with_context(|| format!("cannot write {}", file.display()))
    }

    fn render(&self) -> io::Result<Vec<u8>> {
        let mut page = Vec::new();
        let man = Man::new(self.command.clone()).title(&self.name).manual("Quorate").source(version());
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        if self.command.has_subcommands() {
            man.render_subcommands_section(&mut page)?;
        }
        let mut rest = Roff::new();
        rest.control("SH", ["EXIT STATUS"]);
        for (code, meaning) in self.codes.list() {
            entry(&mut rest, &code.to_string(), meaning);
        }
        rest.control("SH", ["ENVIRONMENT"]);
        rest.text([roman(
            "Every flag can also be set with the variable that is named with it. The flag takes precedence.",
        )]);
        for (name, meaning) in ENVIRONMENT {
            entry(&mut rest, name, meaning);
        }
        rest.to_writer(&mut page)?;
        Ok(page)
    }
}

/// A term and its explanation.
fn entry(page: &mut Roff, term: &str, meaning: &str) {
    page.control("TP", []);
    page.text([bold(term)]);
    page.text([Inline::from(meaning)]);
}

fn version() -> String {
    format!("quorate {}", env!("CARGO_PKG_VERSION"))
}
