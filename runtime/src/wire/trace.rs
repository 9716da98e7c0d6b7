//! The trace that a message belongs to: the header `traceparent` of W3C Trace Context, over HTTP and over NATS alike.
//!
//! `tracestate` is not passed on. The specification allows that, and keeping it would make the state of a request many
//! times as large.

use std::fmt;
use std::str::FromStr;

use quorate_core::trace::Trace;
use serde::{Serialize, Serializer};

use crate::bus::Headers;

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// The flag that says that the caller records the trace.
const SAMPLED: u8 = 1;
/// The flags that the specification defines: sampled, and that the trace id is random.
const KNOWN_FLAGS: u8 = SAMPLED | 2;
/// The length of version 00 in characters. Later versions have at least as many.
const LENGTH: usize = 55;

/// The id of a trace; never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// The id of a span; never all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

macro_rules! id {
    ($id:ty, $bytes:literal) => {
        impl $id {
            /// `None` if all bytes are zero, which is not a valid id.
            pub fn new(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// Its bytes.
            pub fn bytes(self) -> [u8; $bytes] {
                self.0
            }
        }
    };
}

id!(TraceId, 16);
id!(SpanId, 8);

/// A trace context: the content of `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span of the sender.
    pub span: SpanId,
    flags: u8,
}

/// The text is not a `traceparent`. Its receiver goes on as if it had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent of W3C Trace Context")]
pub struct NotATraceparent;

impl TraceContext {
    /// A context with these ids. `sampled` says whether the trace is recorded.
    pub fn new(trace: TraceId, span: SpanId, sampled: bool) -> Self {
        Self { trace, span, flags: if sampled { SAMPLED } else { 0 } }
    }

    /// The same trace with another span.
    #[must_use]
    pub fn with_span(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// Whether the trace is recorded.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The context in the headers of an HTTP request. A header that occurs twice is ignored.
    pub fn of_http(headers: &http::HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        value.to_str().ok()?.parse().ok()
    }

    /// The context in the headers of a message. A header that occurs twice is ignored.
    pub fn of_message(headers: &Headers) -> Option<Self> {
        headers.sole(TRACEPARENT)?.parse().ok()
    }

    /// The headers of a message with this context.
    pub fn headers(self) -> Headers {
        Headers::new([(TRACEPARENT, self.to_string().as_str())])
    }

    /// The context in the form that the machines carry.
    pub fn mark(self) -> Trace {
        let mut mark = [0; 25];
        mark[..16].copy_from_slice(&self.trace.0);
        mark[16..24].copy_from_slice(&self.span.0);
        mark[24] = self.flags;
        Trace(mark)
    }

    /// The context that [`mark`](Self::mark) was made from; `None` for any other mark.
    pub fn of_mark(Trace(mark): Trace) -> Option<Self> {
        let (trace, rest) = mark.split_first_chunk()?;
        let (span, flags) = rest.split_first_chunk()?;
        Some(Self { trace: TraceId::new(*trace)?, span: SpanId::new(*span)?, flags: flags[0] & KNOWN_FLAGS })
    }
}

/// The headers of a message with this mark; none without a mark.
pub(crate) fn trace_headers(mark: Option<Trace>) -> Headers {
    mark.and_then(TraceContext::of_mark).map(TraceContext::headers).unwrap_or_default()
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for TraceContext {
    type Err = NotATraceparent;

    /// Reads an unknown version as far as it is like version 00.
    fn from_str(text: &str) -> Result<Self, NotATraceparent> {
        let read = || {
            let (known, rest) = text.as_bytes().split_at_checked(LENGTH)?;
            let [version] = hex(&known[..2])?;
            let follows = match version {
                0 => rest.is_empty(),
                0xff => false,
                _ => rest.is_empty() || rest[0] == b'-',
            };
            if !follows || [2, 35, 52].iter().any(|at| known[*at] != b'-') {
                return None;
            }
            let [flags] = hex(&known[53..])?;
            Some(Self {
                trace: TraceId::new(hex(&known[3..35])?)?,
                span: SpanId::new(hex(&known[36..52])?)?,
                flags: flags & KNOWN_FLAGS,
            })
        };
        read().ok_or(NotATraceparent)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace.0), u64::from_be_bytes(self.span.0));
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", self.flags)
    }
}

