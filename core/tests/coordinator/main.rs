//! The coordinator: one file per kind of input, two for what time does (deadlines, forgetting), three for what a
//! request asks for, what its answer rests on, and when that was, two for the records and scores of workers, three for
//! which workers are expected and waited for, one for what may be packed, and one for events.

mod bus;
mod cancel;
mod drain;
mod events;
mod expected;
mod judging;
mod memory;
mod offers;
mod packs;
mod policy;
mod presence;
mod result;
mod standing;
mod submit;
mod support;
mod suspects;
mod timeout;
mod trust;
mod wall_clock;
