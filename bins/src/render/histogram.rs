//! Latencies as a histogram of bars.

use std::fmt::Write as _;

use super::{Align, Cell, Charset, Paint, Table, Tone};
use crate::load::Histogram;

/// The most bars that are drawn, unless the coarsest steps need more.
const MAX_BARS: usize = 16;
/// The least length of the longest bar, in columns.
const MIN_BAR: usize = 10;
/// The last column of a bar, by how many of its eighths are filled.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// The edges of the bars within a power of ten, in tenths. The finest steps first.
const STEPS: [&[u64]; 4] = [
    &[10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91],
    &[10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82],
    &[10, 15, 22, 33, 47, 68],
    &[10, 20, 50],
];

/// One bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    /// The shortest latency it counts, in microseconds.
    from: u64,
    /// The shortest latency that the next bar counts.
    to: u64,
    count: u64,
}

/// A bar for each range of latencies, in logarithmic steps, no line wider than `width`. `marks` are named latencies,
/// shown at their bars. Empty if nothing was measured.
pub fn histogram(measured: &Histogram, marks: &[(&str, u64)], width: usize, charset: Charset, paint: Paint) -> String {
    let buckets = buckets(measured);
    let mut table = Table::new([("latency", Align::Right), ("answers", Align::Right), ("", Align::Left)]);
    let span = |bucket: &Bucket| format!("{} to {}", edge(bucket.from), edge(bucket.to));
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let labels = widest(&mut buckets.iter().map(|bucket| span(bucket).chars().count())).max("latency".len());
    let counts = widest(&mut buckets.iter().map(|bucket| bucket.count.to_string().len())).max("answers".len());
    let names: Vec<String> = buckets.iter().map(|bucket| names(bucket, marks)).collect();
    let aside = widest(&mut names.iter().map(String::len));
    let longest = width.saturating_sub(2 + labels + 2 + counts + 2 + aside).max(MIN_BAR);
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    for (bucket, names) in buckets.iter().zip(names) {
        let text = bar(bucket.count, most, longest, charset) + &names;
        table.row([span(bucket).into(), bucket.count.to_string().into(), Cell::new(&text, Tone::Good)]);
    }
    if buckets.is_empty() { String::new() } else { table.draw(paint) }
}

/// Buckets from the shortest to the longest latency, in the finest steps that do not make too many.
fn buckets(measured: &Histogram) -> Vec<Bucket> {
    let (Some((first, _)), Some((last, _))) = (measured.first(), measured.last()) else { return Vec::new() };
    let coarsest = STEPS.len() - 1;
    for (at, steps) in STEPS.iter().enumerate() {
        let edges = edges(steps, *first, *last);
        if edges.len() <= MAX_BARS + 1 || at == coarsest {
            return fill(&edges, measured);
        }
    }
    Vec::new()
}

/// The edges of the buckets that cover everything from `first` to `last`.
fn edges(steps: &[u64], first: u64, last: u64) -> Vec<u64> {
    let decades = (0..).map_while(|power| 10_u64.checked_pow(power));
    let edges = decades.flat_map(|decade| steps.iter().map(move |step| (decade.saturating_mul(*step)) / 10));
    let mut edges: Vec<_> = std::iter::once(0).chain(edges).collect();
    edges.dedup();
    let end = edges.iter().position(|edge| *edge > last).unwrap_or(edges.len() - 1);
    let begin = edges[..end].iter().rposition(|edge| *edge <= first).unwrap_or(0);
    edges[begin..=end].to_vec()
}

fn fill(edges: &[u64], measured: &Histogram) -> Vec<Bucket> {
    let mut buckets: Vec<_> = edges.windows(2).map(|edges| Bucket { from: edges[0], to: edges[1], count: 0 }).collect();
    for (value, count) in measured {
        let at = buckets.partition_point(|bucket| bucket.to <= *value).min(buckets.len().saturating_sub(1));
        if let Some(bucket) = buckets.get_mut(at) {
            bucket.count += count;
        }
    }
    buckets
}

/// A bar for `count`, if `most` is as long as `longest`. A count above zero is always visible.
fn bar(count: u64, most: u64, longest: usize, charset: Charset) -> String {
    let parts = longest as u128 * if charset == Charset::Unicode { 8 } else { 1 };
    let filled = parts * u128::from(count) / u128::from(most.max(1));
    let filled = usize::try_from(filled).unwrap_or(longest).max(usize::from(count > 0));
    match charset {
        Charset::Ascii => "#".repeat(filled),
        Charset::Unicode => "█".repeat(filled / 8) + EIGHTHS[filled % 8],
    }
}

