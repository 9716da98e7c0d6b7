//! The coordinator, one file per input, and two for what time does: deadlines and forgetting.

mod bus;
mod cancel;
mod drain;
mod memory;
mod presence;
mod result;
mod submit;
mod support;
mod timeout;
