//! rez's settings, as far as they decide what is cached.
//!
//! The values are those of `rez-config --json`, which prints the whole configuration with overrides and
//! environment applied. A setting that is not there, because rez is older (2.112) or a text was cut down
//! by hand, takes rez's default, those that depend on the user's environment included; one of the
//! wrong type is an error, for rez would refuse it too.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The settings, named as in rez's `rezconfig.py`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct RezSettings {
    /// Where packages are looked for, in order.
    pub packages_path: Vec<String>,
    /// The repository of a developer's own builds, never cached. To be compared with handles it must
    /// be canonical: whoever can read the path should replace it by its real path.
    pub local_packages_path: String,
    /// The repository that releases go to.
    pub release_packages_path: String,
    /// Repositories below it are temporary, never cached. Compared as it is spelled.
    pub tmpdir: String,
    /// The cache itself, if there is one.
    pub cache_packages_path: Option<String>,
    /// What goes for a package that says nothing; `None` leaves it to relocatability.
    pub default_cachable: Option<bool>,
    /// The same by package name.
    #[serde(deserialize_with = "flags")]
    pub default_cachable_per_package: BTreeMap<String, bool>,
    /// The same by repository location, which must be spelled as in handles.
    #[serde(deserialize_with = "flags")]
    pub default_cachable_per_repository: BTreeMap<String, bool>,
    /// What goes for a package that says nothing about being moved.
    pub default_relocatable: bool,
    /// The same by package name.
    #[serde(deserialize_with = "flags")]
    pub default_relocatable_per_package: BTreeMap<String, bool>,
    /// The same by repository location.
    #[serde(deserialize_with = "flags")]
    pub default_relocatable_per_repository: BTreeMap<String, bool>,
    /// Whether local packages are cached after all.
    pub package_cache_local: bool,
    /// Whether packages on the cache's own device are cached after all.
    pub package_cache_same_device: bool,
    /// Bytes that stay free on the cache's device.
    pub package_cache_space_buffer: u64,
    /// Percentage in use above which rez sizes a variant before it copies it.
    pub package_cache_used_threshold: f64,
    /// Days after which an unused variant is removed; 0 or less is never.
    pub package_cache_max_variant_days: f64,
    /// Whether a definition right in the family's directory makes an unversioned package.
    pub allow_unversioned_packages: bool,
    /// Whether `_v` is looked at for hashed variants.
    pub use_variant_shortlinks: bool,
    /// The name of that directory.
    pub variant_shortlinks_dirname: String,
    /// Whether rez looks payloads up in the cache.
    pub read_package_cache: bool,
    /// Whether rez adds payloads to the cache.
    pub write_package_cache: bool,
    /// Whether it does so in the background.
    pub package_cache_async: bool,
    /// Names of definition files without extension, the first found counts
    /// (`plugins.package_repository.filesystem`).
    pub package_filenames: Vec<String>,
    /// Whether a version directory without a definition is no package (same place).
    pub check_package_definition_files: bool,
    /// The directory in a repository's root that rez keeps its locks in, never a family (same place).
    pub file_lock_dir: Option<String>,
}

