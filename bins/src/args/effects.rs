//! Flags without effect.
//!
//! A flag on the command line was typed for what it does. If the other flags leave it without effect, the command line
//! is refused. A variable is a default for many commands: one that has no effect is ignored, and a server logs that. If
//! a flag and a variable contradict each other, the flag wins.

use std::marker::PhantomData;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use tracing::warn;

/// A command some of whose flags have no effect with others, or without them.
pub trait Effects {
    /// The flags that may have no effect.
    const IDLE: &'static [Idle] = &[];
    /// The pairs of flags that contradict each other.
    const CONTRADICTIONS: &'static [Contradiction] = &[];
}

/// Some flags, and when they have no effect.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// The names of the flags, as fields.
    pub flags: &'static [&'static str],
    /// Whether the other flags leave them without effect. Sees the values from any origin.
    pub when: fn(&ArgMatches) -> bool,
    /// Why, after "has no effect".
    pub because: &'static str,
}

/// Two flags that contradict each other. If both are set, the first one counts.
#[derive(Clone, Copy, Debug)]
pub struct Contradiction {
    /// An optional one, and the other.
    pub flags: [&'static str; 2],
}

/// Refuses command lines with flags that have no effect. The first field of a command, because the fields after it take
/// their values away.
#[derive(Debug)]
pub struct Effective<T> {
    /// The variables that have no effect, with the reason.
    ignored: Vec<String>,
    command: PhantomData<fn() -> T>,
}

impl<T> Effective<T> {
    /// Logs which variables have no effect.
    pub fn warn(&self) {
        for ignored in &self.ignored {
            warn!("{ignored}; it is ignored");
        }
    }

    /// The variables that have no effect, each as a sentence.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

impl<T> Clone for Effective<T> {
    fn clone(&self) -> Self {
        Self { ignored: self.ignored.clone(), command: PhantomData }
    }
}

impl<T: Effects + Args> Args for Effective<T> {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl<T: Effects + Args> FromArgMatches for Effective<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let mut ignored = Vec::new();
        let names = Names(T::augment_args(Command::new("names")));
        for idle in T::IDLE.iter().filter(|idle| (idle.when)(matches)) {
            for flag in idle.flags {
                match matches.value_source(flag) {
                    Some(ValueSource::CommandLine) => {
                        let error = format!("{} has no effect {}", names.flag(flag), idle.because);
                        return Err(clap::Error::raw(ErrorKind::ArgumentConflict, error));
                    }
                    Some(ValueSource::EnvVariable) => {
                        ignored.push(format!("{} has no effect {}", names.variable(flag), idle.because));
                    }
                    _ => {}
                }
            }
        }
        for Contradiction { flags: [optional, other] } in T::CONTRADICTIONS {
            match (matches.value_source(optional), matches.value_source(other)) {
                (Some(ValueSource::CommandLine), Some(ValueSource::CommandLine)) => {
                    let error = format!("{} cannot be used with {}", names.flag(optional), names.flag(other));
                    return Err(clap::Error::raw(ErrorKind::ArgumentConflict, error));
                }
                (Some(ValueSource::EnvVariable), Some(ValueSource::CommandLine)) => {
                    matches.try_clear_id(optional).expect("the command has this flag");
                }
                _ => {}
            }
        }
        Ok(Self { ignored, command: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What users call the flags of a command.
struct Names(Command);

impl Names {
    fn argument(&self, flag: &str) -> &clap::Arg {
        let found = self.0.get_arguments().find(|arg| arg.get_id() == flag);
        found.unwrap_or_else(|| panic!("a rule names {flag}, which the command does not have"))
    }

    fn flag(&self, flag: &str) -> String {
        self.argument(flag).get_long().map_or_else(|| flag.to_uppercase(), |long| format!("--{long}"))
    }

    fn variable(&self, flag: &str) -> String {
        let variable = self.argument(flag).get_env().expect("it was set by its variable");
        variable.display().to_string()
    }
}

/// Whether a flag has a value, of any origin but its default.
pub(super) fn is_given(matches: &ArgMatches, flag: &str) -> bool {
    matches.value_source(flag).is_some_and(|source| source != ValueSource::DefaultValue)
}

/// Whether the value of a flag is one of these.
pub(super) fn is_one_of(matches: &ArgMatches, flag: &str, values: &[&str]) -> bool {
    let mut given = matches.get_raw(flag).into_iter().flatten();
    given.any(|given| values.iter().any(|value| given == *value))
}
