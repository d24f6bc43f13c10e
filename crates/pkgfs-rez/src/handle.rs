//! rez's handle of a variant in a filesystem repository.
//!
//! A handle is what rez writes into the cache to say which variant a payload is, and what it compares
//! to find it again (`ResourceHandle` in utils/resources.py, `VariantResource` in
//! package_resources.py). It comes from files that any permitted user can write, so [`from_dict`]
//! takes nothing that rez would not write: a handle that exists has a valid name and version, and a
//! normalised absolute location.
//!
//! [`from_dict`]: VariantHandle::from_dict

use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use crate::{
    names::{self, NO_VERSION},
    pyrepr,
};

/// The resource key of a variant in a filesystem repository.
pub const VARIANT_KEY: &str = "filesystem.variant";
/// The only repository type whose variants have a root on disk.
pub const REPOSITORY_TYPE: &str = "filesystem";

/// What identifies one variant: repository, package, version and index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariantHandle {
    /// The repository's canonical path, as rez's `canonical_path` gives it.
    pub location: String,
    /// The package's name.
    pub name: String,
    /// The version's directory name; `None` for an unversioned package.
    pub version: Option<String>,
    /// The variant's index; `None` for a package without variants.
    pub index: Option<u32>,
}

/// Why something is not the handle of a variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// The handle, or its `variables`, is not a JSON object.
    #[error("the handle's {0} is not a JSON object; rez did not write this")]
    NotAnObject(&'static str),
    /// An entry that rez always writes is missing.
    #[error("the handle has no {0:?}; rez did not write this")]
    Missing(&'static str),
    /// An entry that rez never writes.
    #[error("the handle has an unknown entry {0:?}; this rez may be newer than pkgfs knows")]
    Unknown(String),
    /// Not the key of a variant in a filesystem repository.
    #[error(
        "{0:?} is not {VARIANT_KEY:?}: only variants of filesystem repositories have a payload"
    )]
    Key(String),
    /// The repository is of another type.
    #[error("repository type {0:?} has no payload on disk; only {REPOSITORY_TYPE:?} does")]
    RepositoryType(String),
    /// An entry's value has a type that rez never writes.
    #[error("the handle's {entry:?} is {found}, not {expected}")]
    Type {
        /// Which entry.
        entry: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The location is not a normalised absolute path.
    #[error("repository location {0:?} is not a normalised absolute path")]
    Location(String),
    /// The name is not one that rez accepts.
    #[error("{0:?} is not a valid package name")]
    Name(String),
    /// The version is not one that rez accepts.
    #[error("{0:?} is not a valid package version")]
    Version(String),
}

impl VariantHandle {
    /// Reads what rez's `ResourceHandle.to_dict` wrote.
    pub fn from_dict(value: &Value) -> Result<Self, HandleError> {
        let dict = value.as_object().ok_or(HandleError::NotAnObject("outside"))?;
        refuse_unknown(dict, &["key", "variables"])?;
        let key = text(dict, "key")?;
        if key != VARIANT_KEY {
            return Err(HandleError::Key(key.to_owned()));
        }
        let variables = dict
            .get("variables")
            .ok_or(HandleError::Missing("variables"))?
            .as_object()
            .ok_or(HandleError::NotAnObject("\"variables\""))?;
        refuse_unknown(variables, &["repository_type", "location", "name", "version", "index"])?;

        let repository_type = text(variables, "repository_type")?;
        if repository_type != REPOSITORY_TYPE {
            return Err(HandleError::RepositoryType(repository_type.to_owned()));
        }
        let location = text(variables, "location")?;
        if !is_normalised(location) {
            return Err(HandleError::Location(location.to_owned()));
        }
        let name = text(variables, "name")?;
        if !names::is_valid_package_name(name) {
            return Err(HandleError::Name(name.to_owned()));
        }
        Ok(Self {
            location: location.to_owned(),
            name: name.to_owned(),
            version: version(variables)?,
            index: index(variables)?,
        })
    }

