//! What Jaeger tells of a trace, in the words of OpenTelemetry rather than of its own older model.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::Value;

/// Everything that Jaeger received under one trace id.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Its id, in hexadecimal digits.
    pub trace_id: String,
    /// Its spans, earliest first, and the longest of those that start in the same microsecond.
    pub spans: Vec<Span>,
}

/// One step of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its id, in hexadecimal digits.
    pub span_id: String,
    /// The span that it is part of, if any.
    pub parent_id: Option<String>,
    /// The trace that it belongs to.
    pub trace_id: String,
    /// What it did.
    pub name: String,
    /// `server`, `client`, `producer`, `consumer` or `internal`.
    pub kind: String,
    /// Who did it: `service.name` of its resource.
    pub service: String,
    /// What it says about itself: texts, numbers and truth values. A list comes as its JSON, in a text.
    pub attributes: BTreeMap<String, Value>,
    /// What its process says about itself, the service's name aside.
    pub resource: BTreeMap<String, Value>,
    /// Trace id and span id of what it follows from without being part of it.
    pub links: Vec<(String, String)>,
    /// Whether it failed.
    pub status_is_error: bool,
    /// What its status says beyond that, if anything.
    pub status_description: Option<String>,
    /// When it started, in microseconds since 1970.
    pub start_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}

impl Trace {
    /// The span of that name. Panics unless there is exactly one.
    pub fn span(&self, name: &str) -> &Span {
        let mut spans = self.spans.iter().filter(|span| span.name == name);
        match (spans.next(), spans.next()) {
            (Some(span), None) => span,
            _ => panic!("not exactly one {name} in {self:#?}"),
        }
    }

    /// The spans that are directly part of `span`.
    pub fn children<'a>(&'a self, span: &'a Span) -> impl Iterator<Item = &'a Span> {
        let is_child = |other: &&Span| other.parent_id.as_ref() == Some(&span.span_id);
        self.spans.iter().filter(is_child)
    }

    /// A trace as the query API writes it.
    pub(super) fn read(trace: &Value) -> Self {
        let spans = trace["spans"].as_array().into_iter().flatten();
        let mut spans: Vec<_> = spans.map(|span| Span::read(span, &trace["processes"])).collect();
        // Jaeger tells them in no order. The ids make it one and the same for equal times.
        spans.sort_by_cached_key(|span| (span.start_us, Reverse(span.duration_us), span.span_id.clone()));
        Self {
            trace_id: text(&trace["traceID"]),
            spans,
        }
    }
}

impl Span {
    fn read(span: &Value, processes: &Value) -> Self {
        let process = &processes[text(&span["processID"])];
        let mut attributes = tags(&span["tags"]);
        // These are no attributes for OpenTelemetry: Jaeger's older model has no other place for them.
        let kind = attributes.remove("span.kind");
        let error = attributes.remove("error");
        attributes.remove("otel.status_code");
        let description = attributes.remove("otel.status_description");
        Self {
            span_id: text(&span["spanID"]),
            parent_id: references(span, "CHILD_OF").next().map(|(_, span_id)| span_id),
            trace_id: text(&span["traceID"]),
            name: text(&span["operationName"]),
            kind: kind.map_or_else(|| "internal".to_owned(), |kind| text(&kind)),
            service: text(&process["serviceName"]),
            attributes,
            resource: tags(&process["tags"]),
            links: references(span, "FOLLOWS_FROM").collect(),
            status_is_error: error == Some(Value::Bool(true)),
            status_description: description.map(|description| text(&description)),
            start_us: number(&span["startTime"]),
            duration_us: number(&span["duration"]),
        }
    }
}

/// What `span` refers to in that way: trace id and span id.
fn references<'a>(span: &'a Value, how: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let all = span["references"].as_array().into_iter().flatten();
    all.filter(move |reference| reference["refType"] == how)
        .map(|reference| (text(&reference["traceID"]), text(&reference["spanID"])))
}

fn tags(list: &Value) -> BTreeMap<String, Value> {
    let tags = list.as_array().into_iter().flatten();
    tags.map(|tag| (text(&tag["key"]), tag["value"].clone()))
        .collect()
}

fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_else(|| panic!("not a text: {value}"));
    text.to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}
