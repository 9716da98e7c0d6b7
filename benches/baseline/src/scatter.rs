//! One publish per question, one inbox for all results, and a map between them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Client, Subject, Subscriber};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Where the workers listen.
const TASKS: &str = "oracle.tasks";
/// The number of results that make an answer.
const WORKERS: usize = 3;

#[derive(Serialize)]
struct Task<'a> {
    id: &'a str,
    query: &'a str,
}

/// The result of a worker.
#[derive(Deserialize, Serialize)]
pub(crate) struct WorkerResponse {
    worker_id: String,
    request_id: String,
    value: f64,
    response_time: u64,
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
}

impl Scatter {
    pub(crate) async fn start(client: Client) -> Result<Arc<Self>, async_nats::Error> {
        let inbox = Subject::from(client.new_inbox());
        let results = client.subscribe(inbox.clone()).await?;
        let scatter = Arc::new(Self { client, inbox, next: AtomicU64::new(1), waiting: Mutex::default() });
        tokio::spawn(Arc::clone(&scatter).collect(results));
        Ok(scatter)
    }

    pub(crate) async fn ask(&self, query: &str) -> Result<Answer, async_nats::Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = number.to_string();
        let task = serde_json::to_vec(&Task { id: &id, query })?;
        let (done, answered) = oneshot::channel();
        let waiting = Waiting { responses: Vec::with_capacity(WORKERS), done };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, waiting);
        self.client.publish_with_reply(TASKS, self.inbox.clone(), task.into()).await?;
        let responses = answered.await?;
        let sum: f64 = responses.iter().map(|response| response.value).sum();
        Ok(Answer { request_id: id, final_value: sum / responses.len() as f64, worker_responses: responses })
    }

    async fn collect(self: Arc<Self>, mut results: Subscriber) {
        while let Some(message) = results.next().await {
            let Ok(response) = serde_json::from_slice::<WorkerResponse>(&message.payload) else { continue };
            let Ok(number) = response.request_id.parse() else { continue };
            self.take(number, response);
        }
    }

    fn take(&self, number: u64, response: WorkerResponse) {
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
