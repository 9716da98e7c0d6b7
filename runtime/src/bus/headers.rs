//! The headers of a message: short texts that travel with its body.

use std::sync::Arc;

/// The most headers in one message. A message that arrives with more is passed on without any.
pub const MAX_HEADERS: usize = 32;
/// The most bytes that the headers of one message take on the wire. With more, a message is passed on without any.
pub const MAX_HEADER_BYTES: usize = 4096;

/// What NATS writes around the headers as a whole, and in each of them.
const AROUND_ALL: usize = "NATS/1.0\r\n\r\n".len();
const AROUND_EACH: usize = ": \r\n".len();

/// The headers of a message, sorted by name. Headers of the same name keep the order in which they were given.
///
/// An empty set allocates nothing, and clones share their contents. Only valid headers are kept: a name has one or more
/// visible ASCII characters and no colon; a value has no control characters and no space at either end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<[(String, String)]>>);

impl Headers {
    /// Keeps the valid headers among `pairs`. Keeps none if they exceed what a message may have.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut headers = Vec::new();
        let mut bytes = AROUND_ALL;
        for (name, value) in pairs {
            let value = value.trim_ascii();
            if !is_name(name) || value.chars().any(char::is_control) {
                continue;
            }
            bytes += name.len() + value.len() + AROUND_EACH;
            if headers.len() == MAX_HEADERS || bytes > MAX_HEADER_BYTES {
                return Self::default();
            }
            headers.push((name.to_owned(), value.to_owned()));
        }
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self((!headers.is_empty()).then(|| headers.into()))
    }

    /// Whether there are no headers.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All headers, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let headers = self.0.as_deref().unwrap_or_default();
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of the header `name` if it occurs exactly once. Case is ignored, since some clients change it.
    pub fn sole(&self, name: &str) -> Option<&str> {
        let mut values = self.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// The number of bytes the headers add to a message. They count towards the largest message that the bus accepts.
    pub fn wire_bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        AROUND_ALL + self.iter().map(|(name, value)| name.len() + value.len() + AROUND_EACH).sum::<usize>()
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_headers_are_left_out() {
        let headers = Headers::new([
            ("b", " 1\t"),
            ("", "no name"),
            ("two words", "1"),
            ("co:lon", "1"),
            ("ümlaut", "1"),
            ("a", "é"),
            ("line", "1\r\nforged: 2"),
            ("bell", "\u{7}"),
            ("a", ""),
        ]);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("a", "é"), ("a", ""), ("b", "1")]);
        assert_eq!(headers.wire_bytes(), "NATS/1.0\r\na: é\r\na: \r\nb: 1\r\n\r\n".len());
        assert!(Headers::new([("", "")]).is_empty());
        assert_eq!(Headers::default().wire_bytes(), 0);
    }

    #[test]
    fn a_header_is_found_in_any_case_if_it_is_the_only_one() {
        let headers = Headers::new([("Traceparent", "x"), ("twice", "1"), ("Twice", "2")]);
        assert_eq!(headers.sole("traceparent"), Some("x"));
        assert_eq!((headers.sole("twice"), headers.sole("trace")), (None, None));
    }

    #[test]
    fn too_many_headers_or_bytes_leave_none() {
        let names: Vec<String> = (0..=MAX_HEADERS).map(|number| number.to_string()).collect();
        let headers = |count: usize| Headers::new(names[..count].iter().map(|name| (name.as_str(), "")));
        assert_eq!(headers(MAX_HEADERS).iter().len(), MAX_HEADERS);
        assert!(headers(MAX_HEADERS + 1).is_empty());
        let value = "x".repeat(MAX_HEADER_BYTES - AROUND_ALL - AROUND_EACH - 1);
        assert_eq!(Headers::new([("a", value.as_str())]).wire_bytes(), MAX_HEADER_BYTES);
        assert!(Headers::new([("ab", value.as_str())]).is_empty());
    }
}
