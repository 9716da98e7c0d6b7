//! Tasks go out: once, again if somebody is silent, and sooner after an outage of the bus.

use super::Coordinator;
use super::event::Event;
use super::output::{Output, Task};
use super::table::Slot;

impl Coordinator {
    /// Publishes the task of a request, which may be packed unless some worker takes no packs or it is time to send one
    /// alone.
    pub(super) fn publish(&mut self, slot: Slot) {
        let may_be_packed = self.registry.takes_packs()
            && self.single_at.is_some_and(|at| self.now.since(at) < self.config.single_every);
        if !may_be_packed {
            self.single_at = Some(self.now);
        }
        let Some(request) = self.table.get(slot) else { return };
        self.outputs.push_back(Output::Publish(Task {
            id: request.task,
            request: request.id.clone(),
            query: request.query.clone(),
            ttl: request.deadline().since(self.now),
            attempt: request.attempts.into(),
            trace: request.trace,
            may_be_packed,
        }));
    }

    /// Publishes the task a second time if some worker is silent. While the bus is down, the redispatch waits.
    pub(super) fn redispatch(&mut self, slot: Slot) {
        let bus_up = self.bus_up;
        let Some(request) = self.table.get_mut(slot) else { return };
        request.redispatch_at = None;
        if !request.is_anyone_silent() {
            return;
        }
        if bus_up {
            request.attempts += 1;
            let (request, attempt) = (request.id.clone(), request.attempts.into());
            self.counters.redispatched += 1;
            self.publish(slot);
            self.emit(|| Event::Redispatched { request, attempt });
        } else {
            // Not before the bus is back; its return brings the redispatch forward.
            request.redispatch_at = Some(request.deadline());
        }
    }

    /// The bus is back. Messages published shortly before the outage may be lost, so the redispatch of each request in
    /// flight is brought forward, but leaves the workers time to reconnect.
    pub(super) fn bus_up(&mut self) {
        let outage = self.last_bus_down.is_some() && !self.bus_up;
        self.bus_up = true;
        self.call_workers_now();
        if !outage {
            return;
        }
        let now = self.now;
        for slot in self.table.slots() {
            let request = self.table.get_mut(slot).expect("an occupied slot");
            let soon = now.after(self.config.reconnect_grace.min(request.deadline().since(now) / 2));
            request.redispatch_at = request.redispatch_at.map(|_| soon);
            self.rearm(slot);
        }
    }
}
