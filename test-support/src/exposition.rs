//! Metrics in Prometheus' text format, read more strictly than Prometheus does.

use std::collections::{BTreeMap, BTreeSet};

/// What one scrape shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    families: BTreeMap<String, Family>,
}

/// The samples of one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Its help text.
    pub help: String,
    /// The samples; those of a histogram have the family's name and a suffix.
    pub samples: Vec<Sample>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Exposition {
    /// Reads a scrape. Every family states its help and then its kind, once, before all its samples, no two of which
    /// have the same labels.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current = String::new();
        if !text.ends_with('\n') {
            return Err("the last line does not end".to_owned());
        }
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').ok_or_else(|| format!("no help in {line:?}"))?;
                let family = Family { help: help.to_owned(), ..Family::default() };
                if families.insert(name.to_owned(), family).is_some() {
                    return Err(format!("{name} comes twice"));
                }
                name.clone_into(&mut current);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').ok_or_else(|| format!("no kind in {line:?}"))?;
                let family = families.get_mut(name).filter(|family| family.kind.is_empty() && name == current);
                kind.clone_into(&mut family.ok_or_else(|| format!("{line:?} does not follow its help"))?.kind);
            } else {
                let sample = Sample::parse(line)?;
                let family = families.get_mut(&current).ok_or_else(|| format!("{line:?} has no family"))?;
                if !family.has(&current, &sample) {
                    return Err(format!("{line:?} does not belong to {current}, a {}", family.kind));
                }
                if family.samples.iter().any(|other| other.name == sample.name && other.labels == sample.labels) {
                    return Err(format!("{line:?} comes twice"));
                }
                family.samples.push(sample);
            }
        }
        for (name, family) in &families {
            family.check(name).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        Ok(Self { families })
    }

    /// The families by name.
    pub fn families(&self) -> &BTreeMap<String, Family> {
        &self.families
    }

    /// All samples.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.values().flat_map(|family| &family.samples)
    }

    /// The value of one sample, as in `name` or `name{label="value"}` with the labels in order.
    pub fn value(&self, sample: &str) -> Option<f64> {
        self.samples().find(|other| other.to_string() == sample).map(|found| found.value)
    }
}

impl Family {
    /// The names of the labels, without the bounds of buckets.
    pub fn labels(&self) -> BTreeSet<&str> {
        let names = self.samples.iter().flat_map(|sample| sample.labels.keys());
        names.map(String::as_str).filter(|name| *name != "le").collect()
    }

    fn has(&self, name: &str, sample: &Sample) -> bool {
        match (self.kind.as_str(), sample.name.strip_prefix(name)) {
            ("histogram", Some("_bucket")) => sample.labels.contains_key("le"),
            ("histogram", Some("_sum" | "_count")) | ("counter" | "gauge", Some("")) => {
                !sample.labels.contains_key("le")
            }
            _ => false,
        }
    }

    fn check(&self, name: &str) -> Result<(), String> {
        if self.samples.is_empty() || self.help.is_empty() {
            return Err("it has no samples or no help".to_owned());
        }
        if (self.kind == "counter") != name.ends_with("_total") {
            return Err("counters end in _total, and only they".to_owned());
        }
        if self.kind == "counter" && self.samples.iter().any(|sample| sample.value < 0.0 || sample.value.fract() != 0.0)
        {
            return Err("a counter counts".to_owned());
        }
        if self.kind == "histogram" { self.check_histogram(name) } else { Ok(()) }
    }

