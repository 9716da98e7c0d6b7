//! Makes the configuration the defaults of flags.

use clap::{ArgMatches, Command};

use super::{Config, ConfigError, Output, Settings};

/// The id of the flag that names a context. A subcommand that has it asks a coordinator.
const CONTEXT: &str = "context";

/// The command with the values of the configuration as its defaults, if the command line asks a coordinator. `matches` is
/// what the command line means without a configuration.
///
/// # Errors
/// A configuration that cannot be used, or a context that there is not.
pub fn apply(command: Command, matches: &ArgMatches) -> Result<Command, ConfigError> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(command) };
    let Ok(context) = matches.try_get_one::<String>(CONTEXT) else {
        // It may be a command of commands.
        let Some(inner) = command.find_subcommand(name).cloned() else { return Ok(command) };
        let inner = apply(inner, matches)?;
        return Ok(command.mut_subcommand(name, |_| inner));
    };
    let Settings { url, output, .. } = Config::load()?.settings(context.map(String::as_str))?;
    Ok(command.mut_subcommand(name, |mut subcommand| {
        if let Some(url) = url {
            subcommand = subcommand.mut_arg("url", |flag| flag.default_value(url.to_string()));
        }
        if output == Some(Output::Json) {
            subcommand = subcommand.mut_arg("json", |flag| flag.default_value("true"));
        }
        subcommand
    }))
}