/// Reads bytes in lower-case hexadecimal, the only form that the specification allows.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// A header with these parts.
    fn with(version: &str, trace: &str, span: &str, flags: &str) -> String {
        format!("{version}-{trace}-{span}-{flags}")
    }

    #[test]
    fn the_example_of_the_specification_reads_back() {
        let context: TraceContext = EXAMPLE.parse().expect("a context");
        assert_eq!(u128::from_be_bytes(context.trace.bytes()), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(u64::from_be_bytes(context.span.bytes()), 0x00f0_67aa_0ba9_02b7);
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), EXAMPLE);
        assert_eq!(TraceContext::of_mark(context.mark()), Some(context));
        assert_eq!(TraceContext::of_message(&context.headers()), Some(context));
        assert_eq!(TraceContext::new(context.trace, context.span, true), context);
    }

    #[test]
    fn what_the_specification_calls_invalid_is_refused() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for (text, why) in [
            (String::new(), "nothing"),
            (with("ff", trace, span, "01"), "version ff is forbidden"),
            (with("0x", trace, span, "01"), "a version is hexadecimal"),
            (with("0", trace, span, "01"), "a version has two digits"),
            (with("000", trace, span, "01"), "and no more"),
            (with("00", &"0".repeat(32), span, "01"), "no trace"),
            (with("00", trace, &"0".repeat(16), "01"), "no span"),
            (with("00", &trace.to_uppercase(), span, "01"), "upper case"),
            (with("00", trace, &span.to_uppercase(), "01"), "upper case"),
            (with("00", &trace[1..], span, "01"), "a short trace"),
            (with("00", &format!("{trace}0"), span, "01"), "a long trace"),
            (with("00", trace, &span[1..], "01"), "a short span"),
            (with("00", trace, &format!("{span}0"), "01"), "a long span"),
            (with("00", &trace.replace('4', "g"), span, "01"), "a trace that is not hexadecimal"),
            (with("00", trace, &span.replace('f', "."), "01"), "a span that is not hexadecimal"),
            (with("00", trace, span, "1"), "short flags"),
            (with("00", trace, span, "001"), "long flags"),
            (with("00", trace, span, "0x"), "flags that are not hexadecimal"),
            (with("00", trace, span, "0A"), "flags in upper case"),
            (with("00", trace, span, "01-"), "version 00 has nothing after its flags"),
            (with("00", trace, span, "01-what-the-future-will-be-like"), "not even after a dash"),
            (with("cc", trace, span, "01.what-the-future-will-be-like"), "a later version has a dash there"),
            (with("cc", trace, span, "0"), "and no less than version 00"),
            (EXAMPLE.replace('-', "_"), "other separators"),
            (format!(" {EXAMPLE}"), "a space before it"),
            (format!("{EXAMPLE} "), "a space after it"),
            (format!("{EXAMPLE},{EXAMPLE}"), "two in one"),
            ("é".repeat(40), "no ASCII"),
            ("00-".repeat(100_000), "very long"),
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(NotATraceparent), "{why}: {text:.80}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known_and_passed_on_as_version_00() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for rest in ["", "-", "-what-the-future-will-be-like"] {
            let context: TraceContext = with("cc", trace, span, &format!("01{rest}")).parse().expect("a context");
            assert_eq!(context.to_string(), EXAMPLE);
        }
    }

    #[test]
    fn flags_without_a_meaning_are_not_passed_on() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for (flags, sampled, passed_on) in
            [("00", false, "00"), ("03", true, "03"), ("fe", false, "02"), ("ff", true, "03")]
        {
            let context: TraceContext = with("00", trace, span, flags).parse().expect("a context");
            assert_eq!(context.is_sampled(), sampled, "{flags}");
            assert_eq!(context.to_string(), with("00", trace, span, passed_on));
        }
    }

    #[test]
    fn a_header_that_occurs_twice_or_is_not_a_text_is_ignored() {
        let mut headers = HeaderMap::new();
        assert_eq!(TraceContext::of_http(&headers), None);
        headers.append("TraceParent", HeaderValue::from_static(EXAMPLE));
        assert_eq!(TraceContext::of_http(&headers), EXAMPLE.parse().ok());
        headers.append(TRACEPARENT, HeaderValue::from_static(EXAMPLE));
        assert_eq!(TraceContext::of_http(&headers), None);
        headers.insert(TRACEPARENT, HeaderValue::from_bytes(b"\xff").expect("HTTP allows it"));
        assert_eq!(TraceContext::of_http(&headers), None);
        assert_eq!(TraceContext::of_message(&Headers::new([(TRACEPARENT, EXAMPLE), ("Traceparent", EXAMPLE)])), None);
    }

    #[test]
    fn a_mark_of_another_kind_is_none() {
        assert_eq!(TraceContext::of_mark(Trace([0; 25])), None);
        assert_eq!(TraceContext::of_mark(Trace([0xff; 25])).map(|context| context.flags), Some(KNOWN_FLAGS));
    }
}
