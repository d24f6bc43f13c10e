//! The keys there are: those of [`Settings`], nested ones with dots.

use config::{Map, Value, ValueKind};
use pkgfs_daemon::Settings;

/// Tables whose keys are a user's own.
const OPEN: [&str; 1] = ["locations"];

/// All keys.
pub(crate) fn all() -> Vec<String> {
    flat(&Settings::default()).into_iter().map(|(key, _)| key).collect()
}

/// All keys with their values as JSON, in the order of [`Settings`]' fields.
pub(crate) fn flat(settings: &Settings) -> Vec<(String, serde_json::Value)> {
    let mut found = Vec::new();
    // Settings without a path that is not UTF-8 always have a JSON form.
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(settings) {
        for (name, value) in fields {
            match value {
                serde_json::Value::Object(nested) if !OPEN.contains(&&*name) => found.extend(
                    nested.into_iter().map(|(inner, value)| (format!("{name}.{inner}"), value)),
                ),
                value => found.push((name, value)),
            }
        }
    }
    found
}

/// The keys in a table; an empty table inside counts as one.
pub(crate) fn of_table(table: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in table {
        match &value.kind {
            ValueKind::Table(_) if OPEN.contains(&name.as_str()) => found.push(name.clone()),
            ValueKind::Table(nested) if nested.is_empty() => {
                // `[origin]` with everything commented out says nothing, and is no mistake.
                if !all().iter().any(|key| key.starts_with(&format!("{name}."))) {
                    found.push(name.clone());
                }
            }
            ValueKind::Table(nested) => {
                found.extend(of_table(nested).into_iter().map(|key| format!("{name}.{key}")));
            }
            _ => found.push(name.clone()),
        }
    }
    found.sort();
    found
}

/// The known key that looks most like this one; the last part alone counts too, for a
/// key that was put into the wrong table.
pub(crate) fn nearest(key: &str, known: &[String]) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_lowercase();
    let likeness = |candidate: &String| {
        let whole = strsim::jaro_winkler(&key.to_lowercase(), candidate);
        whole.max(strsim::jaro_winkler(&last(key), &last(candidate)) * 0.98)
    };
    known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_across_tables_and_cases() {
        let known = all();
        for (wrong, right) in [
            ("stroe", "store"),
            ("repository", "repositories"),
            ("parallel", "origin.parallel"),
            ("orgin.paralel", "origin.parallel"),
            ("Allow-Other", "allow_other"),
            ("registration.deadline_seconds", "origin.deadline_seconds"),
            ("on_lookup", "registration.on_lookup"),
        ] {
            assert_eq!(nearest(wrong, &known), right, "{wrong}");
        }
    }
}
