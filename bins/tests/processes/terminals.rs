//! The operator's tool on a terminal: what is drawn in place, what keys do, and when there are colours.

use rustix::process::Signal;

use crate::support::{Api, Program, QUICK, QUORATE, parsed, until};
use crate::terminal::{CAPABLE, PROMPT, SIZE, Terminal};

/// Ctrl-C.
const INTERRUPT: &str = "\u{3}";
/// Ctrl-Z.
const SUSPEND: &str = "\u{1a}";

/// Environment variables and their values.
type Environment<'a> = &'a [(&'a str, &'a str)];

/// A coordinator with three workers in one process, and its API.
async fn dev() -> (Program, Api) {
    let flags = [&["dev", "--listen", "127.0.0.1:0", "--rate-limit", "0", "--json"], &QUICK[..]].concat();
    let dev = Program::start(QUORATE, &flags);
    let serving = dev.prints("{\"serving\":").await;
    // Its demo is over once five questions are answered.
    until("the demo", async || dev.stdout().lines().count() == 6).await;
    let url = parsed(serving.trim_end_matches('}')).as_str().expect("a text").replace("localhost", "127.0.0.1");
    (dev, Api::at(&url))
}

/// The number of lines on the screen that start with this.
fn lines(screen: &vt100::Screen, start: &str) -> usize {
    screen.contents().lines().filter(|line| line.starts_with(start)).count()
}

#[tokio::test]
async fn the_workers_are_drawn_in_place_and_the_terminal_is_left_as_it_was() {
    let (_dev, api) = dev().await;
    let flags = ["workers", "--watch", "--interval", "50ms", "--url", &api.url];
    let mut terminal = Terminal::start(QUORATE, &flags, &CAPABLE);
    let live = |screen: &vt100::Screen| {
        let (one, all) = (lines(screen, "  worker-1 "), lines(screen, "  worker-"));
        screen.alternate_screen() && screen.hide_cursor() && (one, all) == (1, 3)
    };
    terminal.shows("table on the alternate screen, without a cursor", live).await;
    // The table is updated, and there is still only one.
    let accepted =
        |screen: &vt100::Screen, count: u64| screen.contents().contains(&format!("{count}  requests accepted"));
    let before = api.counter("requests_accepted").await;
    api.answer("BTC/USD").await;
    terminal.shows("request", |screen| live(screen) && accepted(screen, before + 1)).await;
    assert!(!terminal.written().contains("\u{1b}[2J"), "clearing the screen flickers");

    terminal.press(SUSPEND);
    let first = |screen: &vt100::Screen| !screen.alternate_screen() && !screen.hide_cursor();
    terminal.shows("main screen, with the cursor", first).await;
    assert!(terminal.text().starts_with(PROMPT), "{}", terminal.text());
    terminal.signal(Signal::CONT);
    terminal.shows("table again", live).await;

    terminal.press(INTERRUPT);
    let (code, _, screen) = terminal.ended().await;
    assert_eq!(code, Some(0));
    assert!(first(&screen) && screen.contents().starts_with(PROMPT), "{}", screen.contents());
    assert_eq!(lines(&screen, "  worker-"), 3, "the last table stays: {}", screen.contents());
}

#[tokio::test]
async fn the_loss_of_the_coordinator_is_shown_above_the_last_table() {
    let (dev, api) = dev().await;
    let flags = ["workers", "--watch", "--interval", "50ms", "--url", &api.url];
    let mut terminal = Terminal::start(QUORATE, &flags, &CAPABLE);
    terminal.shows("table", |screen| lines(screen, "  worker-") == 3).await;
    dev.signal(Signal::TERM);
    dev.ended().await;
    let gone = |screen: &vt100::Screen| screen.contents().contains("connection refused");
    terminal.shows("error above the table", |screen| gone(screen) && lines(screen, "  worker-") == 3).await;
    terminal.press(INTERRUPT);
    assert_eq!(terminal.ended().await.0, Some(0));
}

#[tokio::test]
async fn answers_scroll_above_a_line_that_sums_them_up_and_no_line_wraps_at_eighty_columns() {
    let (_dev, api) = dev().await;
    let flags = ["ask", "BTC/USD", "--watch", "--interval", "50ms", "--url", &api.url];
    let mut terminal = Terminal::start_in((24, 80), QUORATE, &flags, &CAPABLE);
    let summed = |screen: &vt100::Screen| {
        let text = screen.contents();
        let last = text.lines().rfind(|line| !line.is_empty()).unwrap_or_default().to_owned();
        text.matches("3/3 workers").count() >= 5
            && last.contains("BTC/USD every 50ms  ")
            && last.trim_end().ends_with(" answered  Ctrl-C ends")
            && last.contains('█')
    };
    terminal.shows("answers, and their trend below", summed).await;
    assert!(!terminal.shows_control_keys());
    terminal.press(INTERRUPT);
    until("the terminal to be restored", async || terminal.shows_control_keys()).await;
    let (code, _, screen) = terminal.ended().await;
    let text = screen.contents();
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("Ctrl-C ends") && text.matches("3/3 workers").count() >= 5, "{text}");
    assert!(!screen.hide_cursor() && !screen.alternate_screen());
    // Rows, because the screen joins the parts of a line that was wrapped.
    let is_whole = |row: String| row.is_empty() || row.contains("Z  ") || row == PROMPT;
    assert!(screen.rows(0, 80).all(is_whole), "{text}");
}

