//! The catalogue as the page `docs/events.md`.

use std::fmt::{self, Display, Write};

use super::{
    Catalogue, Entry,
    field::Field,
    types::{Holds, Type},
};

/// The page.
pub(crate) fn page(catalogue: &Catalogue) -> String {
    let mut out = String::new();
    write_page(catalogue, &mut out).expect("a String takes every write");
    out
}

fn write_page(catalogue: &Catalogue, out: &mut String) -> fmt::Result {
    out.push_str(
        "# Events\n\n\
         <!-- Generated from the contracts and the services' code: run scripts/catalogue. -->\n\n\
         Every event of the platform: what it means, who publishes it, who consumes it. \
         `waybill events catalogue` prints the same, and [asyncapi.yaml](asyncapi.yaml) is the same for \
         programs. [evolving-events.md](evolving-events.md) says how an event changes.\n\n\
         | event | happens when | routing key | published by | consumed by |\n|---|---|---|---|---|\n",
    );
    for event in &catalogue.events {
        let title = title(event);
        writeln!(
            out,
            "| [{title}](#{}) | {} | `{}` | {} | {} |",
            anchor(&title),
            cell(&event.meaning),
            event.routing_key,
            listed(&event.publishers),
            listed(event.consumers.iter().map(|consumer| consumer.service)),
        )?;
    }
    for event in &catalogue.events {
        write_event(event, out)?;
    }
    out.push_str("\n## Types\n");
    for used in &catalogue.types {
        write_type(used, out)?;
    }
    Ok(())
}

fn write_event(event: &Entry, out: &mut String) -> fmt::Result {
    let queues = event
        .consumers
        .iter()
        .map(|consumer| format!("{} from `{}`", consumer.service, consumer.queue));
    writeln!(out, "\n## {}\n\n{}\n", title(event), event.meaning)?;
    writeln!(
        out,
        "- type: `{}` ([{file}](../proto/{file}))",
        event.type_name,
        file = event.file
    )?;
    writeln!(
        out,
        "- routing key: `{}`, version {}",
        event.routing_key, event.version
    )?;
    writeln!(out, "- aggregate: `{}`", event.aggregate_id)?;
    writeln!(out, "- published by: {}", listed(&event.publishers))?;
    writeln!(out, "- consumed by: {}\n", listed(queues))?;
    write_fields(&event.fields, out)?;
    writeln!(out, "\n```json\n{}\n```", event.example_text.trim_end())
}

fn write_type(used: &Type, out: &mut String) -> fmt::Result {
    writeln!(out, "\n### {}\n\n{}\n", used.name, used.meaning)?;
    match &used.holds {
        Holds::Fields(_, fields) => write_fields(fields, out),
        Holds::Values(values) => {
            out.push_str("| value | number | meaning |\n|---|---|---|\n");
            values.iter().try_for_each(|(name, number, meaning)| {
                writeln!(out, "| `{name}` | {number} | {} |", cell(meaning))
            })
        }
    }
}

fn write_fields(fields: &[Field], out: &mut String) -> fmt::Result {
    out.push_str("| field | number | type | meaning |\n|---|---|---|---|\n");
    fields.iter().try_for_each(|field| {
        let described_here = field
            .named
            .as_ref()
            .filter(|name| !name.starts_with(super::types::WELL_KNOWN));
        let type_text = match described_here {
            Some(name) => format!("[{}](#{})", field.type_text, anchor(name)),
            None => field.type_text.clone(),
        };
        let (name, number, meaning) = (&field.name, field.number, cell(&field.meaning));
        writeln!(out, "| `{name}` | {number} | {type_text} | {meaning} |")
    })
}

/// Name and version, so that two versions of an event have headings of their own.
fn title(event: &Entry) -> String {
    format!("{} {}", event.name(), event.version)
}

/// What a heading is called in links, as code hosts make it: lower case, without dots, blanks as hyphens.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace('.', "").replace(' ', "-")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn listed(items: impl IntoIterator<Item = impl Display>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() {
        "nobody".to_owned()
    } else {
        items.join(", ")
    }
}
