//! Where layers lie: files where the system keeps configuration, and variables.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use config::{ConfigError as ReadError, Map, Source, Value, ValueKind};

use super::{ConfigError, keys};
use crate::sys;

const PREFIX: &str = "PKGFS_";
/// Names the user's file, as `--config` does; no setting.
const FILE: &str = "PKGFS_CONFIG";
/// What tests put in the place of ProjFS; no settings.
const OF_TESTS: &str = "PKGFS_PROJFS_";

/// The file given by flag or variable.
pub(super) fn given_file(flag: Option<&Path>) -> Option<PathBuf> {
    let variable = || env::var_os(FILE).filter(|value| !value.is_empty()).map(PathBuf::from);
    flag.map(Path::to_owned).or_else(variable)
}

/// The files to read, in order, and whether each must exist.
pub(super) fn files(given: Option<&Path>) -> Vec<(PathBuf, bool)> {
    let file = |directory: PathBuf| directory.join("pkgfs").join("config.toml");
    let system = sys::system_configuration().into_iter();
    let mut found: Vec<_> = system.map(|directory| (file(directory), false)).collect();
    if let Some(given) = given {
        found.push((given.to_owned(), true));
        return found;
    }
    found.extend(sys::user_configuration().map(|directory| (file(directory), false)));
    found
}

/// One variable as a layer: `PKGFS_ORIGIN_PARALLEL` sets `origin.parallel`. A list of
/// paths is split as `PATH` is, a command at blanks.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    key: String,
    text: String,
}

impl Variable {
    /// All that are settings. An unknown one is an error: a misspelt setting must not
    /// be passed over.
    pub(super) fn among(
        variables: impl Iterator<Item = (OsString, OsString)>,
        known: &[String],
    ) -> Result<Vec<Self>, ConfigError> {
        let name_of = |key: &String| format!("{PREFIX}{}", key.replace('.', "_").to_uppercase());
        let mut set = Vec::new();
        for (name, text) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            if name == FILE || name.starts_with(OF_TESTS) {
                continue;
            }
            let Some(key) = known.iter().find(|key| name_of(key) == name) else {
                let plain = name[PREFIX.len()..].to_lowercase();
                let flat: Vec<String> = known.iter().map(|key| key.replace('.', "_")).collect();
                let nearest = name_of(&keys::nearest(&plain, &flat));
                return Err(ConfigError::UnknownVariable { name: name.to_owned(), nearest });
            };
            let text = text.into_string().map_err(|_| ConfigError::WrongValue {
                place: super::Place::Variable(name.to_owned()),
                reason: "its value is not UTF-8".to_owned(),
            })?;
            set.push(Self { name: name.to_owned(), key: key.clone(), text });
        }
        set.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(set)
    }
}

impl Source for Variable {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ReadError> {
        let list = |parts: Vec<&str>| {
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            ValueKind::Array(parts.map(|part| Value::new(Some(&self.name), part)).collect())
        };
        let kind = match self.key.as_str() {
            "repositories" => list(self.text.split(sys::LIST_SEPARATOR).collect()),
            "rez.config_command" | "rez.python_command" => {
                list(self.text.split_whitespace().collect())
            }
            _ => ValueKind::String(self.text.clone()),
        };
        let value = Value::new(Some(&self.name), kind);
        Ok(match self.key.split_once('.') {
            None => Map::from_iter([(self.key.clone(), value)]),
            Some((table, inner)) => {
                let table_value = Map::from_iter([(inner.to_owned(), value)]);
                let nested = Value::new(Some(&self.name), ValueKind::Table(table_value));
                Map::from_iter([(table.to_owned(), nested)])
            }
        })
    }
}