#[tokio::test]
async fn a_measurement_has_a_bar_while_it_lasts_and_a_drawing_as_wide_as_the_terminal() {
    let (_dev, api) = dev().await;
    let flags = ["load", "--duration", "1500ms", "--connections", "2", "--url", &api.url];
    let terminal = Terminal::start(QUORATE, &flags, &CAPABLE);
    let bar = |screen: &vt100::Screen| {
        let text = screen.contents();
        text.contains("%  ") && text.contains(" requests, 0 errors, ") && text.contains('░')
    };
    terminal.shows("bar", bar).await;
    let (code, written, screen) = terminal.ended().await;
    let text = screen.contents();
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains('░') && text.contains("latency p99.9"), "{text}");
    let widest = written.lines().filter(|line| line.contains("█")).map(|line| line.matches('█').count()).max();
    assert!(widest.is_some_and(|blocks| blocks > usize::from(SIZE.1) / 2), "{text}");
    assert!(text.contains(" max") && text.lines().all(|line| line.chars().count() <= usize::from(SIZE.1)), "{text}");

    let flags = ["load", "--duration", "10m", "--connections", "2", "--url", &api.url];
    let mut terminal = Terminal::start(QUORATE, &flags, &CAPABLE);
    terminal.shows("bar", bar).await;
    terminal.press(INTERRUPT);
    let (code, _, screen) = terminal.ended().await;
    let text = screen.contents();
    assert!(code == Some(0) && !text.contains('░') && text.contains("latency p99.9"), "{text}");

    // Without block characters, nothing but the µ of microseconds is beyond ASCII.
    let ascii = [("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "C.UTF-8")];
    let flags = ["load", "--requests", "20", "--connections", "2", "--url", &api.url];
    let (code, written, _) = Terminal::start(QUORATE, &flags, &ascii).ended().await;
    assert_eq!(code, Some(0), "{written}");
    assert!(written.contains("####") && written.replace("µs", "us").is_ascii(), "{written}");
}

#[tokio::test]
async fn json_on_a_terminal_is_only_json() {
    let (_dev, api) = dev().await;
    for flags in [
        &["ask", "BTC/USD", "--json"][..],
        &["ask", "BTC/USD", "--json", "--watch", "--count", "2", "--interval", "10ms"],
        &["workers", "--json", "--watch", "--count", "2", "--interval", "10ms"],
        &["demo", "--json"],
    ] {
        let flags = [flags, &["--url", &api.url]].concat();
        let (code, written, _) = Terminal::start(QUORATE, &flags, &CAPABLE).ended().await;
        assert_eq!(code, Some(0), "{flags:?}: {written}");
        assert!(!written.is_empty() && !written.contains('\u{1b}'), "{flags:?}: {written:?}");
        written.lines().for_each(|line| assert!(parsed(line).is_object(), "{flags:?}: {line}"));
    }
}

#[tokio::test]
async fn colours_are_for_terminals_unless_they_are_refused_or_forced() {
    let (_dev, api) = dev().await;
    let flags = ["ask", "BTC/USD", "--url", &api.url];
    let terminal = ("TERM", "xterm-256color");
    // The environment, whether there are colours on a terminal, and whether there are in a file.
    let cases: [(Environment, bool, bool); 9] = [
        (&[terminal], true, false),
        (&[terminal, ("NO_COLOR", "1")], false, false),
        (&[terminal, ("NO_COLOR", "")], true, false),
        (&[terminal, ("CLICOLOR", "0")], false, false),
        (&[terminal, ("CLICOLOR_FORCE", "1")], true, true),
        (&[terminal, ("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
        (&[("TERM", "dumb")], false, false),
        (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true, true),
        (&[], false, false),
    ];
    for (variables, on_terminal, in_file) in cases {
        let (code, written, _) = Terminal::start(QUORATE, &flags, variables).ended().await;
        assert_eq!((code, written.contains("\u{1b}[")), (Some(0), on_terminal), "{variables:?}: {written:?}");
        let ended = Program::start_in(QUORATE, &flags, variables).ended().await;
        assert_eq!((ended.code, ended.stdout.contains("\u{1b}[")), (Some(0), in_file), "{variables:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_terminal_that_cannot_redraw_has_plain_lines() {
    let (_dev, api) = dev().await;
    for flags in [&["ask", "BTC/USD"][..], &["workers"]] {
        let flags = [flags, &["--watch", "--count", "2", "--interval", "10ms", "--url", &api.url]].concat();
        let (code, written, _) = Terminal::start(QUORATE, &flags, &[("TERM", "dumb")]).ended().await;
        assert_eq!(code, Some(0), "{written}");
        assert!(!written.contains('\u{1b}') && written.lines().count() >= 2, "{written:?}");
    }
}
