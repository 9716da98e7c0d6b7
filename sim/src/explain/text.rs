//! A timeline for a terminal: time goes down, and every host has a column.
//!
//! If the terminal is wide enough, each moment's text is in the column of its host. Otherwise a mark is in the column,
//! and the text is to the right of all columns.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{Kind, Moment, Timeline};

/// The minimum width of a column that holds text.
const MIN_COLUMN: usize = 20;
/// The width of the time and the space after it.
const TIME: usize = 13;
/// The minimum width of the text to the right of the columns.
const MIN_WORDS: usize = 30;
/// The number of moments after which the names of the hosts are repeated.
const PAGE: usize = 60;

/// How much of a timeline is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What happens between the hosts.
    Messages,
    /// Also the inputs and outputs of the state machines, presence announcements and pings.
    All,
}

impl Detail {
    fn shows(self, moment: &Moment) -> bool {
        self == Self::All || !(moment.kind == Kind::Machine || moment.chatter)
    }
}

/// The lines of a timeline, at most `width` columns wide if that is possible.
pub fn lines(timeline: &Timeline, detail: Detail, width: usize) -> Vec<String> {
    let column = width.saturating_sub(TIME) / timeline.hosts.len().max(1);
    let mut drawing = Drawing { timeline, width, column, lines: Vec::new(), faults: vec![0; timeline.hosts.len()] };
    for (place, moment) in timeline.moments.iter().filter(|moment| detail.shows(moment)).enumerate() {
        if place % PAGE == 0 {
            drawing.head();
        }
        drawing.moment(moment);
    }
    drawing.lines
}

struct Drawing<'a> {
    timeline: &'a Timeline,
    width: usize,
    column: usize,
    lines: Vec<String>,
    /// The number of active faults on each host.
    faults: Vec<u32>,
}

impl Drawing<'_> {
    fn is_wide(&self) -> bool {
        self.column >= MIN_COLUMN
    }

    fn head(&mut self) {
        let hosts = &self.timeline.hosts;
        if self.is_wide() {
            let names: String = hosts.iter().map(|name| pad(name, self.column)).collect();
            self.lines.push(format!("{}{}", " ".repeat(TIME), names.trim_end()));
            return;
        }
        // Each name is at the end of its column's line.
        for (place, name) in hosts.iter().enumerate() {
            self.lines.push(format!("{}{}{name}", " ".repeat(TIME), "│ ".repeat(place)));
        }
    }

    fn moment(&mut self, moment: &Moment) {
        if moment.kind == Kind::Fault {
            self.count_faults(moment.at);
        }
        match moment.kind {
            Kind::Fault => self.across(moment, '┄'),
            Kind::Phase => self.across(moment, '─'),
            Kind::Violation => self.across(moment, '━'),
            _ if self.is_wide() => self.in_column(moment),
            _ => self.beside(moment),
        }
    }

    fn count_faults(&mut self, at: u64) {
        self.faults.fill(0);
        for span in &self.timeline.spans {
            if span.began <= at && span.ended.is_none_or(|ended| ended > at) {
                for lane in &span.lanes {
                    self.faults[*lane] += 1;
                }
            }
        }
    }

    /// A moment across all columns.
    fn across(&mut self, moment: &Moment, rule: char) {
        let rule = rule.to_string();
        let host = match moment.kind {
            Kind::Violation => format!("{}: ", self.timeline.hosts[moment.lane]),
            _ => String::new(),
        };
        for (number, part) in wrap(&format!("{host}{}", moment.text), self.room(TIME + 4)).into_iter().enumerate() {
            let time = if number == 0 { time(moment.at) } else { " ".repeat(TIME) };
            let rest = self.width.saturating_sub(TIME + 4 + part.width());
            self.lines.push(format!("{time}{} {part} {}", rule.repeat(2), rule.repeat(rest)));
        }
    }

    /// A moment's text in the column of its host; the lines of the other hosts continue.
    fn in_column(&mut self, moment: &Moment) {
        for (number, part) in wrap(&moment.text, self.column - 1).into_iter().enumerate() {
            let mut line = if number == 0 { time(moment.at) } else { " ".repeat(TIME) };
            for lane in 0..self.timeline.hosts.len() {
                let text = if lane == moment.lane { &part } else { self.lane(lane) };
                line.push_str(&pad(text, self.column));
            }
            self.lines.push(line.trim_end().to_owned());
        }
    }

    /// A mark in the column of the host, and the text to the right of all columns.
    fn beside(&mut self, moment: &Moment) {
        let hosts = self.timeline.hosts.len();
        let text = format!("{} {}", self.timeline.hosts[moment.lane], moment.text);
        for (number, part) in wrap(&text, self.room(TIME + 2 * hosts)).into_iter().enumerate() {
            let mut line = if number == 0 { time(moment.at) } else { " ".repeat(TIME) };
            for lane in 0..hosts {
                line.push_str(if lane == moment.lane && number == 0 { "●" } else { self.lane(lane) });
                line.push(' ');
            }
            self.lines.push(line + &part);
        }
    }

    /// The line of a host to which nothing happens; dashed while it has a fault.
    fn lane(&self, lane: usize) -> &'static str {
        if self.faults[lane] > 0 { "┊" } else { "│" }
    }

    fn room(&self, taken: usize) -> usize {
        self.width.saturating_sub(taken).max(MIN_WORDS)
    }
}

fn time(nanos: u64) -> String {
    format!("{:>width$}  ", format!("{}.{:06}", nanos / 1_000_000_000, nanos / 1_000 % 1_000_000), width = TIME - 2)
}

/// Pads a text with spaces to a width.
fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Splits a text into parts no wider than `width`, at spaces where possible.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for word in text.split(' ') {
        let part = parts.last_mut().expect("there is one");
        if !part.is_empty() && part.width() + 1 + word.width() <= width {
            part.push(' ');
            part.push_str(word);
            continue;
        }
        if !part.is_empty() {
            parts.push(String::new());
        }
        for character in word.chars() {
            let part = parts.last_mut().expect("there is one");
            if !part.is_empty() && part.width() + character.width().unwrap_or(0) > width {
                parts.push(String::new());
            }
            parts.last_mut().expect("there is one").push(character);
        }
    }
    parts
}
