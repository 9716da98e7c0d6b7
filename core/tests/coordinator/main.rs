//! The coordinator, one file per input; two for what time does, deadlines and forgetting; and two for what a request
//! asks for and its answer rests on, and one for the events that tell of all that.

mod bus;
mod cancel;
mod drain;
mod events;
mod judging;
mod memory;
mod policy;
mod presence;
mod result;
mod standing;
mod submit;
mod support;
mod timeout;
mod trust;
