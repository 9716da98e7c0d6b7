//! How a program ends: what it says of an error, and its exit code.

use std::io;
use std::process::ExitCode;

use crate::client::ClientError;
use crate::render::clean;

/// An error that is not the coordinator's own.
const FAILED: u8 = 1;
/// The coordinator answered with an error.
const REFUSED: u8 = 3;

/// An error whose details were shown already; only the exit code is left to say.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Shown(pub ClientError);

/// Says on standard error what went wrong, in one sentence, and gives the exit code.
pub fn report(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.chain().any(is_closed_pipe) {
        // Whoever read the output has seen enough.
        return ExitCode::SUCCESS;
    }
    if !error.is::<Shown>() {
        eprintln!("error: {}", clean(&format!("{error:#}")));
    }
    ExitCode::from(code(&error))
}

fn code(error: &anyhow::Error) -> u8 {
    let refused = error.chain().any(|cause| {
        let shown = cause.downcast_ref::<Shown>().map(|shown| &shown.0);
        matches!(cause.downcast_ref::<ClientError>().or(shown), Some(ClientError::Refused(_)))
    });
    if refused { REFUSED } else { FAILED }
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