    /// The handle as rez's `to_dict` gives it. An unversioned package has no `version` entry
    /// (`PackageResource.normalize_variables`), a package without variants has `"index": null`.
    pub fn to_dict(&self) -> Value {
        let mut variables = json!({
            "location": self.location,
            "name": self.name,
            "index": self.index,
            "repository_type": REPOSITORY_TYPE,
        });
        if let Some(version) = &self.version {
            variables["version"] = json!(version);
        }
        json!({ "key": VARIANT_KEY, "variables": variables })
    }

    /// The text that `json.dumps(handle.to_dict())` gives in rez, entry for entry.
    pub fn to_json(&self) -> String {
        let version = self
            .version
            .as_ref()
            .map(|version| format!("\"version\": {}, ", pyrepr::json_string(version)))
            .unwrap_or_default();
        let index = self.index.map_or_else(|| "null".to_owned(), |index| index.to_string());
        format!(
            "{{\"key\": \"{VARIANT_KEY}\", \"variables\": {{\"location\": {}, \"name\": {}, {version}\"index\": \
             {index}, \"repository_type\": \"{REPOSITORY_TYPE}\"}}}}",
            pyrepr::json_string(&self.location),
            pyrepr::json_string(&self.name),
        )
    }

    /// The directory below the version that holds the registrations of this and of colliding
    /// handles: the first four hex digits of `sha1(str(handle._hashable_repr()))`
    /// (`PackageCache._get_hash_path`).
    pub fn h4(&self) -> String {
        let digest = Sha1::digest(self.hashable_repr().as_bytes());
        format!("{:02x}{:02x}", digest[0], digest[1])
    }

    fn hashable_repr(&self) -> String {
        let index = self.index.map_or_else(|| "None".to_owned(), |index| index.to_string());
        let version = self
            .version
            .as_ref()
            .map(|version| format!(", ('version', {})", pyrepr::string(version)))
            .unwrap_or_default();
        format!(
            "('{VARIANT_KEY}', (('index', {index}), ('location', {}), ('name', {}), ('repository_type', \
             '{REPOSITORY_TYPE}'){version}))",
            pyrepr::string(&self.location),
            pyrepr::string(&self.name),
        )
    }

    /// The name of the version's directory in the cache.
    pub fn version_dir(&self) -> &str {
        self.version.as_deref().unwrap_or(NO_VERSION)
    }

    /// The package's own directory at origin, which holds its definition.
    pub fn package_dir(&self) -> String {
        let mut path = format!("{}/{}", self.location.trim_end_matches('/'), self.name);
        if let Some(version) = &self.version {
            path.push('/');
            path.push_str(version);
        }
        path
    }

    /// rez's URI of the variant, `/repo/foo/1.0.0/package.py[0]`, for a definition in `package.py`.
    pub fn uri(&self) -> String {
        self.uri_with("package.py")
    }

    /// rez's URI of the variant, given the name of the file that defines the package.
    pub fn uri_with(&self, definition: &str) -> String {
        let index = self.index.map(|index| index.to_string()).unwrap_or_default();
        format!("{}/{definition}[{index}]", self.package_dir())
    }

    /// rez's qualified name of the package, `foo-1.0.0` or `foo`.
    pub fn package_name(&self) -> String {
        match &self.version {
            Some(version) => format!("{}-{version}", self.name),
            None => self.name.clone(),
        }
    }

    /// rez's qualified name of the variant, `foo-1.0.0[0]` or `foo[]`.
    pub fn qualified_name(&self) -> String {
        let index = self.index.map(|index| index.to_string()).unwrap_or_default();
        format!("{}[{index}]", self.package_name())
    }
}

fn refuse_unknown(dict: &Map<String, Value>, known: &[&str]) -> Result<(), HandleError> {
    match dict.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(HandleError::Unknown(unknown.clone())),
        None => Ok(()),
    }
}