    /// The buckets of each series ascend to its count.
    fn check_histogram(&self, name: &str) -> Result<(), String> {
        let counts = self.samples.iter().filter(|sample| sample.name == format!("{name}_count"));
        let mut buckets = 0;
        for count in counts {
            let of_series = |sample: &&Sample| {
                let mut labels = sample.labels.clone();
                labels.remove("le").is_some() && labels == count.labels
            };
            let series: Vec<_> = self.samples.iter().filter(of_series).collect();
            let bounds: Vec<f64> = series.iter().filter_map(|bucket| bucket.labels["le"].parse().ok()).collect();
            if !bounds.is_sorted() || bounds.last() != Some(&f64::INFINITY) || bounds.len() != series.len() {
                return Err(format!("the buckets of {count} do not ascend to infinity"));
            }
            let values: Vec<_> = series.iter().map(|bucket| bucket.value).collect();
            if !values.is_sorted() || values.last() != Some(&count.value) {
                return Err(format!("the buckets of {count} do not add up to it"));
            }
            let sum = Sample { name: format!("{name}_sum"), ..count.clone() };
            if !self.samples.iter().any(|sample| sample.name == sum.name && sample.labels == sum.labels) {
                return Err(format!("{count} has no sum"));
            }
            buckets += series.len();
        }
        let all = self.samples.iter().filter(|sample| sample.labels.contains_key("le")).count();
        if buckets == all { Ok(()) } else { Err("a bucket has no count".to_owned()) }
    }
}

impl Sample {
    fn parse(line: &str) -> Result<Self, String> {
        let wrong = || format!("{line:?} is not a sample");
        let (series, value) = line.rsplit_once(' ').ok_or_else(wrong)?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').ok_or_else(wrong)?),
            None => (series, ""),
        };
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let is_name = |name: &str| name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit());
        if !is_name(name) {
            return Err(wrong());
        }
        let mut sample =
            Self { name: name.to_owned(), labels: BTreeMap::new(), value: value.parse().map_err(|_| wrong())? };
        // None of the label values here needs an escape.
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once("=\"").ok_or_else(wrong)?;
            let value = value.strip_suffix('"').filter(|value| !value.contains(['"', '\\'])).ok_or_else(wrong)?;
            if !is_name(name) || sample.labels.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(wrong());
            }
        }
        Ok(sample)
    }
}

/// The name and the labels, in order.
impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        for (at, (label, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' })?;
        }
        if self.labels.is_empty() { Ok(()) } else { f.write_str("}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
# HELP a_total Some.
# TYPE a_total counter
a_total{x=\"1\",y=\"2\"} 3
# HELP b_seconds Others.
# TYPE b_seconds histogram
b_seconds_bucket{le=\"0.5\"} 1
b_seconds_bucket{le=\"+Inf\"} 2
b_seconds_sum 7.25
b_seconds_count 2
";

    #[test]
    fn a_scrape_is_read() {
        let read = Exposition::parse(GOOD).expect("a good scrape");
        assert_eq!(read.value("a_total{x=\"1\",y=\"2\"}"), Some(3.0));
        assert_eq!(read.value("b_seconds_bucket{le=\"+Inf\"}"), Some(2.0));
        assert_eq!(read.value("b_seconds_sum"), Some(7.25));
        assert_eq!(read.families()["a_total"].labels().into_iter().collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn what_is_wrong_in_a_scrape_is_found() {
        for (good, bad) in [
            ("counter", "gauge"),
            ("a_total{", "c_total{"),
            ("a_total{x", "a_total x"),
            ("y=\"2\"} 3", "x=\"2\"} 3"),
            ("y=\"2\"} 3", "y=\"2\"} 3.5"),
            ("# HELP b_seconds Others.\n", ""),
            ("# HELP b_seconds Others.", "# HELP a_total Others."),
            ("\"} 1\n", "\"} 3\n"),
            ("\"+Inf\"", "\"0.25\""),
            ("b_seconds_count 2", "b_seconds_count 3"),
            ("b_seconds_sum 7.25\n", ""),
            ("b_seconds_sum 7.25\n", "b_seconds_sum 7.25\nb_seconds_sum 7.25\n"),
            ("count 2\n", "count 2"),
        ] {
            let text = GOOD.replacen(good, bad, 1);
            assert_ne!(text, GOOD);
            assert!(Exposition::parse(&text).is_err(), "{good} to {bad}");
        }
    }
}
