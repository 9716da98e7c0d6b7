//! The baseline: the leanest honest program that asks three workers over NATS and answers once.
//!
//! It speaks the same protocol as the coordinator, to the same workers, and does what any author would write in an
//! hour. It has no deadline, no limit, no retry, no memory of what it answered and no notion of who its workers are: it
//! waits for three results, from any workers, and averages them as floats. `make bench-baseline` measures the
//! coordinator against it.

mod scatter;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clap::{Parser, Subcommand};
use serde::Deserialize;
use tokio::net::TcpListener;

use scatter::{Answer, Scatter};

/// The program the coordinator is measured against. Not for use.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves POST /request.
    Coordinator {
        /// The NATS server.
        #[arg(long, env = "NATS_URL", default_value = "nats://localhost:4222")]
        nats: String,
        /// Where to serve.
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
}

#[derive(Deserialize)]
struct Question {
    query: String,
}

#[tokio::main]
async fn main() -> Result<(), async_nats::Error> {
    let Command::Coordinator { nats, listen } = Arguments::parse().command;
    let scatter = Scatter::start(async_nats::connect(nats).await?).await?;
    let router = Router::new().route("/request", post(ask)).with_state(scatter);
    axum::serve(TcpListener::bind(listen).await?, router).await?;
    Ok(())
}

async fn ask(
    State(scatter): State<Arc<Scatter>>,
    Json(question): Json<Question>,
) -> Result<Json<Answer>, (StatusCode, String)> {
    let answer = scatter.ask(&question.query).await;
    answer.map(Json).map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}
