//! Subjects: which are valid, and which pattern matches which.
//!
//! A subject is tokens joined by dots. In a pattern, the token `*` matches any one token, and a final `>` one or more.
//! NATS takes a wildcard inside a longer token literally; here it is refused.

use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, utf8_percent_encode};

/// The characters of ASCII that a token cannot have, and `%`.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'.').add(b'*').add(b'>').add(b'%');

/// Whether a message can be published on `subject`: no token is empty, and there is no wildcard, space or control
/// character in it.
pub fn is_publishable(subject: &str) -> bool {
    // One pass over the bytes: this is on the path of every message. An empty token is a dot where a token begins.
    let mut at_token_start = true;
    for byte in subject.bytes() {
        at_token_start = match byte {
            b'.' if at_token_start => return false,
            b'.' => true,
            b'*' | b'>' | 0..=b' ' | 0x7f => return false,
            _ => false,
        };
    }
    !at_token_start
}

/// Whether `pattern` can be subscribed to.
pub fn is_subscribable(pattern: &str) -> bool {
    let tokens = pattern.strip_suffix(".>").unwrap_or(if pattern == ">" { "*" } else { pattern });
    tokens.split('.').all(|token| token == "*" || is_publishable(token))
}

/// Whether `name` can name a queue group.
pub fn is_queue_group(name: &str) -> bool {
    !name.is_empty() && !name.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
}

/// Whether a valid pattern has wildcards.
pub fn has_wildcards(pattern: &str) -> bool {
    pattern.contains(['*', '>'])
}

/// Whether a valid `pattern` matches a valid `subject`.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let (mut patterns, mut tokens) = (pattern.split('.'), subject.split('.'));
    loop {
        match (patterns.next(), tokens.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some(pattern), Some(token)) if pattern == "*" || pattern == token => {}
            _ => return false,
        }
    }
}

/// A text as one token: bytes that a token cannot have, those beyond ASCII, and `%` are written as `%` and two hexadecimal
/// digits, as in a URL.
pub fn token(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ENCODED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publishable_subject_has_tokens_and_no_wildcards_or_spaces() {
        for valid in ["a", "a.b", "oracle.tasks", "$SRV.PING", "_INBOX.x-1", "ü.b"] {
            assert!(is_publishable(valid), "{valid:?}");
        }
        for invalid in ["", ".", ".a", "a.", "a..b", "a b", "a\tb", "a\r\n", "a.*", "a.>", "a*", "\u{7f}"] {
            assert!(!is_publishable(invalid), "{invalid:?}");
        }
    }

    #[test]
    fn a_pattern_may_have_whole_token_wildcards() {
        for valid in ["a", "*", ">", "a.*", "*.b", "a.*.c.>", "*.>"] {
            assert!(is_subscribable(valid), "{valid:?}");
        }
        for invalid in ["", ".>", "a.>.b", "a*", "a.b>", "a..>", "a b", ">.>", ">.a"] {
            assert!(!is_subscribable(invalid), "{invalid:?}");
        }
    }

    #[test]
    fn wildcards_match_whole_tokens() {
        for (pattern, subject, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.b", "a", false),
            ("a", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("a.*.c", "a.b.c", true),
            ("a.*.c", "a.b.d", false),
        ] {
            assert_eq!(matches(pattern, subject), expected, "{pattern} {subject}");
        }
    }
}
