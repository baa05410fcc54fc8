//! What the standard `OTEL_*` variables of the OpenTelemetry specification say about export.
//!
//! They are the environment's own words, the same for every program, so they have no flag and no key
//! of ours. What is read here decides whether and how something is exported; the rest (limits,
//! batches, headers, resource attributes) the OpenTelemetry SDK reads itself.

use super::{Error, Origin, ServerUrl};

/// How telemetry is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC, by convention to port 4317.
    Grpc,
    /// OTLP over HTTP with protobuf bodies, by convention to port 4318; the specification's default.
    HttpProtobuf,
}

/// What is exported. Nothing, unless a variable asks for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Otel {
    /// How spans are sent, if they are.
    pub traces: Option<Protocol>,
    /// How metrics are sent, if they are. Prometheus can fetch them in any case.
    pub metrics: Option<Protocol>,
    /// Whether a caller decides for what follows from its call, as all samplers but three have it.
    pub is_parent_based: bool,
}

/// Samplers of the specification that the SDK knows.
const SAMPLERS: &[&str] = &[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// An OpenTelemetry variable: its name and what it takes.
struct Variable {
    name: &'static str,
    takes: &'static str,
}

const DISABLED: Variable = Variable {
    name: "OTEL_SDK_DISABLED",
    takes: "true or false",
};
const TRACES_EXPORTER: Variable = Variable {
    name: "OTEL_TRACES_EXPORTER",
    takes: "otlp or none",
};
const METRICS_EXPORTER: Variable = Variable {
    name: "OTEL_METRICS_EXPORTER",
    takes: "otlp, prometheus or none, joined by commas",
};
const SAMPLER: Variable = Variable {
    name: "OTEL_TRACES_SAMPLER",
    takes: "always_on, always_off, traceidratio, or one of them after parentbased_",
};
const SAMPLER_ARG: Variable = Variable {
    name: "OTEL_TRACES_SAMPLER_ARG",
    takes: "a ratio from 0 to 1",
};
const ENDPOINTS: &[Variable] = &[
    endpoint("OTEL_EXPORTER_OTLP_ENDPOINT"),
    endpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    endpoint("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
];
const TRACES_PROTOCOLS: &[Variable] = &[
    protocol("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
    protocol("OTEL_EXPORTER_OTLP_PROTOCOL"),
];
const METRICS_PROTOCOLS: &[Variable] = &[
    protocol("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"),
    protocol("OTEL_EXPORTER_OTLP_PROTOCOL"),
];

const fn endpoint(name: &'static str) -> Variable {
    let takes = "http://HOST:PORT or https://HOST:PORT";
    Variable { name, takes }
}

const fn protocol(name: &'static str) -> Variable {
    let takes = "grpc or http/protobuf";
    Variable { name, takes }
}

impl Variable {
    fn refuse(&self, value: &str) -> Error {
        Error::Invalid {
            key: self.name,
            value: ServerUrl::masked(value),
            origin: Origin::Variable,
            takes: self.takes,
        }
    }
}

impl Otel {
    /// What variables say, each looked up with `get`. Empty ones count as not set, as the
    /// specification has it.
    pub(super) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let said = |variable: &Variable| get(variable.name).filter(|value| !value.is_empty());
        for variable in ENDPOINTS {
            if let Some(value) = said(variable) {
                ServerUrl::parse(&value, &["http", "https"]).ok_or_else(|| variable.refuse(&value))?;
            }
        }
        let is_parent_based = is_parent_based(&said)?;
        let traces_protocol = first_protocol(TRACES_PROTOCOLS, &said)?;
        let metrics_protocol = first_protocol(METRICS_PROTOCOLS, &said)?;
        // An endpoint asks for traces. It does not ask for metrics: who receives traces, as Jaeger
        // does, need not take them, and Prometheus fetches them anyway.
        let traces = match said(&TRACES_EXPORTER).as_deref() {
            Some("otlp") => true,
            Some("none") => false,
            Some(other) => return Err(TRACES_EXPORTER.refuse(other)),
            None => ENDPOINTS[..2].iter().any(|endpoint| said(endpoint).is_some()),
        };
        let metrics = metrics_are_pushed(said(&METRICS_EXPORTER))?;
        let is_disabled = match said(&DISABLED).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(DISABLED.refuse(other)),
        };
        Ok(Self {
            traces: (traces && !is_disabled).then_some(traces_protocol),
            metrics: (metrics && !is_disabled).then_some(metrics_protocol),
            is_parent_based,
        })
    }
}

fn is_parent_based(said: &impl Fn(&Variable) -> Option<String>) -> Result<bool, Error> {
    let sampler = said(&SAMPLER).unwrap_or_else(|| "parentbased_always_on".to_owned());
    if !SAMPLERS.contains(&sampler.as_str()) {
        return Err(SAMPLER.refuse(&sampler));
    }
    // Without a ratio everything is sampled, as the specification has it.
    if sampler.ends_with("traceidratio")
        && let Some(ratio) = said(&SAMPLER_ARG)
        && !ratio.parse().is_ok_and(|ratio: f64| (0.0..=1.0).contains(&ratio))
    {
        return Err(SAMPLER_ARG.refuse(&ratio));
    }
    Ok(sampler.starts_with("parentbased_"))
}

fn first_protocol(
    variables: &[Variable],
    said: &impl Fn(&Variable) -> Option<String>,
) -> Result<Protocol, Error> {
    for variable in variables {
        match said(variable).as_deref() {
            Some("grpc") => return Ok(Protocol::Grpc),
            Some("http/protobuf") => return Ok(Protocol::HttpProtobuf),
            Some(other) => return Err(variable.refuse(other)),
            None => {}
        }
    }
    Ok(Protocol::HttpProtobuf)
}

fn metrics_are_pushed(said: Option<String>) -> Result<bool, Error> {
    let Some(said) = said else { return Ok(false) };
    let mut exporters = said.split(',').map(str::trim);
    if exporters
        .clone()
        .all(|name| matches!(name, "otlp" | "prometheus" | "none"))
    {
        Ok(exporters.any(|name| name == "otlp"))
    } else {
        Err(METRICS_EXPORTER.refuse(&said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Otel, Error> {
        Otel::read(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_is_exported_unless_somebody_asks() {
        for quiet in [
            &[] as &[(&str, &str)],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
            &[("OTEL_METRICS_EXPORTER", "prometheus")],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318"),
                ("OTEL_TRACES_EXPORTER", "none"),
            ],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318"),
                ("OTEL_SDK_DISABLED", "true"),
            ],
        ] {
            let otel = read(quiet).unwrap();
            assert_eq!((otel.traces, otel.metrics), (None, None), "{quiet:?}");
        }
    }

    #[test]
    fn an_endpoint_asks_for_traces_and_a_signals_own_variable_wins() {
        let otel = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318")]).unwrap();
        assert_eq!(otel.traces, Some(Protocol::HttpProtobuf));
        assert_eq!(otel.metrics, None);
        assert!(otel.is_parent_based);
        let otel = read(&[
            ("OTEL_TRACES_EXPORTER", "otlp"),
            ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ])
        .unwrap();
        assert_eq!(otel.traces, Some(Protocol::Grpc));
        assert_eq!(otel.metrics, Some(Protocol::HttpProtobuf));
        assert!(!otel.is_parent_based);
    }

    #[test]
    fn what_no_variable_takes_is_told_with_what_it_takes() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "jaeger:4317"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://u:secret@h"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_TRACES_EXPORTER", "console"),
            ("OTEL_METRICS_EXPORTER", "otlp,console"),
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.1"),
            ("OTEL_SDK_DISABLED", "yes"),
        ] {
            let sampled = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
            let line = read(&[(name, value), sampled]).unwrap_err().to_string();
            assert!(line.starts_with("environment: OTEL_"), "{line}");
            assert!(line.contains("but takes") && !line.contains("secret"), "{line}");
        }
    }
}
