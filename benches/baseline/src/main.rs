//! The baseline: the leanest honest programs that ask three workers over NATS and answer once.
//!
//! They speak the protocol of Quorate's programs, so that each can be put in the place of the other, and do what any
//! author would write in an hour. The coordinator has no deadline, no limit, no retry, no memory of what it answered and
//! no notion of who its workers are: it waits for three results, from any workers, and averages them as floats. The
//! worker answers every task with a number. With `--packed`, both put all that is ready at once into one message.
//! `make bench-baseline` measures Quorate against them.

mod scatter;
mod worker;

use std::future::ready;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use clap::{Args, Parser, Subcommand};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use scatter::{Answer, Scatter};

/// Where single tasks go.
const TASKS: &str = "oracle.tasks";
/// Where packs of tasks go.
const PACKS: &str = "baseline.tasks.packed";

/// The programs that Quorate is measured against. Not for use.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves POST /request.
    Coordinator {
        /// Where to serve.
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
        /// Threads that serve. On few processors, one is leaner.
        #[arg(long, default_value_t = 1)]
        threads: usize,
        #[command(flatten)]
        bus: Bus,
    },
    /// Serves GET /page: a body that is always the same, to measure `GET /feeds/{name}` against.
    Page {
        /// The file with the body.
        file: PathBuf,
        /// Where to serve.
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
    /// Answers tasks.
    Worker {
        /// Its name.
        #[arg(long)]
        id: String,
        #[command(flatten)]
        bus: Bus,
    },
}

#[derive(Args, Debug)]
struct Bus {
    /// The NATS server.
    #[arg(long, env = "NATS_URL", default_value = "nats://localhost:4222")]
    nats: String,
    /// Put all tasks, or all results, that are ready at once into one message.
    #[arg(long)]
    packed: bool,
}

#[derive(Deserialize)]
struct Question {
    query: String,
}

fn main() -> Result<(), async_nats::Error> {
    match Arguments::parse().command {
        Command::Coordinator { listen, threads, bus } => runtime(threads)?.block_on(async move {
            let scatter = Scatter::start(async_nats::connect(bus.nats).await?, bus.packed).await?;
            let router = Router::new().route("/request", post(ask)).with_state(scatter);
            axum::serve(TcpListener::bind(listen).await?, router).await?;
            Ok(())
        }),
        Command::Page { file, listen } => runtime(1)?.block_on(async move {
            let body = Bytes::from(std::fs::read(file)?);
            let page = move || ready(([(CONTENT_TYPE, "application/json")], body.clone()));
            axum::serve(TcpListener::bind(listen).await?, Router::new().route("/page", get(page))).await?;
            Ok(())
        }),
        // One thread is leaner for a program with one connection.
        Command::Worker { id, bus } => {
            runtime(1)?.block_on(async move { worker::run(async_nats::connect(bus.nats).await?, id, bus.packed).await })
        }
    }
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    if threads == 1 {
        Builder::new_current_thread().enable_all().build()
    } else {
        Builder::new_multi_thread().worker_threads(threads).enable_all().build()
    }
}

async fn ask(
    State(scatter): State<Arc<Scatter>>,
    Json(question): Json<Question>,
) -> Result<Json<Answer>, (StatusCode, String)> {
    let answer = scatter.ask(question.query).await;
    answer.map(Json).map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}
