//! The report of a measurement.

use std::fmt::Write as _;

use super::{Align, Cell, Paint, Table, Tone, time};
use crate::load::Report;

/// Requests, errors by kind, rate and latencies; and a hint where the rate limit was measured instead.
pub fn load(report: &Report, paint: Paint) -> String {
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
        }
    }
    let mut shown = table.draw(paint);
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
The coordinator's rate limit refused requests (429). To measure without it, start the coordinator with: --rate-limit 0
";
        assert_eq!(load(&report, Paint::Off), expected);
        assert!(!load(&Report::default(), Paint::Off).contains("429"));
    }
}
