//! The requests in flight: a slab, in which each is found by slot, by task or by id.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher};

use super::request::Request;
use crate::id::{RequestId, TaskId, Ticket};

/// Where a request in flight is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

/// SipHash keyed by the machine's seed: callers choose the ids, and must not be able to choose ids that collide. Maps
/// with it are looked up and never iterated, so the order of their entries does not matter.
#[derive(Clone, Debug)]
struct Keyed(u64);

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

#[derive(Debug)]
struct Place {
    /// Incremented for every request that is kept here, so that a [`TaskId`] names only one of them.
    generation: u32,
    request: Option<Request>,
}

/// The number of ended requests that may stay in `asked`, beyond the number of those in flight.
const SPARE: usize = 64;

/// The slot of a task in flight.
fn in_flight(places: &[Place], task: TaskId) -> Option<Slot> {
    let slot = Slot(task.0 as u32);
    let request = places.get(slot.0 as usize)?.request.as_ref()?;
    (request.task == task).then_some(slot)
}

/// The requests in flight.
#[derive(Debug)]
pub(super) struct Table {
    places: Vec<Place>,
    free: Vec<Slot>,
    by_id: HashMap<RequestId, Slot, Keyed>,
    by_ticket: HashMap<Ticket, Slot, Keyed>,
    /// The requests in flight in the order of their submission, with their numbers, and some that have ended since: see
    /// [`Table::asked_since`].
    asked: VecDeque<(u64, TaskId)>,
    /// The number of the next request.
    next: u64,
    /// What the requests in flight weigh.
    bytes: usize,
}

impl Table {
    pub(super) fn new(key: u64) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::with_hasher(Keyed(key)),
            by_ticket: HashMap::with_hasher(Keyed(key)),
            asked: VecDeque::new(),
            next: 0,
            bytes: 0,
        }
    }

    /// A key for a query or an id. The hash is keyed, so nobody can choose one that has the key of another one.
    pub(super) fn key_of(&self, it: &impl Hash) -> u64 {
        self.by_id.hasher().hash_one(it)
    }

    /// The number of requests in flight.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// The slot of the request in flight with this id.
    pub(super) fn find(&self, id: &RequestId) -> Option<Slot> {
        self.by_id.get(id).copied()
    }

    /// The slots of all requests in flight, in order.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let occupied = self.places.iter().zip(0..).filter(|(place, _)| place.request.is_some());
        occupied.map(|(_, index)| Slot(index)).collect()
    }

    /// Finds room for a request that `build` makes from its task.
    pub(super) fn insert(&mut self, build: impl FnOnce(TaskId) -> Request) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            let index = u32::try_from(self.places.len()).expect("the requests in flight are bounded far below 2^32");
            self.places.push(Place { generation: 0, request: None });
            Slot(index)
        });
        let place = &mut self.places[slot.0 as usize];
        assert!(place.request.is_none(), "a free slot must be empty");
        place.generation = place.generation.wrapping_add(1);
        let task = TaskId((u64::from(place.generation) << 32) | u64::from(slot.0));
        let request = build(task);
        self.by_id.insert(request.id.clone(), slot);
        for ticket in &request.tickets {
            self.by_ticket.insert(*ticket, slot);
        }
        self.bytes += request.bytes as usize;
        place.request = Some(request);
        self.asked.push_back((self.next, task));
        self.next += 1;
        if self.asked.len() > 2 * self.len() + SPARE {
            let (places, asked) = (&self.places, &mut self.asked);
            asked.retain(|(_, task)| in_flight(places, *task).is_some());
        }
        slot
    }

    /// What the requests in flight weigh, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds to the weight of a request in flight.
    pub(super) fn add_bytes(&mut self, slot: Slot, bytes: usize) {
        if let Some(request) = self.get_mut(slot) {
            request.bytes += request_weight(bytes);
            self.bytes += bytes;
        }
    }

    /// The number of requests that have ever been in flight, which is the number of the next one.
    pub(super) fn asked(&self) -> u64 {
        self.next
    }

    /// The slots, in order, of the requests in flight that have this number or a later one.
    pub(super) fn asked_since(&self, first: u64) -> Vec<Slot> {
        let begin = self.asked.partition_point(|(number, _)| *number < first);
        let mut slots: Vec<Slot> = self.asked.range(begin..).filter_map(|(_, task)| self.slot_of(*task)).collect();
        slots.sort_unstable();
        slots
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Request> {
        self.places.get(slot.0 as usize)?.request.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Request> {
        self.places.get_mut(slot.0 as usize)?.request.as_mut()
    }

    pub(super) fn slot_of(&self, task: TaskId) -> Option<Slot> {
        in_flight(&self.places, task)
    }

    /// Adds a caller to a request in flight. Returns the request's id.
    pub(super) fn join(&mut self, slot: Slot, ticket: Ticket) -> RequestId {
        self.by_ticket.insert(ticket, slot);
        let request = self.get_mut(slot).expect("a request in flight is in its slot");
        request.tickets.push(ticket);
        request.id.clone()
    }

    /// Removes a caller from its request. Returns the request's slot if that was its last caller.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Slot> {
        let slot = self.by_ticket.remove(&ticket)?;
        let request = self.get_mut(slot).expect("a ticket waits for a request in flight");
        request.tickets.retain(|waiting| *waiting != ticket);
        request.tickets.is_empty().then_some(slot)
    }

    /// Removes a request from those in flight.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Request> {
        let request = self.places.get_mut(slot.0 as usize)?.request.take()?;
        self.bytes -= request.bytes as usize;
        self.free.push(slot);
        self.by_id.remove(&request.id);
        for ticket in &request.tickets {
            self.by_ticket.remove(ticket);
        }
        Some(request)
    }
}

/// What a request weighs, in bytes: the number of its workers and the length of their texts are bounded far below 4 GiB.
pub(super) fn request_weight(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a request weighs far less than 4 GiB")
}