/// Why a text is not rez's configuration.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No JSON object could be read.
    #[error(
        "what `rez-config --json` printed is not a JSON object: {0}; run it by hand to see what it says"
    )]
    Json(#[source] serde_json::Error),
    /// A setting has the wrong type.
    #[error("rez's configuration holds a setting of an unexpected type: {0}; see `rez-config`")]
    Type(#[source] serde_json::Error),
}

impl RezSettings {
    /// rez's own defaults, for a user's home directory and the system's directory of temporary files.
    pub fn defaults(home: &Path, tmpdir: &Path) -> Self {
        let below_home = |path: &str| home.join(path).to_string_lossy().into_owned();
        let local = below_home("packages");
        let release = below_home(".rez/packages/int");
        Self {
            packages_path: vec![local.clone(), release.clone(), below_home(".rez/packages/ext")],
            local_packages_path: local,
            release_packages_path: release,
            tmpdir: tmpdir.to_string_lossy().into_owned(),
            cache_packages_path: None,
            default_cachable: Some(false),
            default_cachable_per_package: BTreeMap::new(),
            default_cachable_per_repository: BTreeMap::new(),
            default_relocatable: true,
            default_relocatable_per_package: BTreeMap::new(),
            default_relocatable_per_repository: BTreeMap::new(),
            package_cache_local: false,
            package_cache_same_device: false,
            package_cache_space_buffer: 100 << 20,
            package_cache_used_threshold: 80.0,
            package_cache_max_variant_days: 30.0,
            allow_unversioned_packages: true,
            use_variant_shortlinks: true,
            variant_shortlinks_dirname: crate::variant::SHORTLINKS_DIR.to_owned(),
            read_package_cache: true,
            write_package_cache: true,
            package_cache_async: true,
            package_filenames: vec!["package".to_owned()],
            check_package_definition_files: false,
            file_lock_dir: None,
        }
    }

    /// The settings in the output of `rez-config --json`. Warnings printed before the object are
    /// passed over.
    pub fn from_rez_config(json: &[u8]) -> Result<Self, SettingsError> {
        // rez prints the object on one line of its own, warnings on others.
        let start = if json.starts_with(b"{") {
            0
        } else {
            json.windows(2).position(|pair| pair == b"\n{").map_or(0, |line| line + 1)
        };
        let value: Value = serde_json::from_slice(&json[start..]).map_err(SettingsError::Json)?;
        let Value::Object(mut settings) = value else {
            return Err(SettingsError::Json(serde::de::Error::custom("it is of another type")));
        };
        let plugins = settings.remove("plugins").unwrap_or_default();
        if let Some(plugin) = plugins.pointer("/package_repository/filesystem") {
            for name in ["package_filenames", "check_package_definition_files", "file_lock_dir"] {
                if let Some(setting) = plugin.get(name) {
                    settings.insert(name.to_owned(), setting.clone());
                }
            }
        }
        serde_json::from_value(Value::Object(settings)).map_err(SettingsError::Type)
    }
}

impl Default for RezSettings {
    /// The defaults of rez 3.4.0 for the user and the environment of this process.
    fn default() -> Self {
        Self::defaults(&env::home_dir().unwrap_or_default(), &temporary_directory())
    }
}

/// The first that Python's `tempfile.gettempdir` tries. An empty `tmpdir` would be below every
/// repository's location, so there always is one.
fn temporary_directory() -> PathBuf {
    ["TMPDIR", "TEMP", "TMP"]
        .iter()
        .filter_map(env::var_os)
        .map(PathBuf::from)
        .find(|path| path.is_absolute())
        .unwrap_or_else(env::temp_dir)
}

/// A table of flags, which rez takes as they are and asks for their truth: `null` is the same as not
/// being there, and a null table is an empty one.
fn flags<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, bool>, D::Error> {
    let table: Option<BTreeMap<String, Value>> = Deserialize::deserialize(deserializer)?;
    Ok(table
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(key, value)| Some((key, truth(&value)?)))
        .collect())
}

/// Python's truth of a value; `None` for `null`.
fn truth(value: &Value) -> Option<bool> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printed_has_rezs_default() {
        let settings = RezSettings::from_rez_config(b"{\"default_cachable\": true}").unwrap();
        let expected = RezSettings { default_cachable: Some(true), ..RezSettings::default() };
        assert_eq!(settings, expected);
        assert!(Path::new(&settings.tmpdir).is_absolute(), "{}", settings.tmpdir);
        assert!(Path::new(&settings.local_packages_path).ends_with("packages"));
        assert_eq!(settings.packages_path.len(), 3);
    }

    #[test]
    fn flags_are_taken_for_true_as_python_does() {
        let text = br#"warning: {odd}
{"default_cachable_per_package": {"a": 1, "b": 0, "c": null, "d": "no", "e": ""},
 "default_cachable_per_repository": null}"#;
        let settings = RezSettings::from_rez_config(text).unwrap();
        let flags = &settings.default_cachable_per_package;
        let expected = [("a", true), ("b", false), ("d", true), ("e", false)];
        assert!(flags.iter().map(|(key, value)| (key.as_str(), *value)).eq(expected), "{flags:?}");
        assert!(settings.default_cachable_per_repository.is_empty());
    }

    #[test]
    fn other_texts_are_no_settings() {
        for text in ["", "nothing", "[]", "{\"tmpdir\": ", "no such setting"] {
            let error = RezSettings::from_rez_config(text.as_bytes()).unwrap_err();
            assert!(matches!(error, SettingsError::Json(_)), "{text}: {error}");
        }
        for text in ["{\"tmpdir\": 1}", "{\"default_cachable\": \"yes\"}"] {
            let error = RezSettings::from_rez_config(text.as_bytes()).unwrap_err();
            assert!(matches!(error, SettingsError::Type(_)), "{text}: {error}");
        }
    }
}
