//! A client's trace reaches the tasks, sources and results of its request, and no other trace does.
//!
//! The machines carry traces without reading them. This checker judges the headers that programs write and read.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::coordinator::{self, Input};
use quorate_core::id::RequestId;
use quorate_core::trace::Trace;
use quorate_core::worker::{self, JobId};

use crate::checkers::hosts::PerHost;
use crate::checkers::{Checker, Context};
use crate::edge::{Edge, trace_of};
use crate::event::{Body, Event, Message, Question, Task, What, WorkerResult};
use crate::host::Host;
use crate::scenario::FaultKind;

/// The traces on their way within one host.
#[derive(Debug, Default)]
struct Process {
    /// The trace of the message that is sent or taken next.
    carried: Option<Trace>,
    /// The requests and traces of the tasks and results that the machine has put out and the driver has not sent, in
    /// order.
    meant: Vec<(RequestId, Option<Trace>)>,
    /// The traces of the tasks that a worker's machine has not received yet, in order.
    tasks: VecDeque<Option<Trace>>,
    /// The traces of the jobs whose sources have not been asked yet.
    asked: Vec<Option<Trace>>,
    jobs: BTreeMap<JobId, Option<Trace>>,
}

#[derive(Debug)]
pub(crate) struct Traces {
    processes: PerHost<Process>,
    /// Workers that may send other results than their machines put out.
    mischievous: Vec<Host>,
    /// Whether any client has asked. A test without clients reports no questions.
    has_clients: bool,
    /// The questions by trace, each until its coordinator's machine receives it.
    asked: BTreeMap<(Host, [u8; 25]), Question>,
    /// The number of questions without a trace that each coordinator's machine has not received yet.
    untraced: BTreeMap<Host, u32>,
}

pub(crate) fn new(context: &Context<'_>) -> Traces {
    let mischievous = context.scenario.faults.iter().filter_map(|fault| match fault.kind {
        FaultKind::Mischief(host, ..) => Some(host),
        _ => None,
    });
    Traces {
        processes: PerHost::new(),
        mischievous: mischievous.collect(),
        has_clients: false,
        asked: BTreeMap::new(),
        untraced: BTreeMap::new(),
    }
}

impl Traces {
    fn asks(&mut self, asked: &Question) {
        self.has_clients = true;
        match trace_of(asked.number) {
            Some(Trace(mark)) => drop(self.asked.insert((asked.coordinator, mark), asked.clone())),
            None => *self.untraced.entry(asked.coordinator).or_default() += 1,
        }
    }

    fn submitted(&mut self, host: Host, submit: &coordinator::Submit) -> Result<(), String> {
        if !self.has_clients {
            return Ok(());
        }
        let Some(trace) = submit.trace else {
            let untraced = self.untraced.entry(host).or_default();
            *untraced = untraced.checked_sub(1).ok_or_else(|| format!("{host} lost the trace of {submit:?}"))?;
            return Ok(());
        };
        let asked = self.asked.remove(&(host, trace.0));
        let same = |asked: &Question| {
            asked.request.query_text() == submit.query.as_str()
                && asked.request.id_text().as_deref() == submit.id.as_ref().map(RequestId::as_str)
        };
        if asked.as_ref().is_some_and(same) {
            Ok(())
        } else {
            Err(format!("{host}'s machine received {submit:?}, but the question of that trace is {asked:?}"))
        }
    }

    fn sends(&mut self, host: Host, message: &Message) -> Result<(), String> {
        let is_mischievous = self.mischievous.contains(&host);
        let Some(process) = self.processes.get(host) else { return Ok(()) };
        let carried = process.carried.take();
        if is_mischievous {
            return Ok(());
        }
        match process.next_meant(&message.body) {
            Some((_, meant)) if meant != carried => {
                Err(format!("{host} sent {message:?} in the trace {carried:?} instead of {meant:?}"))
            }
            _ => Ok(()),
        }
    }
}

impl Process {
    /// The task or result that is sent. Packed ones go out after others of the same pass.
    fn next_meant(&mut self, body: &Body) -> Option<(RequestId, Option<Trace>)> {
        let (Body::Task(Task { request, .. }) | Body::Result(WorkerResult { request, .. })) = body else { return None };
        let place = self.meant.iter().position(|(meant, _)| meant == request)?;
        Some(self.meant.remove(place))
    }

