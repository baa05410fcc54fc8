//! Families made by hand, and what a registry with a real exporter gathers.

use opentelemetry::{
    KeyValue,
    metrics::MeterProvider,
    trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{
    Registry,
    proto::{Bucket, Counter, Gauge},
};

use super::*;
use crate::{
    clock::from_unix_millis,
    telemetry::metrics::exemplars::{self, TracedHistogram},
};

fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn counter(value: f64, labels: Vec<LabelPair>) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_counter(counter);
    metric
}

fn gauge(value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    Metric::from_gauge(gauge)
}

fn histogram(buckets: &[(f64, u64)], count: u64, sum: f64, labels: Vec<LabelPair>) -> Metric {
    let bucket = |(bound, count): &(f64, u64)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(*count);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.iter().map(bucket).collect());
    histogram.set_sample_count(count);
    histogram.set_sample_sum(sum);
    let mut metric = Metric::from_label(labels);
    metric.set_histogram(histogram);
    metric
}

fn exemplar(value: f64, id: u64, time_ms: i64) -> Exemplar {
    Exemplar {
        value,
        trace_id: TraceId::from(u128::from(id)),
        span_id: SpanId::from(id),
        time: from_unix_millis(time_ms),
    }
}

#[test]
fn a_counters_family_has_no_total_and_its_samples_have() {
    let metrics = vec![
        counter(17.0, vec![]),
        counter(4_200_724.6, vec![label("mode", "user")]),
    ];
    let with_unit = family("cpu_seconds_total", "Time.", MetricType::COUNTER, metrics.clone());
    let without = family("things", "", MetricType::COUNTER, metrics);
    assert_eq!(
        text(&[with_unit, without], &Newest::default()).unwrap(),
        "# TYPE cpu_seconds counter\n\
         # UNIT cpu_seconds seconds\n\
         # HELP cpu_seconds Time.\n\
         cpu_seconds_total 17.0\n\
         cpu_seconds_total{mode=\"user\"} 4.2007246e+06\n\
         # TYPE things counter\n\
         things_total 17.0\n\
         things_total{mode=\"user\"} 4.2007246e+06\n\
         # EOF\n"
    );
}

#[test]
fn texts_are_escaped() {
    let mut metric = gauge(f64::NEG_INFINITY);
    metric.set_label(vec![label("a", "x\\\"\n"), label("b", "")]);
    let help = "Says \"a\",\nthen \\n.";
    let family = family("bytes", help, MetricType::GAUGE, vec![metric]);
    assert_eq!(
        text(&[family], &Newest::default()).unwrap(),
        "# TYPE bytes gauge\n\
         # HELP bytes Says \\\"a\\\",\\nthen \\\\n.\n\
         bytes{a=\"x\\\\\\\"\\n\",b=\"\"} -Inf\n\
         # EOF\n"
    );
}

#[test]
fn buckets_have_the_exemplars_of_their_own_series() {
    let labelled = |value| vec![label("a", value)];
    let metrics = vec![
        histogram(&[(0.5, 1), (1.0, 3)], 4, 9.25, labelled("1")),
        histogram(&[(0.5, 0), (1.0, 0)], 0, 0.0, labelled("2")),
    ];
    let series = Series::new("wait_seconds", [("a".to_owned(), "1".to_owned())]);
    let kept = vec![
        None,
        Some(exemplar(0.75, 10, 1_520_879_607_089)),
        Some(exemplar(7.0, 11, 0)),
    ];
    let family = family("wait_seconds", "", MetricType::HISTOGRAM, metrics);
    assert_eq!(
        text(&[family], &[(series, kept)].into_iter().collect()).unwrap(),
        "# TYPE wait_seconds histogram\n\
         # UNIT wait_seconds seconds\n\
         wait_seconds_bucket{a=\"1\",le=\"0.5\"} 1\n\
         wait_seconds_bucket{a=\"1\",le=\"1.0\"} 3 \
         # {trace_id=\"0000000000000000000000000000000a\",span_id=\"000000000000000a\"} 0.75 1520879607.089\n\
         wait_seconds_bucket{a=\"1\",le=\"+Inf\"} 4 \
         # {trace_id=\"0000000000000000000000000000000b\",span_id=\"000000000000000b\"} 7.0 0.000\n\
         wait_seconds_sum{a=\"1\"} 9.25\n\
         wait_seconds_count{a=\"1\"} 4\n\
         wait_seconds_bucket{a=\"2\",le=\"0.5\"} 0\n\
         wait_seconds_bucket{a=\"2\",le=\"1.0\"} 0\n\
         wait_seconds_bucket{a=\"2\",le=\"+Inf\"} 0\n\
         wait_seconds_sum{a=\"2\"} 0.0\n\
         wait_seconds_count{a=\"2\"} 0\n\
         # EOF\n"
    );
}

#[test]
fn nothing_is_an_exposition_too() {
    assert_eq!(text(&[], &Newest::default()).unwrap(), "# EOF\n");
}

#[test]
fn a_type_that_nothing_here_has_is_refused() {
    let family = family("s", "", MetricType::SUMMARY, vec![Metric::default()]);
    assert!(text(&[family], &Newest::default()).is_err());
}

#[test]
fn what_the_exporter_calls_a_series_is_what_its_exemplars_are_found_by() {
    const BOUNDS: &[f64] = &[0.25, 1.0];
    static KEPT: exemplars::Registry = exemplars::Registry::new();
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .without_target_info()
        .build()
        .unwrap();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = provider.meter("test");
    let sampled = |id| {
        let (trace, span) = (TraceId::from(u128::from(id)), SpanId::from(id));
        SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE)
    };

    let time = TracedHistogram::kept_in(&KEPT, &meter, "open.test-1.time", "s", "Time.", BOUNDS);
    let attributes = [
        KeyValue::new("z.state", "O\"K\""),
        KeyValue::new("a-port", 443),
        KeyValue::new("is_new", true),
    ];
    time.bind(&attributes).record(0.5, &sampled(0x1_u64));
    let size = TracedHistogram::kept_in(&KEPT, &meter, "open.test.size", "By", "Size.", BOUNDS);
    size.bind(&[]).record(0.25, &sampled(0x2_u64));
    let number = TracedHistogram::kept_in(&KEPT, &meter, "open.test.number", "{thing}", "Number.", BOUNDS);
    number.bind(&[]).record(3.0, &sampled(0x3_u64));

    let exemplars = KEPT.newest();
    let text = text(&registry.gather(), &exemplars).unwrap();
    let labels = r#"a_port="443",is_new="true",z_state="O\"K\"""#;
    for (bucket, value, id) in [
        (
            format!("open_test_1_time_seconds_bucket{{{labels},le=\"1.0\"}} 1"),
            "0.5",
            1,
        ),
        ("open_test_size_bytes_bucket{le=\"0.25\"} 1".to_owned(), "0.25", 2),
        ("open_test_number_bucket{le=\"+Inf\"} 1".to_owned(), "3.0", 3),
    ] {
        let start = format!("{bucket} # {{trace_id=\"{id:032x}\",span_id=\"{id:016x}\"}} {value} ");
        let line = text.lines().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("{start} is not in\n{text}"));
        let time: f64 = line[start.len()..].parse().unwrap();
        assert!(time > 1_700_000_000.0, "{line}");
    }
    assert_eq!(text.matches(" # {").count(), 3);
}
