//! What the exporter calls a time series, so that its exemplars are found when it is written.

use opentelemetry::KeyValue;

/// Name of a metric family and labels of one of its metrics, as they are exported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    family: String,
    labels: Vec<(String, String)>,
}

impl Series {
    /// That of these labels, whatever their order.
    pub(crate) fn new(family: &str, labels: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut labels: Vec<_> = labels.into_iter().collect();
        labels.sort_unstable();
        Self {
            family: family.to_owned(),
            labels,
        }
    }

    /// That into which the exporter turns these attributes.
    pub(super) fn recorded(family: &str, attributes: &[KeyValue]) -> Self {
        let label = |attribute: &KeyValue| (exported(attribute.key.as_str()), attribute.value.to_string());
        Self::new(family, attributes.iter().map(label))
    }
}

/// The metric family of the instrument `name`. Of units these are the ones that instruments here have
/// and the exporter writes out; one in braces only explains what is counted.
pub(super) fn family(name: &str, unit: &str) -> String {
    let suffix = match unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    exported(name) + suffix
}

/// Names start with a letter, so that no other rule applies than this one.
fn exported(name: &str) -> String {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().map(|c| if is_taken(c) { c } else { '_' }).collect()
}
