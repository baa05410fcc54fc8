//! A dashboard of Grafana: its panels, and what they ask Prometheus.

use serde_json::Value;

use crate::files::{in_folder, read, stem};

/// A dashboard.
pub(crate) struct Dashboard {
    /// Name of its file.
    pub(crate) name: String,
    /// All of it.
    pub(crate) json: Value,
}

/// Something that a dashboard asks Prometheus.
pub(crate) struct Question {
    /// Where: the dashboard, and the panel or variable.
    pub(crate) place: String,
    /// In PromQL, with values for variables.
    pub(crate) expression: String,
}

/// What Grafana would put for its own variables. Five minutes hold all that a test does.
const WINDOWS: &[(&str, &str)] = &[("$__rate_interval", "5m"), ("$__range", "5m")];

impl Dashboard {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let files = in_folder("observability/grafana/dashboards", ".json");
        let dashboard = |path: &std::path::PathBuf| Self {
            name: stem(path),
            json: serde_json::from_str(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        };
        files.iter().map(dashboard).collect()
    }

    /// Its panels, rows among them.
    pub(crate) fn panels(&self) -> &[Value] {
        array(&self.json["panels"])
    }

    /// Its panels without the rows that group them.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Value> {
        self.panels().iter().filter(|panel| panel["type"] != "row")
    }

    /// Its variables.
    pub(crate) fn variables(&self) -> &[Value] {
        array(&self.json["templating"]["list"])
    }

    /// What its panels and its variables ask.
    pub(crate) fn questions(&self) -> Vec<Question> {
        let mut questions = Vec::new();
        for panel in self.shown() {
            for target in array(&panel["targets"]) {
                questions.push(self.question(&panel["title"], text(&target["expr"])));
            }
        }
        for variable in self.variables().iter().filter(|v| v["type"] == "query") {
            // label_values(METRIC, LABEL)
            let query = text(&variable["definition"]);
            let inner = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'));
            let (metric, label) = inner.and_then(|inner| inner.rsplit_once(", ")).expect(query);
            questions.push(self.question(&variable["name"], &format!("group by ({label}) ({metric})")));
        }
        questions
    }

    fn question(&self, place: &Value, expression: &str) -> Question {
        let mut expression = expression.to_owned();
        for (variable, value) in WINDOWS {
            expression = expression.replace(variable, value);
        }
        for variable in self.variables().iter().filter(|v| v["type"] == "query") {
            let name = format!("${}", text(&variable["name"]));
            expression = expression.replace(&name, text(&variable["allValue"]));
        }
        let place = format!("{}: {}", self.name, text(place));
        assert!(!expression.contains('$'), "{place}: {expression}");
        Question { place, expression }
    }
}

/// The items of a list, or none.
pub(crate) fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text, or an empty one.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
