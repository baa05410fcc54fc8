//! OpenMetrics text, version 1.0.0, which unlike the classic text has exemplars.
//!
//! What else differs: a counter's family is named without `_total`, units stand in lines of their own,
//! bounds of buckets are always floating point numbers (`le="1.0"`), quotes are escaped in descriptions
//! too, and the text says where it ends, so that half of it is not taken for all.

mod number;

use std::fmt::{self, Display, Formatter};

use prometheus::{
    Error,
    proto::{Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use self::number::float;
use super::exemplars::{Exemplar, Newest, Series};
use crate::clock::unix_millis;

/// Units that may end a family's name: the specification's base units, as the exporter writes them.
const UNITS: [&str; 9] = [
    "seconds", "bytes", "ratio", "joules", "grams", "meters", "volts", "amperes", "celsius",
];

/// Writes `families`, and to their buckets those of `exemplars` that belong there.
pub(super) fn text(families: &[MetricFamily], exemplars: &Newest) -> Result<String, Error> {
    let mut text = String::new();
    for family in families {
        text += &of_family(family, exemplars)?;
    }
    text += "# EOF\n";
    Ok(text)
}

fn of_family(family: &MetricFamily, exemplars: &Newest) -> Result<String, Error> {
    let name = family.name();
    let metrics = family.get_metric().iter();
    let (kind, name, samples): (_, _, String) = match family.get_field_type() {
        MetricType::COUNTER => {
            let name = name.strip_suffix("_total").unwrap_or(name);
            let sample = |m: &Metric| Sample::of(name, m).with("_total", float(m.get_counter().get_value()));
            ("counter", name, metrics.map(sample).collect())
        }
        MetricType::GAUGE => {
            let sample = |m: &Metric| Sample::of(name, m).with("", float(m.get_gauge().get_value()));
            ("gauge", name, metrics.map(sample).collect())
        }
        MetricType::HISTOGRAM => {
            let samples = |m: &Metric| histogram(&Sample::of(name, m), m.get_histogram(), exemplars);
            ("histogram", name, metrics.map(samples).collect())
        }
        other => {
            let text = format!("{name} is a {other:?}, which no instrument is");
            return Err(Error::Msg(text));
        }
    };
    Ok(descriptors(name, kind, family.help()) + &samples)
}

/// Type, unit and description, in the order that the specification advises.
fn descriptors(name: &str, kind: &str, help: &str) -> String {
    let unit = match name.rsplit_once('_') {
        Some((_, unit)) if UNITS.contains(&unit) => format!("# UNIT {name} {unit}\n"),
        _ => String::new(),
    };
    let help = match help {
        "" => String::new(),
        help => format!("# HELP {name} {}\n", escaped(help)),
    };
    format!("# TYPE {name} {kind}\n{unit}{help}")
}

fn histogram(sample: &Sample, histogram: &Histogram, exemplars: &Newest) -> String {
    let exemplars = exemplars.of(&sample.series());
    let count = histogram.get_sample_count();
    let finite = histogram.get_bucket().iter();
    let buckets = finite
        .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
        .filter(|(bound, _)| bound.is_finite())
        .chain([(f64::INFINITY, count)]);
    let mut lines = String::new();
    for (at, (bound, count)) in buckets.enumerate() {
        let exemplar = exemplars.get(at).and_then(Option::as_ref);
        lines += &sample.bucket(bound, count, exemplar);
    }
    lines += &sample.with("_sum", float(histogram.get_sample_sum()));
    lines + &sample.with("_count", count)
}

/// What the lines of one metric have in common.
struct Sample<'a> {
    family: &'a str,
    labels: &'a [LabelPair],
}

impl<'a> Sample<'a> {
    fn of(family: &'a str, metric: &'a Metric) -> Self {
        let labels = metric.get_label();
        Self { family, labels }
    }

    fn series(&self) -> Series {
        let pair = |label: &LabelPair| (label.name().to_owned(), label.value().to_owned());
        Series::new(self.family, self.labels.iter().map(pair))
    }

    fn with(&self, suffix: &str, value: impl Display) -> String {
        let labels = Labels(self.labels, None);
        format!("{}{suffix}{labels} {value}\n", self.family)
    }

    fn bucket(&self, bound: f64, count: u64, exemplar: Option<&Exemplar>) -> String {
        let labels = Labels(self.labels, Some(bound));
        let exemplar = exemplar.map(told).unwrap_or_default();
        format!("{}_bucket{labels} {count}{exemplar}\n", self.family)
    }
}

fn told(exemplar: &Exemplar) -> String {
    let (trace_id, span_id, value) = (exemplar.trace_id, exemplar.span_id, float(exemplar.value));
    let millis = unix_millis(exemplar.time);
    let (s, ms) = (millis / 1000, millis % 1000);
    format!(" # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {value} {s}.{ms:03}")
}

/// Labels in braces, and a bucket's bound as one more; nothing if there are none.
struct Labels<'a>(&'a [LabelPair], Option<f64>);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut before = '{';
        for label in self.0 {
            write!(f, "{before}{}=\"{}\"", label.name(), escaped(label.value()))?;
            before = ',';
        }
        if let Some(bound) = self.1 {
            write!(f, "{before}le=\"{}\"", float(bound))?;
            before = ',';
        }
        if before == ',' { f.write_str("}") } else { Ok(()) }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('\n', r"\n")
        .replace('"', "\\\"")
}

#[cfg(test)]
mod tests;
