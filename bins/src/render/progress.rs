//! What is drawn while something is waited for.

use indicatif::ProgressStyle;

use super::Charset;

/// A message behind something that turns.
pub fn spinner(charset: Charset) -> ProgressStyle {
    drawn("{spinner} {wide_msg}", charset)
}

/// How much is done, and how long it has taken, before a message.
pub fn progress(charset: Charset) -> ProgressStyle {
    drawn("{spinner} {elapsed} {bar:40} {percent:>3}%  {wide_msg}", charset)
}

fn drawn(template: &str, charset: Charset) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates are valid");
    match charset {
        Charset::Unicode => style.progress_chars("█▉▊▋▌▍▎▏░"),
        Charset::Ascii => style.tick_chars("|/-\\ ").progress_chars("#>-"),
    }
}
