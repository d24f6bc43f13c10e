//! The attributes that decide a payload's place, and the types rez demands of them.
//!
//! rez validates an attribute when it is first asked for (`package_pod_schema` in
//! package_resources.py), so a wrong type in one of these breaks the package for rez as well, while
//! a wrong type anywhere else does not matter here.

use super::Obstacle;

/// What a definition says, as far as payloads are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// `name`, if it is plainly a string. rez goes by the directory's name instead.
    pub name: Option<String>,
    /// `version`, if it is plainly a string. rez goes by the directory's name instead.
    pub version: Option<String>,
    /// The requirements of each variant, as written; empty for a package without variants.
    pub variants: Vec<Vec<String>>,
    /// Whether payloads lie in directories named by a hash of their requirements.
    pub hashed_variants: bool,
    /// What the package says about being cached.
    pub cachable: Option<bool>,
    /// What the package says about being moved.
    pub relocatable: Option<bool>,
    /// Whether there is a `timestamp`. If not, [`super::LEGACY_RELEASE_FILE`] beside the definition
    /// may override all of this, and where that file exists only rez can tell.
    pub has_timestamp: bool,
}

/// A value, as far as it is told apart here.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Str(String),
    Bool(bool),
    None,
    List(Vec<Value>),
    /// Anything else, by the name of its Python type.
    Other(&'static str),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Str(_) => "a string",
            Self::Bool(_) => "a boolean",
            Self::None => "None",
            Self::List(_) => "a list",
            Self::Other(kind) => kind,
        }
    }
}

/// The attributes read so far; a later assignment replaces an earlier one.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    name: Option<Value>,
    version: Option<Value>,
    variants: Option<(Value, u32)>,
    hashed_variants: Option<(Value, u32)>,
    cachable: Option<(Value, u32)>,
    relocatable: Option<(Value, u32)>,
    has_timestamp: bool,
}

/// What an attribute is to the place of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Its value must be known.
    Decides,
    /// Its mere presence leaves the answer to rez.
    OnlyRez,
    /// Whatever it is does not matter.
    Nothing,
}

/// What the attribute `name` is to the place of a payload. `config` decides through
/// `local_packages_path`, which a package can override for its own `is_local`; `_redirected_base`
/// moves the payload (`FileSystemPackageResource.base`).
pub(super) fn weight(name: &str) -> Weight {
    match name {
        "name" | "version" | "variants" | "hashed_variants" | "cachable" | "relocatable"
        | "timestamp" => Weight::Decides,
        "config" | "_redirected_base" => Weight::OnlyRez,
        _ => Weight::Nothing,
    }
}

impl Attributes {
    /// Takes an assignment; `value` is not looked at where it does not matter.
    pub(super) fn assign(&mut self, name: &str, value: &Value, line: u32) -> Result<(), Obstacle> {
        if weight(name) == Weight::OnlyRez {
            return Err(Obstacle::not_literal(
                format!("an attribute {name:?}, which changes what other attributes mean"),
                line,
            ));
        }
        let value = value.clone();
        match name {
            "name" => self.name = Some(value),
            "version" => self.version = Some(value),
            "variants" => self.variants = Some((value, line)),
            "hashed_variants" => self.hashed_variants = Some((value, line)),
            "cachable" => self.cachable = Some((value, line)),
            "relocatable" => self.relocatable = Some((value, line)),
            "timestamp" => self.has_timestamp = true,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn into_definition(self) -> Result<Definition, Obstacle> {
        Ok(Definition {
            name: string(self.name),
            version: string(self.version),
            variants: variants(self.variants)?,
            hashed_variants: match self.hashed_variants {
                None => false,
                Some((Value::Bool(hashed), _)) => hashed,
                Some((other, line)) => {
                    return Err(wrong("hashed_variants", &other, "True or False", line));
                }
            },
            cachable: tristate("cachable", self.cachable)?,
            relocatable: tristate("relocatable", self.relocatable)?,
            has_timestamp: self.has_timestamp,
        })
    }
}

fn string(value: Option<Value>) -> Option<String> {
    match value {
        Some(Value::Str(text)) => Some(text),
        _ => None,
    }
}

fn tristate(name: &str, value: Option<(Value, u32)>) -> Result<Option<bool>, Obstacle> {
    match value {
        None | Some((Value::None, _)) => Ok(None),
        Some((Value::Bool(value), _)) => Ok(Some(value)),
        Some((other, line)) => Err(wrong(name, &other, "True, False or None", line)),
    }
}

fn variants(value: Option<(Value, u32)>) -> Result<Vec<Vec<String>>, Obstacle> {
    const EXPECTED: &str = "a list of lists of strings";
    let Some((value, line)) = value else { return Ok(Vec::new()) };
    let Value::List(variants) = value else {
        return Err(wrong("variants", &value, EXPECTED, line));
    };
    let requirement = |value| match value {
        Value::Str(text) => Ok(text),
        other => Err(wrong("a requirement in variants", &other, "a string", line)),
    };
    variants
        .into_iter()
        .map(|variant| match variant {
            Value::List(requirements) => requirements.into_iter().map(requirement).collect(),
            other => Err(wrong("a variant", &other, "a list of strings", line)),
        })
        .collect()
}

fn wrong(name: &str, value: &Value, expected: &str, line: u32) -> Obstacle {
    Obstacle::broken(format!("{name} is {}; rez takes {expected}", value.kind()), line)
}