/// The names of the marks in a bucket, each after a space.
fn names(bucket: &Bucket, marks: &[(&str, u64)]) -> String {
    let mut names = String::new();
    for (name, _) in marks.iter().filter(|(_, at)| (bucket.from..bucket.to).contains(at)) {
        let _ = write!(names, " {name}");
    }
    names
}

/// An edge, which has at most two digits: `850 µs`, `1.2 ms`, `3 s`.
fn edge(micros: u64) -> String {
    let (unit, name) = match micros {
        0..1_000 => (1, "µs"),
        1_000..1_000_000 => (1_000, "ms"),
        _ => (1_000_000, "s"),
    };
    let (whole, tenth) = (micros / unit, micros % unit * 10 / unit);
    if tenth == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenth} {name}") }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn drawn(measured: &[(u64, u64)], marks: &[(&str, u64)], width: usize, charset: Charset) -> String {
        histogram(&measured.to_vec(), marks, width, charset, Paint::Off)
    }

    #[test]
    fn bars_are_as_long_as_their_counts_and_name_the_marks() {
        let measured = [(1_000, 10), (1_099, 30), (1_350, 1), (1_700, 80)];
        let marks = [("p50", 1_650), ("max", 1_700)];
        let expected = "\
\x20          latency  answers
    1 ms to 1.1 ms       40  ██████████
  1.1 ms to 1.2 ms        0
  1.2 ms to 1.3 ms        0
  1.3 ms to 1.5 ms        1  ▎
  1.5 ms to 1.6 ms        0
  1.6 ms to 1.8 ms       80  ████████████████████ p50 max
";
        assert_eq!(drawn(&measured, &marks, 57, Charset::Unicode), expected);
        let plain = drawn(&measured, &marks, 57, Charset::Ascii);
        assert!(plain.contains("  80  #################### p50 max\n") && plain.contains("   1  #\n"), "{plain}");
    }

    #[test]
    fn every_answer_is_in_one_bar_and_no_line_is_wider_than_the_terminal() {
        let cases: [&[(u64, u64)]; 6] = [
            &[(0, 1)],
            &[(0, 1), (3_600_000_000, 2)],
            &[(850, 5)],
            &[(1, 7), (2, 9), (10, 1), (99, 3)],
            &[(1_100, 5), (9_999, 3), (10_000, u64::MAX / 2)],
            &[(u64::MAX, 1)],
        ];
        for measured in cases {
            let buckets = buckets(&measured.to_vec());
            let counted: u64 = buckets.iter().map(|bucket| bucket.count).sum();
            assert_eq!(counted, measured.iter().map(|(_, count)| count).sum::<u64>(), "{measured:?}");
            assert!(buckets.len() <= 32 && buckets.iter().all(|bucket| bucket.from < bucket.to), "{buckets:?}");
            assert!(buckets.windows(2).all(|pair| pair[0].to == pair[1].from), "{buckets:?}");
            for (value, _) in measured.iter().filter(|(value, _)| *value < u64::MAX) {
                let here = |bucket: &Bucket| (bucket.from..bucket.to).contains(value);
                assert!(buckets.iter().any(|bucket| here(bucket) && bucket.count > 0), "{value} in {buckets:?}");
            }
            for charset in [Charset::Ascii, Charset::Unicode] {
                let shown = drawn(measured, &[("p50", measured[0].0)], 80, charset);
                assert!(shown.lines().all(|line| line.width() <= 80), "{shown}");
            }
        }
        assert_eq!(drawn(&[], &[], 80, Charset::Unicode), "");
    }

    #[test]
    fn steps_are_as_fine_as_there_is_room_for() {
        assert_eq!(buckets(&vec![(1_000, 1), (1_999, 1)]).len(), 7);
        assert_eq!(buckets(&vec![(1_000, 1), (9_999, 1)]).len(), 12);
        assert_eq!(buckets(&vec![(1_000, 1), (99_999, 1)]).len(), 12);
        assert_eq!(buckets(&vec![(100, 1), (999_999, 1)]).len(), 12);
    }
}
