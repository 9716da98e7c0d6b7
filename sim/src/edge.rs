//! What can be observed of a production program besides its machine and its messages: its bus, its maps, its traces.
//!
//! The stage without a network reports only the end of a pass.

use quorate_core::trace::Trace;
use quorate_runtime::driver::Held;

/// One observation at the edge of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The host's bus has connected or disconnected.
    Bus {
        /// Whether it accepts messages.
        connected: bool,
        /// The number of connections made so far.
        connections: u64,
    },
    /// The next message that the host takes was the one with this number, counting all that reached its bus.
    Arrived(u64),
    /// The next message that the host sends or takes belongs to this trace.
    Carries(Trace),
    /// A worker's source is queried within this trace.
    Observes(Option<Trace>),
    /// A worker's source has returned a reading or failed; the number is a hash of the query and what it returned.
    Reads(u64),
    /// The driver has carried out all outputs of a pass. This is what it still keeps outside its machine.
    PassEnded(Held),
}

/// The trace of the question with this number; every fourth question has none.
pub(crate) fn trace_of(number: u32) -> Option<Trace> {
    if number % 4 == 3 {
        return None;
    }
    let mut mark = [0; 25];
    mark[..12].copy_from_slice(b"a client's q");
    mark[12..16].copy_from_slice(&number.to_be_bytes());
    mark[20..24].copy_from_slice(&(number + 1).to_be_bytes());
    mark[24] = u8::from(number.is_multiple_of(2));
    Some(Trace(mark))
}

/// The `traceparent` header of a trace.
pub(crate) fn traceparent(Trace(mark): Trace) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    format!("00-{}-{}-{}", hex(&mark[..16]), hex(&mark[16..24]), hex(&mark[24..]))
}

/// Parses a `traceparent` header of version 00, the only one that is written here.
pub(crate) fn of_traceparent(text: &str) -> Option<Trace> {
    let fields: Vec<&str> = text.split('-').collect();
    let ["00", trace, span, flags] = fields[..] else { return None };
    let digits: String = [trace, span, flags].concat();
    if (trace.len(), span.len(), digits.len()) != (32, 16, 50) || !digits.is_ascii() {
        return None;
    }
    let mut mark = [0; 25];
    for (byte, at) in mark.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(Trace(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_reads_back_and_each_question_has_its_own() {
        let traces: Vec<Trace> = (0..100).filter_map(trace_of).collect();
        assert_eq!(traces.len(), 75);
        assert!(traces.iter().all(|trace| of_traceparent(&traceparent(*trace)) == Some(*trace)));
        assert!(traces.windows(2).all(|pair| pair[0] != pair[1]));
        let text = "00-6120636c69656e74277320710000000a-000000000000000b-01";
        assert_eq!(trace_of(10).map(traceparent).as_deref(), Some(text));
        for bad in ["", "01-6120636c69656e74277320710000000a-000000000000000b-01", "00-zz-00-01", &text[1..]] {
            assert_eq!(of_traceparent(bad), None, "{bad}");
        }
    }
}
