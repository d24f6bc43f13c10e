//! `pkgfs config`: the settings in force and where each came from.

use std::fmt::Write;

use crate::{
    cli::ConfigArguments,
    config::{self, InForce},
    output::Outcome,
};

pub(crate) fn run(arguments: &ConfigArguments) -> anyhow::Result<Outcome> {
    let in_force = config::load(&arguments.settings)?;
    let rows = rows(&in_force);
    if arguments.json {
        let object: serde_json::Map<_, _> = rows
            .into_iter()
            .map(|(key, value, from)| (key, serde_json::json!({ "value": value, "from": from })))
            .collect();
        return Ok(format!("{}\n", serde_json::to_string_pretty(&object)?).into());
    }
    let shown: Vec<_> = rows
        .into_iter()
        .map(|(key, value, from)| match value {
            serde_json::Value::Null => (format!("# {key} is not set"), from),
            // JSON's strings, numbers, booleans and lists of them are TOML's.
            value => (format!("{key} = {value}"), from),
        })
        .collect();
    let width = shown.iter().map(|(line, _)| line.len()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for (line, from) in shown {
        writeln!(text, "{line:width$}  # {from}")?;
    }
    Ok(text.into())
}

fn rows(in_force: &InForce) -> Vec<(String, serde_json::Value, String)> {
    let from = |key: &str| in_force.origins.get(key).map(ToString::to_string).unwrap_or_default();
    config::flat(&in_force.settings)
        .into_iter()
        .map(|(key, value)| {
            let from = from(&key);
            (key, value, from)
        })
        .collect()
}
