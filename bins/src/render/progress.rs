//! What is drawn while the program waits.

use indicatif::ProgressStyle;

use super::Charset;

/// A spinner before a message.
pub fn spinner(charset: Charset) -> ProgressStyle {
    drawn("{spinner} {wide_msg}", charset)
}

/// The elapsed time and the progress before a message.
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
