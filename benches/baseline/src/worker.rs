//! Subscribes, decodes, encodes, publishes.

use std::time::Duration;

use async_nats::{Client, Subject};
use futures_util::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::time;

use crate::{PACKS, TASKS};

/// Where Quorate's coordinator looks for workers.
const PRESENCE: &str = "oracle.workers";
const ANNOUNCE_EVERY: Duration = Duration::from_secs(2);
/// What it answers.
const VALUE: f64 = 42_000.25;

#[derive(Deserialize)]
struct Task<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
struct Tasks<'a> {
    #[serde(borrow)]
    tasks: Vec<Task<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    worker_id: &'a str,
    request_id: &'a str,
    value: f64,
    response_time: u64,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Output<'a>>,
}

/// Answers every task until the connection ends.
pub(crate) async fn run(client: Client, id: String, packed: bool) -> Result<(), async_nats::Error> {
    let mut tasks = client.subscribe(if packed { PACKS } else { TASKS }).await?;
    tokio::spawn(announce(client.clone(), format!(r#"{{"worker_id":"{id}","state":"live"}}"#)));
    while let Some(first) = tasks.next().await {
        let Some(reply) = first.reply.clone() else { continue };
        if !packed {
            let task = serde_json::from_slice(&first.payload)?;
            client.publish(reply, serde_json::to_vec(&response(&id, &task))?.into()).await?;
            continue;
        }
        // All packs that are ready come from one coordinator.
        let mut packs = vec![first];
        while let Some(Some(pack)) = tasks.next().now_or_never() {
            packs.push(pack);
        }
        let mut results = Vec::new();
        for pack in &packs {
            let Tasks { tasks } = serde_json::from_slice(&pack.payload)?;
            results.extend(tasks.iter().map(|task| response(&id, task)));
        }
        publish(&client, reply, &Results { results }).await?;
    }
    Ok(())
}

fn response<'a>(worker_id: &'a str, task: &Task<'a>) -> Output<'a> {
    Output { worker_id, request_id: task.id, value: VALUE, response_time: 1 }
}

async fn publish(client: &Client, reply: Subject, results: &Results<'_>) -> Result<(), async_nats::Error> {
    client.publish(reply, serde_json::to_vec(results)?.into()).await?;
    Ok(())
}

async fn announce(client: Client, body: String) {
    let mut every = time::interval(ANNOUNCE_EVERY);
    loop {
        every.tick().await;
        if client.publish(PRESENCE, body.clone().into()).await.is_err() {
            return;
        }
    }
}
