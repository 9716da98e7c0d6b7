//! `quorate context`: the coordinators that the user has named.

use serde::Serialize;

use super::print;
use crate::args::{AddContextArgs, ContextArgs, ContextCommand};
use crate::config::{self, Config, ConfigError, EditError, Settings};
use crate::exit::Unusable;
use crate::render::{self, Paint};

/// Adds, lists, selects, removes or shows contexts.
///
/// # Errors
/// A configuration file that cannot be used or written, and a context that there is not.
pub fn context(args: ContextArgs) -> anyhow::Result<()> {
    match args.command {
        ContextCommand::Add(args) => add(args),
        ContextCommand::Select(args) => {
            config::select(args.name.as_deref()).map_err(told)?;
            match args.name {
                Some(name) => print(&format!("selected {name}")),
                None => print("no context is selected any more"),
            }
        }
        ContextCommand::Rm(args) => {
            config::remove(&args.name).map_err(told)?;
            print(&format!("removed {}", args.name))
        }
        ContextCommand::Ls(args) => {
            let config = Config::load().map_err(Unusable::mark)?;
            if args.output.json {
                let contexts = config.contexts.iter();
                let contexts: Vec<_> = contexts.map(|(name, own)| Listed::new(&config, name, own)).collect();
                return print(&serde_json::json!({ "contexts": contexts }).to_string());
            }
            print(&render::contexts(&config, Paint::for_stdout()))
        }
        ContextCommand::Show(args) => {
            let config = Config::load().map_err(Unusable::mark)?;
            let name = args.name.as_deref().or(config.selected.as_deref());
            let settings = config.settings(name)?;
            if args.output.json {
                let listed = name.map(|name| Listed::new(&config, name, &settings));
                let file = config::path().map(|path| path.display().to_string());
                return print(&serde_json::json!({ "context": listed, "file": file }).to_string());
            }
            print(&render::context(name, &settings, config::path().as_deref()))
        }
    }
}

fn add(args: AddContextArgs) -> anyhow::Result<()> {
    let AddContextArgs { name, url, output, description, replace } = args;
    config::add(&name, &Settings { url: Some(url), output, description }, replace).map_err(told)?;
    print(&format!("added {name}; use it with --context {name}, or select it with: quorate context select {name}"))
}

/// The error of a change. A file that cannot be used as it is has to be corrected first.
fn told(error: EditError) -> anyhow::Error {
    match error {
        EditError::Config(ConfigError::UnknownContext { .. }) => error.into(),
        EditError::Config(unusable) => Unusable::mark(unusable),
        error => error.into(),
    }
}

/// A context as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    selected: bool,
    url: Option<&'a str>,
    output: Option<&'static str>,
    description: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn new(config: &Config, name: &'a str, settings: &'a Settings) -> Self {
        let Settings { url, output, description } = settings;
        Self {
            name,
            selected: config.selected.as_deref() == Some(name),
            url: url.as_ref().map(reqwest::Url::as_str),
            output: output.map(config::Output::name),
            description: description.as_deref(),
        }
    }
}
