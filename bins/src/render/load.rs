//! The report of a measurement.

use std::fmt::Write as _;

use super::{Align, Cell, Charset, Paint, Table, Tone, histogram, time};
use crate::load::Report;

/// Requests, errors by kind, rate and latencies, with a histogram that is `width` columns wide, and a hint if the rate
/// limit was measured instead.
pub fn load(report: &Report, width: usize, charset: Charset, paint: Paint) -> String {
    let mut marks = Vec::new();
    let mut table = Table::new([("measured", Align::Left), ("", Align::Right)]);
    let mut line = |name: &str, value: String, tone| table.row([name.into(), Cell::new(&value, tone)]);
    line("requests", report.requests.to_string(), Tone::Plain);
    line("answered", report.ok.to_string(), Tone::Plain);
    for (kind, count) in &report.errors {
        line(&format!("errors: {kind}"), count.to_string(), Tone::Bad);
    }
    line("seconds", format!("{:.3}", report.seconds), Tone::Plain);
    line("answers per second", format!("{:.1}", report.requests_per_second), Tone::Strong);
    if let Some(latency) = report.latency_us {
        let quantiles = [
            ("p50", latency.p50),
            ("p90", latency.p90),
            ("p99", latency.p99),
            ("p99.9", latency.p99_9),
            ("max", latency.max),
        ];
        for (name, micros) in quantiles {
            line(&format!("latency {name}"), time(micros.saturating_mul(1_000)), Tone::Plain);
            marks.push((name, micros));
        }
    }
    let mut shown = table.draw(paint);
    let drawing = histogram(&report.histogram, &marks, width, charset, paint);
    if !drawing.is_empty() {
        shown = format!("{shown}\n{drawing}");
    }
    if report.errors.contains_key("429") {
        let _ = writeln!(
            shown,
            "{}",
            paint.tint(
                Tone::Doubtful,
                "The coordinator's rate limit refused requests (429). To measure without it, start the coordinator with: \
                 --rate-limit 0"
            )
        );
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::load::Latency;

    #[test]
    fn a_report_names_errors_by_kind_and_hints_at_the_rate_limit() {
        let report = Report {
            requests: 1000,
            ok: 990,
            errors: BTreeMap::from([("429".to_owned(), 9), ("timeout".to_owned(), 1)]),
            seconds: 2.0,
            requests_per_second: 495.0,
            latency_us: Some(Latency { p50: 850, p90: 1_200, p99: 15_000, p99_9: 20_000, max: 12_000_000 }),
            histogram: vec![(850, 891), (1_200, 80), (15_000, 17), (20_000, 1), (12_000_000, 1)],
        };
        let expected = "\
\x20 measured
  requests              1000
  answered               990
  errors: 429              9
  errors: timeout          1
  seconds              2.000
  answers per second   495.0
  latency p50         850 µs
  latency p90         1.2 ms
  latency p99          15 ms
  latency p99.9        20 ms
  latency max         12.0 s

           latency  answers
    500 µs to 1 ms      891  ################################ p50
      1 ms to 2 ms       80  ## p90
      2 ms to 5 ms        0
     5 ms to 10 ms        0
    10 ms to 20 ms       17  # p99
    20 ms to 50 ms        1  # p99.9
   50 ms to 100 ms        0
  100 ms to 200 ms        0
  200 ms to 500 ms        0
     500 ms to 1 s        0
        1 s to 2 s        0
        2 s to 5 s        0
       5 s to 10 s        0
      10 s to 20 s        1  # max
The coordinator's rate limit refused requests (429). To measure without it, start the coordinator with: --rate-limit 0
";
        assert_eq!(load(&report, 67, Charset::Ascii, Paint::Off), expected);
        assert!(!load(&Report::default(), 80, Charset::Ascii, Paint::Off).contains("429"));
    }
}