    fn told(&mut self, host: Host, input: &worker::Input) -> Result<(), String> {
        match input {
            worker::Input::Task(task) => {
                let received = self.tasks.pop_front().flatten();
                if received != task.trace {
                    return Err(format!(
                        "{host} received a task in the trace {received:?}, but its machine received {task:?}"
                    ));
                }
            }
            worker::Input::Done { job, trace, .. } => {
                if let Some(meant) = self.jobs.remove(job)
                    && meant != *trace
                {
                    return Err(format!("{host} ended job {} in the trace {trace:?} instead of {meant:?}", job.0));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn wants(&mut self, output: &worker::Output) {
        match output {
            worker::Output::Start { job, trace, .. } => {
                self.jobs.insert(*job, *trace);
                self.asked.push(*trace);
            }
            worker::Output::Answer(answer) => self.meant.push((answer.request.clone(), answer.trace)),
            _ => {}
        }
    }

    fn observes(&mut self, host: Host, trace: Option<Trace>) -> Result<(), String> {
        match self.asked.iter().position(|asked| *asked == trace) {
            Some(place) => {
                self.asked.swap_remove(place);
                Ok(())
            }
            None => Err(format!("the source of {host} was asked in the trace {trace:?}, but no job has it")),
        }
    }
}

impl Checker for Traces {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let host = event.host;
        match event.what {
            What::Asked(asked) => {
                self.asks(asked);
                return Ok(());
            }
            What::CoordinatorInput(_, Input::Submit(submit)) => return self.submitted(host, submit),
            What::Sent(message) => return self.sends(host, message),
            _ => {}
        }
        let Some(process) = self.processes.get(host) else { return Ok(()) };
        match event.what {
            What::Edge(Edge::Carries(trace)) => process.carried = Some(trace),
            What::Edge(Edge::Observes(trace)) => return process.observes(host, trace),
            What::CoordinatorOutput(_, coordinator::Output::Publish(task)) => {
                process.meant.push((task.request.clone(), task.trace));
            }
            What::Unsent(message, _) => {
                process.carried = None;
                process.next_meant(&message.body);
            }
            What::Edge(Edge::PassEnded(_)) => process.meant.clear(),
            What::Received(message) => {
                let carried = process.carried.take();
                if matches!((host, &message.body), (Host::Worker(_), Body::Task(_))) {
                    process.tasks.push_back(carried);
                }
            }
            What::WorkerInput(_, input) => return process.told(host, input),
            What::WorkerOutput(_, output) => process.wants(output),
            What::Started { .. } | What::Crashed => *process = Process::default(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_core::coordinator::Submit;
    use quorate_core::id::Ticket;
    use quorate_core::policy::Overrides;
    use quorate_core::time::Timestamp;

    use super::*;
    use crate::Depth;
    use crate::checkers::testing::inputs::{query, request, request_id};
    use crate::checkers::testing::rig::{COORDINATOR, WORKER};
    use crate::event::Task;
    use crate::scenario::{Request, Scenario};

    fn traces() -> Traces {
        new(&Context { scenario: &Scenario::quiet(), depth: Depth::Network })
    }

    fn tell(traces: &mut Traces, host: Host, what: What<'_>) -> Result<(), String> {
        traces.event(&Event { at: 0, host, what })
    }

    fn ask(traces: &mut Traces, number: u32, told: Option<Trace>) -> Result<(), String> {
        let request = Request { id: None, ..request() };
        let asked = Question { number, coordinator: COORDINATOR, place: None, request };
        tell(traces, Host::Client(1), What::Asked(&asked))?;
        submit(traces, told)
    }

    fn submit(traces: &mut Traces, trace: Option<Trace>) -> Result<(), String> {
        let submit = Submit { ticket: Ticket(1), id: None, query: query(), overrides: Overrides::default(), trace };
        tell(traces, COORDINATOR, What::CoordinatorInput(Timestamp::ZERO, &Input::Submit(submit)))
    }

    /// A worker takes a task in the trace `carried`, and its machine receives it in `told`.
    fn take(traces: &mut Traces, carried: Option<Trace>, told: Option<Trace>) -> Result<(), String> {
        let (request, query, ttl) = (request_id(1), query(), Duration::from_secs(1));
        if let Some(trace) = carried {
            tell(traces, WORKER, What::Edge(Edge::Carries(trace)))?;
        }
        let body = Body::Task(Task { request: request.clone(), query: query.clone(), ttl, attempt: 1, packed: None });
        let message = Message { subject: "oracle.tasks".into(), reply: None, body };
        tell(traces, WORKER, What::Received(&message))?;
        let task = worker::Task { request, query, ttl: Some(ttl), reply: worker::ReplyTo::Shared, trace: told };
        tell(traces, WORKER, What::WorkerInput(Timestamp::ZERO, &worker::Input::Task(task)))
    }

    #[test]
    fn a_trace_that_is_passed_on_is_fine_and_so_is_no_trace() {
        let mut traces = traces();
        assert_eq!(ask(&mut traces, 4, trace_of(4)), Ok(()));
        assert_eq!(ask(&mut traces, 3, None), Ok(()));
        assert_eq!(take(&mut traces, trace_of(4), trace_of(4)), Ok(()));
        assert_eq!(take(&mut traces, None, None), Ok(()));
    }

    #[test]
    fn a_question_that_is_submitted_twice_is_found() {
        let mut traces = traces();
        assert_eq!(ask(&mut traces, 4, trace_of(4)), Ok(()));
        assert!(submit(&mut traces, trace_of(4)).is_err());
    }

    #[test]
    fn a_lost_or_invented_trace_is_found() {
        assert!(ask(&mut traces(), 4, None).is_err());
        assert!(ask(&mut traces(), 4, trace_of(8)).is_err());
        assert!(ask(&mut traces(), 3, trace_of(8)).is_err());
        assert!(take(&mut traces(), trace_of(4), None).is_err());
        assert!(take(&mut traces(), None, trace_of(4)).is_err());
        assert!(tell(&mut traces(), WORKER, What::Edge(Edge::Observes(trace_of(4)))).is_err());
    }
}