fn text<'a>(dict: &'a Map<String, Value>, entry: &'static str) -> Result<&'a str, HandleError> {
    let value = dict.get(entry).ok_or(HandleError::Missing(entry))?;
    value.as_str().ok_or(HandleError::Type { entry, expected: "a string", found: kind(value) })
}

/// What rez throws out as "no version" reads as none; anything else must be a version it can parse.
fn version(variables: &Map<String, Value>) -> Result<Option<String>, HandleError> {
    match variables.get("version") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::String(version)) if version.is_empty() || version == NO_VERSION => Ok(None),
        Some(Value::String(version)) if names::is_valid_version_dir(version) => {
            Ok(Some(version.clone()))
        }
        Some(Value::String(version)) => Err(HandleError::Version(version.clone())),
        Some(other) => {
            Err(HandleError::Type { entry: "version", expected: "a string", found: kind(other) })
        }
    }
}

fn index(variables: &Map<String, Value>) -> Result<Option<u32>, HandleError> {
    let value = variables.get("index").ok_or(HandleError::Missing("index"))?;
    if value.is_null() {
        return Ok(None);
    }
    match value.as_u64().map(u32::try_from) {
        Some(Ok(index)) => Ok(Some(index)),
        _ => Err(HandleError::Type {
            entry: "index",
            expected: "null or a small whole number from 0",
            found: kind(value),
        }),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "some other number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Whether a path can have come out of `os.path.normpath(os.path.realpath(…))`: absolute, and no
/// component empty, `.` or `..`. Windows shapes (`c:\…`, `c:/…`, `\\server\share`, `//server/share`)
/// pass by the same rule; with backslashes, which `normpath` makes of all slashes there, no slash does.
pub(crate) fn is_normalised(location: &str) -> bool {
    if location.contains('\0') {
        return false;
    }
    let Some((rest, separator)) = below_root(location) else { return false };
    if separator == '\\' && rest.contains('/') {
        return false;
    }
    rest.is_empty() || rest.split(separator).all(|part| !matches!(part, "" | "." | ".."))
}

fn below_root(location: &str) -> Option<(&str, char)> {
    for (share, separator) in [("\\\\", '\\'), ("//", '/')] {
        if let Some(rest) = location.strip_prefix(share) {
            return (!rest.is_empty()).then_some((rest, separator));
        }
    }
    let mut start = location.chars();
    if start.next().is_some_and(|drive| drive.is_ascii_alphabetic())
        && let Some(rest) = start.as_str().strip_prefix(':')
        && let Some(separator) = rest.chars().next().filter(|first| matches!(first, '/' | '\\'))
    {
        return Some((&rest[1..], separator));
    }
    location.strip_prefix('/').map(|rest| (rest, '/'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn handle(
        location: &str,
        name: &str,
        version: Option<&str>,
        index: Option<u32>,
    ) -> VariantHandle {
        VariantHandle {
            location: location.into(),
            name: name.into(),
            version: version.map(str::to_owned),
            index,
        }
    }

    #[test]
    fn hash_directories_are_those_seen_in_a_real_cache() {
        assert_eq!(handle("/sw/pkg", "numpy", Some("2.2.6"), None).h4(), "8418");
        assert_eq!(handle("/sw/pkg", "usd_core", Some("25.5.1"), None).h4(), "daa4");
    }

    #[test]
    fn a_handle_survives_the_way_through_json() {
        for handle in [
            handle("/sw/pkg", "numpy", Some("2.2.6"), Some(3)),
            handle("/", "a.b", None, None),
            handle("c:\\packages", "x", Some("1"), None),
            handle("/tür/\u{1f600} \"q\"", "x", Some("1"), None),
        ] {
            assert_eq!(VariantHandle::from_dict(&handle.to_dict()).unwrap(), handle);
            let parsed: Value = serde_json::from_str(&handle.to_json()).unwrap();
            assert_eq!(parsed, handle.to_dict());
        }
    }

    #[test]
    fn a_location_with_separators_of_two_systems_is_not_normalised() {
        assert!(is_normalised("c:\\sw\\pkg") && is_normalised("c:/sw/pkg"));
        for mixed in ["c:\\sw/pkg", "c:\\sw\\pkg/", "\\\\server\\sw/pkg"] {
            assert!(!is_normalised(mixed), "{mixed}");
        }
    }

    #[test]
    fn an_unversioned_handle_has_no_version_entry_however_it_came() {
        for version in [Value::Null, json!(""), json!(false), json!(NO_VERSION)] {
            let mut dict = handle("/r", "foo", None, None).to_dict();
            assert!(dict["variables"].get("version").is_none());
            dict["variables"]["version"] = version;
            assert_eq!(VariantHandle::from_dict(&dict).unwrap().version, None);
        }
    }

    #[test]
    fn whatever_rez_would_not_write_is_refused() {
        let good = handle("/r", "foo", Some("1"), Some(0)).to_dict();
        let with = |entry: &str, value: Value| {
            let mut dict = good.clone();
            dict["variables"][entry] = value;
            VariantHandle::from_dict(&dict).unwrap_err()
        };
        for location in ["", "r", "../r", "/r/../s", "/r/", "/r//s", "/./r", "/r\0", "c:r", "\\\\"]
        {
            assert_eq!(with("location", json!(location)), HandleError::Location(location.into()));
        }
        for name in ["", "..", "a/b", "a\0", "foo bar", "__pycache__"] {
            assert_eq!(with("name", json!(name)), HandleError::Name(name.into()));
        }
        for version in ["..", "a/b", "1..2", "1\0", ".1"] {
            assert_eq!(with("version", json!(version)), HandleError::Version(version.into()));
        }
        for index in
            [json!(-1), json!(1.0), json!(true), json!("0"), json!(4_294_967_296_u64), json!([])]
        {
            assert!(matches!(with("index", index), HandleError::Type { entry: "index", .. }));
        }
        assert!(matches!(with("version", json!(1)), HandleError::Type { entry: "version", .. }));
        assert!(matches!(with("name", json!(null)), HandleError::Type { entry: "name", .. }));
        assert_eq!(
            with("repository_type", json!("memory")),
            HandleError::RepositoryType("memory".into())
        );
        assert_eq!(with("ext", json!("py")), HandleError::Unknown("ext".into()));

        for entry in ["location", "name", "index", "repository_type"] {
            let mut dict = good.clone();
            dict["variables"].as_object_mut().unwrap().remove(entry);
            assert!(
                matches!(VariantHandle::from_dict(&dict), Err(HandleError::Missing(missing)) if missing == entry)
            );
        }
        let combined = json!({ "key": "filesystem.variant.combined", "variables": {} });
        assert!(matches!(VariantHandle::from_dict(&combined), Err(HandleError::Key(_))));
        for shape in [json!(null), json!([]), json!("x")] {
            assert!(matches!(VariantHandle::from_dict(&shape), Err(HandleError::NotAnObject(_))));
        }
        let flat = json!({ "key": VARIANT_KEY, "variables": [] });
        assert!(matches!(VariantHandle::from_dict(&flat), Err(HandleError::NotAnObject(_))));
    }

    #[test]
    fn uris_are_those_rez_prints() {
        assert_eq!(
            handle("/repo", "foo", Some("1.0.0"), Some(0)).uri(),
            "/repo/foo/1.0.0/package.py[0]"
        );
        assert_eq!(
            handle("/repo", "bar", None, None).uri_with("package.yaml"),
            "/repo/bar/package.yaml[]"
        );
        assert_eq!(handle("/", "bar", None, None).uri(), "/bar/package.py[]");
        assert_eq!(handle("/repo", "foo", Some("1.0.0"), Some(0)).qualified_name(), "foo-1.0.0[0]");
        assert_eq!(handle("/repo", "bar", None, None).qualified_name(), "bar[]");
    }
}
