//! What can be seen of a production program beside its machine and its messages: its bus, its maps, its traces.
//!
//! On the stage without a network, only the end of a pass can.

use quorate_core::trace::Trace;
use quorate_runtime::driver::Held;

/// One thing that can be seen there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The bus of the host is connected or not, after so many connections.
    Bus {
        /// Whether it can be published on.
        connected: bool,
        /// How many connections there have been.
        connections: u64,
    },
    /// The message that the host takes next was the one with this number of all that its bus was given.
    Arrived(u64),
    /// The message that the host sends or takes next belongs to this trace.
    Carries(Trace),
    /// The source of a worker is asked within this trace.
    Observes(Option<Trace>),
    /// The source of a worker says something of a query, for which this number stands.
    Reads(u64),
    /// All outputs of a pass are carried out. Beside the machine this is kept.
    PassEnded(Held),
}

/// The trace in which a question with this number is asked; every fourth is in none.
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

/// The header `traceparent` that says so.
pub(crate) fn traceparent(Trace(mark): Trace) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    format!("00-{}-{}-{}", hex(&mark[..16]), hex(&mark[16..24]), hex(&mark[24..]))
}

/// Reads that header, of version 00 only: nobody here writes another.
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
