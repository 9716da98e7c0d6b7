//! The contexts of the configuration file.

use std::path::Path;

use super::{Align, Cell, Paint, Table, Tone, clean};
use crate::config::{Config, Settings};

/// What a context does not say.
const UNSET: &str = "-";

/// A line for each context.
pub fn contexts(config: &Config, paint: Paint) -> String {
    if config.contexts.is_empty() {
        return "There is no context. Add one with: quorate context add NAME --url URL\n".to_owned();
    }
    let left = Align::Left;
    let mut table = Table::new([("", left), ("context", left), ("url", left), ("output", left), ("description", left)]);
    for (name, Settings { url, output, description }) in &config.contexts {
        let is_selected = config.selected.as_ref() == Some(name);
        table.row([
            Cell::new(if is_selected { "*" } else { "" }, Tone::Strong),
            Cell::new(name, if is_selected { Tone::Strong } else { Tone::Plain }),
            url.as_ref().map_or(UNSET, |url| url.as_str()).into(),
            output.map_or(UNSET, |output| output.name()).into(),
            description.as_deref().unwrap_or_default().into(),
        ]);
    }
    table.draw(paint)
}

/// What is in force with a context.
pub fn context(name: Option<&str>, settings: &Settings, file: Option<&Path>) -> String {
    let Settings { url, output, description } = settings;
    let file = file.map(|file| file.display().to_string());
    let lines = [
        ("context", name.unwrap_or("none is selected").to_owned()),
        ("url", url.as_ref().map_or(UNSET, |url| url.as_str()).to_owned()),
        ("output", output.map_or(UNSET, |output| output.name()).to_owned()),
        ("description", description.clone().unwrap_or_else(|| UNSET.to_owned())),
        ("file", file.unwrap_or_else(|| UNSET.to_owned())),
    ];
    lines.map(|(name, value)| format!("{:<13}{}\n", format!("{name}:"), clean(&value))).concat()
}
