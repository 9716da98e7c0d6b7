//! One publish per question or pack of questions, one inbox for all results, and a map between them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Client, Subject, Subscriber};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use crate::{PACKS, TASKS};

/// The number of results that make an answer.
const WORKERS: usize = 3;
/// The most tasks in a pack: with their queries, well below what a message may have.
const PACK: usize = 512;

#[derive(Serialize)]
struct Task {
    id: String,
    query: String,
}

#[derive(Serialize)]
struct Tasks<'a> {
    tasks: &'a [Task],
}

/// The result of a worker.
#[derive(Deserialize, Serialize)]
pub(crate) struct WorkerResponse {
    worker_id: String,
    request_id: String,
    value: f64,
    response_time: u64,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<WorkerResponse>,
}

/// The answer to a client.
#[derive(Serialize)]
pub(crate) struct Answer {
    request_id: String,
    final_value: f64,
    worker_responses: Vec<WorkerResponse>,
}

struct Waiting {
    responses: Vec<WorkerResponse>,
    done: oneshot::Sender<Vec<WorkerResponse>>,
}

/// Asks all workers, and hands each result to the question it answers.
pub(crate) struct Scatter {
    client: Client,
    inbox: Subject,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
    /// Where tasks wait to be packed, if they are.
    ready: Option<mpsc::UnboundedSender<Task>>,
}

impl Scatter {
    pub(crate) async fn start(client: Client, packed: bool) -> Result<Arc<Self>, async_nats::Error> {
        let inbox = Subject::from(client.new_inbox());
        let results = client.subscribe(inbox.clone()).await?;
        let ready = packed.then(|| {
            let (ready, tasks) = mpsc::unbounded_channel();
            tokio::spawn(pack(client.clone(), inbox.clone(), tasks));
            ready
        });
        let scatter = Arc::new(Self { client, inbox, next: AtomicU64::new(1), waiting: Mutex::default(), ready });
        tokio::spawn(Arc::clone(&scatter).collect(results, packed));
        Ok(scatter)
    }

    pub(crate) async fn ask(&self, query: String) -> Result<Answer, async_nats::Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = number.to_string();
        let task = Task { id: id.clone(), query };
        let (done, answered) = oneshot::channel();
        let waiting = Waiting { responses: Vec::with_capacity(WORKERS), done };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, waiting);
        if let Some(ready) = &self.ready {
            ready.send(task)?;
        } else {
            let body = serde_json::to_vec(&task)?;
            self.client.publish_with_reply(TASKS, self.inbox.clone(), body.into()).await?;
        }
        let responses = answered.await?;
        let sum: f64 = responses.iter().map(|response| response.value).sum();
        Ok(Answer { request_id: id, final_value: sum / responses.len() as f64, worker_responses: responses })
    }

    async fn collect(self: Arc<Self>, mut results: Subscriber, packed: bool) {
        while let Some(message) = results.next().await {
            if packed {
                let Ok(Results { results }) = serde_json::from_slice(&message.payload) else { continue };
                for response in results {
                    self.take(response);
                }
            } else if let Ok(response) = serde_json::from_slice(&message.payload) {
                self.take(response);
            }
        }
    }

    fn take(&self, response: WorkerResponse) {
        let Ok(number) = response.request_id.parse() else { return };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(question) = waiting.get_mut(&number) else { return };
        question.responses.push(response);
        if question.responses.len() == WORKERS
            && let Some(Waiting { responses, done }) = waiting.remove(&number)
        {
            // Fails only if the client has gone away.
            let _ = done.send(responses);
        }
    }
}

/// Publishes all tasks that are ready in one turn as one message.
async fn pack(
    client: Client,
    inbox: Subject,
    mut ready: mpsc::UnboundedReceiver<Task>,
) -> Result<(), async_nats::Error> {
    let mut tasks = Vec::with_capacity(PACK);
    while ready.recv_many(&mut tasks, PACK).await > 0 {
        // The first task is seldom alone.
        yield_now().await;
        while tasks.len() < PACK
            && let Ok(task) = ready.try_recv()
        {
            tasks.push(task);
        }
        let body = serde_json::to_vec(&Tasks { tasks: &tasks })?;
        client.publish_with_reply(PACKS, inbox.clone(), body.into()).await?;
        tasks.clear();
    }
    Ok(())
}
