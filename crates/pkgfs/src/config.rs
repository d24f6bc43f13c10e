//! The settings in force, and where each came from.
//!
//! Layers, each over the one before: defaults; the system's files; the user's file, or
//! the one given by `--config` or `PKGFS_CONFIG`; `PKGFS_*` variables; flags. The
//! crate `config` reads and merges them. The keys are those of [`Settings`]: a layer
//! is checked by itself before it is merged, so that an error names it.

mod keys;
mod layers;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
};

use config::{Config, File, FileFormat, Source};
use pkgfs_daemon::Settings;

use crate::cli::{FileFlag, SettingFlags};
pub(crate) use keys::flat;
use layers::Variable;

/// Settings, and for each key the layer that set it.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) settings: Settings,
    pub(crate) origins: BTreeMap<String, Place>,
}

/// A layer, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Built in.
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Why the settings cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A file that was named is not there, or one cannot be read.
    #[error("cannot read the configuration {}: {source}; correct the path, or the file's mode", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It is not TOML.
    #[error("{} is not valid TOML: {reason}", path.display())]
    Syntax { path: PathBuf, reason: String },
    /// A key that means nothing.
    #[error("{place}: unknown key `{key}`: did you mean `{nearest}`?")]
    UnknownKey { place: Place, key: String, nearest: String },
    /// A variable that means nothing.
    #[error("unknown variable {name}: did you mean {nearest}?")]
    UnknownVariable { name: String, nearest: String },
    /// A value of the wrong kind.
    #[error("{place}: {reason}")]
    WrongValue { place: Place, reason: String },
    /// A path that depends on where the command is run.
    #[error("{place}: `{key}` must be an absolute path (or begin with ~/), not {}", path.display())]
    RelativePath { place: Place, key: &'static str, path: PathBuf },
}

/// Reads all layers.
pub(crate) fn load(flags: &SettingFlags) -> Result<InForce, ConfigError> {
    let mut reading = Reading::new();
    let given = layers::given_file(flags.file.path.as_deref());
    for (path, required) in layers::files(given.as_deref()) {
        reading.file(&path, required)?;
    }
    reading.variables(std::env::vars_os())?;
    let mut in_force = reading.end()?;
    apply(flags, &mut in_force)?;
    Ok(in_force)
}

/// Reads all layers for a command that takes no setting but `--config`.
pub(crate) fn load_with(file: &FileFlag) -> Result<InForce, ConfigError> {
    load(&SettingFlags { file: FileFlag { path: file.path.clone() }, ..SettingFlags::default() })
}

/// Layers as they are read, one over the other.
pub(crate) struct Reading {
    merged: config::ConfigBuilder<config::builder::DefaultState>,
    known: Vec<String>,
    in_force: InForce,
}

impl Reading {
    pub(crate) fn new() -> Self {
        let known = keys::all();
        let origins = known.iter().map(|key| (key.clone(), Place::Default)).collect();
        let in_force = InForce { settings: Settings::default(), origins };
        Self { merged: Config::builder(), known, in_force }
    }

    fn file(&mut self, path: &Path, required: bool) -> Result<(), ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if !required && is_absent(&error) => return Ok(()),
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        };
        self.text(path, &text)
    }

    pub(crate) fn text(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        self.layer(&Place::File(path.to_owned()), File::from_str(text, FileFormat::Toml))
    }

    pub(crate) fn variables(
        &mut self,
        set: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), ConfigError> {
        for variable in Variable::among(set, &self.known)? {
            self.layer(&Place::Variable(variable.name.clone()), variable)?;
        }
        Ok(())
    }

    pub(crate) fn end(self) -> Result<InForce, ConfigError> {
        let mut in_force = self.in_force;
        absolute_paths(&mut in_force)?;
        Ok(in_force)
    }

    fn layer<S>(&mut self, place: &Place, source: S) -> Result<(), ConfigError>
    where
        S: Source + Send + Sync + 'static,
    {
        let values = source.collect().map_err(|error| match place {
            Place::File(path) => {
                ConfigError::Syntax { path: path.clone(), reason: one_line(&error.to_string()) }
            }
            _ => ConfigError::WrongValue {
                place: place.clone(),
                reason: one_line(&error.to_string()),
            },
        })?;
        for key in keys::of_table(&values) {
            if !self.known.contains(&key) {
                let nearest = keys::nearest(&key, &self.known);
                return Err(ConfigError::UnknownKey { place: place.clone(), key, nearest });
            }
            self.in_force.origins.insert(key, place.clone());
        }
        self.merged = std::mem::take(&mut self.merged).add_source(source);
        let merged = self.merged.build_cloned().and_then(Config::try_deserialize);
        self.in_force.settings = merged.map_err(|error| ConfigError::WrongValue {
            place: place.clone(),
            reason: one_line(&error.to_string()),
        })?;
        Ok(())
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Files and variables are read from anywhere, so their paths must not depend on where.
fn absolute_paths(in_force: &mut InForce) -> Result<(), ConfigError> {
    let settings = &mut in_force.settings;
    let store = [("store", &mut settings.store)];
    let mountpoint = settings.mountpoint.iter_mut().map(|path| ("mountpoint", path));
    let repositories = settings.repositories.iter_mut().map(|path| ("repositories", path));
    for (key, path) in store.into_iter().chain(mountpoint).chain(repositories) {
        if let (Ok(below), Some(home)) = (path.strip_prefix("~"), std::env::home_dir()) {
            *path = home.join(below);
        }
        if !path.is_absolute() {
            let place = in_force.origins.get(key).cloned().unwrap_or(Place::Default);
            return Err(ConfigError::RelativePath { place, key, path: path.clone() });
        }
    }
    Ok(())
}

/// Flags are relative to the current directory, as everywhere.
fn apply(flags: &SettingFlags, in_force: &mut InForce) -> Result<(), ConfigError> {
    let absolute = |flag, path: &Path| {
        std::path::absolute(path).map_err(|error| ConfigError::WrongValue {
            place: Place::Flag(flag),
            reason: format!("{}: {error}", path.display()),
        })
    };
    let InForce { settings, origins } = in_force;
    if let Some(store) = &flags.store {
        settings.store = absolute("--store", store)?;
        origins.insert("store".to_owned(), Place::Flag("--store"));
    }
    if !flags.repositories.is_empty() {
        settings.repositories = flags
            .repositories
            .iter()
            .map(|path| absolute("--repo", path))
            .collect::<Result<_, _>>()?;
        origins.insert("repositories".to_owned(), Place::Flag("--repo"));
    }
    if flags.allow_other {
        settings.allow_other = true;
        origins.insert("allow_other".to_owned(), Place::Flag("--allow-other"));
    }
    Ok(())
}
