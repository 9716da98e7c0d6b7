//! One page of metrics: families of samples, in the order in which they are added.
//!
//! The format is Prometheus' text format 0.0.4 and not OpenMetrics: every Prometheus accepts it, and so does `promtool
//! check metrics`, which refuses OpenMetrics.

use prometheus::TextEncoder;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// The content type of a page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The families of one response to `GET /metrics`.
#[derive(Debug, Default)]
pub(super) struct Page {
    families: Vec<MetricFamily>,
}

impl Page {
    /// A counter without labels.
    pub(super) fn counter(&mut self, name: &str, help: &str, count: u64) {
        self.add(MetricType::COUNTER, name, help, vec![counter(Vec::new(), count)]);
    }

    /// A counter with one label.
    pub(super) fn counters<const N: usize>(&mut self, name: &str, help: &str, by: &str, counts: [(&str, u64); N]) {
        let metrics = counts.into_iter().map(|(value, count)| counter(vec![label(by, value)], count));
        self.add(MetricType::COUNTER, name, help, metrics.collect());
    }

    /// A counter with any labels.
    pub(super) fn labelled_counters<'a, L: IntoIterator<Item = (&'a str, &'a str)>>(
        &mut self,
        name: &str,
        help: &str,
        counts: impl IntoIterator<Item = (L, u64)>,
    ) {
        let metrics = counts.into_iter().map(|(labels, count)| {
            counter(labels.into_iter().map(|(name, value)| label(name, value)).collect(), count)
        });
        self.add(MetricType::COUNTER, name, help, metrics.collect());
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.add(MetricType::GAUGE, name, help, vec![gauge(Vec::new(), value)]);
    }

    /// A gauge with one label.
    pub(super) fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        by: &str,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) {
        let metrics = values.into_iter().map(|(value, number)| gauge(vec![label(by, value)], number));
        self.add(MetricType::GAUGE, name, help, metrics.collect());
    }

    /// A histogram, from families of the same name with one series each.
    pub(super) fn histogram(&mut self, series: impl IntoIterator<Item = MetricFamily>) {
        let mut series = series.into_iter();
        let Some(mut family) = series.next() else { return };
        for mut more in series {
            family.mut_metric().append(more.mut_metric());
        }
        self.families.push(family);
    }

    /// The page as text.
    pub(super) fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.families).expect("every family has a name and a sample")
    }

    /// Adds a family. One without a sample is left out, because the format cannot express it.
    fn add(&mut self, kind: MetricType, name: &str, help: &str, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.families.push(family);
    }
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn counter(labels: Vec<LabelPair>, count: u64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(count as f64);
    let mut metric = Metric::from_label(labels);
    metric.set_counter(counter);
    metric
}

fn gauge(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_gauge(gauge);
    metric
}
