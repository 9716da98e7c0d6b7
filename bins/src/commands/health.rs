//! `quorate health`: whether a coordinator is alive or ready, as an exit code. Container runtimes use it where there is
//! neither a shell nor curl.

use super::{client, print};
use crate::args::HealthArgs;
use crate::render;

/// Checks whether the coordinator is alive, or with `--ready` whether it can answer a question now, and which policies
/// lack workers.
///
/// # Errors
/// No answer, or the reason why it is not ready.
pub async fn health(args: HealthArgs) -> anyhow::Result<()> {
    let client = client(&args.server.url)?;
    let (said, json) = if args.ready {
        let ready = client.ready().await?;
        (render::readiness(&ready.body), ready.json)
    } else {
        let health = client.health().await?;
        let nats = match health.body.nats {
            Some(true) => "; connected to NATS",
            Some(false) => "; not connected to NATS",
            None => "",
        };
        (render::clean(&format!("{}{nats}", health.body.status)), health.json)
    };
    print(&if args.server.output.json { render::json(&json) } else { said })
}
