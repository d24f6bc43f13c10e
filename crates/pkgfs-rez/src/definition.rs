//! What a package's definition file says about its payloads, read without running it.
//!
//! rez *executes* `package.py` and loads `package.yaml` with PyYAML (serialise.py). Of what comes out,
//! six attributes decide where a variant's payload is and whether it may be cached. [`read`] gives them
//! for definitions made of literals, which is what rez writes on release; everything else is
//! [`Reading::NotLiteral`] with the reason, and only rez itself can tell.
//!
//! The invariant: a [`Reading::Literal`] holds what rez would load, or rez would fail to load it.

mod nesting;
mod python;
mod value;
mod yaml;

pub use value::Definition;

/// Beyond this many bytes a definition is not read: real ones have a few thousand.
pub const MAX_BYTES: usize = 1 << 20;

/// A file that old releases left beside the definition. If the definition has no `timestamp`, rez
/// lets every entry of this file override the definition's (`FileSystemPackageResource._load`).
pub const LEGACY_RELEASE_FILE: &str = "release.yaml";

/// The language a definition is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `package.py`
    Python,
    /// `package.yaml`
    Yaml,
}

impl Format {
    /// The extension of its files, without the dot; also rez's name of the format.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Python => "py",
            Self::Yaml => "yaml",
        }
    }

    /// The format of a definition file, by its extension as rez goes by it.
    pub fn of_file(name: &str) -> Option<Self> {
        match name.rsplit_once('.') {
            Some((_, "py")) => Some(Self::Python),
            Some((_, "yaml")) => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// What reading a definition came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The definition says this, in literals.
    Literal(Definition),
    /// Only rez can tell what the definition says.
    NotLiteral {
        /// What stands in the way, as a phrase to follow "it has" (`an import`).
        what: String,
        /// The line it is on, from 1; 0 where no single line is at fault.
        line: u32,
    },
    /// rez could not use this definition either.
    Broken {
        /// What is wrong, as a sentence without its full stop.
        why: String,
        /// The line it is on, from 1; 0 where no single line is at fault.
        line: u32,
    },
}

/// Reads the text of a definition file.
pub fn read(text: &[u8], format: Format) -> Reading {
    if text.len() > MAX_BYTES {
        let what = format!("{} bytes, more than the {MAX_BYTES} that are read here", text.len());
        return Reading::NotLiteral { what, line: 0 };
    }
    let attributes = match format {
        Format::Python => python::attributes(text),
        Format::Yaml => yaml::attributes(text),
    };
    match attributes.and_then(value::Attributes::into_definition) {
        Ok(definition) => Reading::Literal(definition),
        Err(Obstacle::NotLiteral { what, line }) => Reading::NotLiteral { what, line },
        Err(Obstacle::Broken { why, line }) => Reading::Broken { why, line },
    }
}

/// Why there is no [`Definition`].
#[derive(Debug)]
enum Obstacle {
    NotLiteral { what: String, line: u32 },
    Broken { why: String, line: u32 },
}

impl Obstacle {
    fn not_literal(what: impl Into<String>, line: u32) -> Self {
        Self::NotLiteral { what: what.into(), line }
    }

    fn broken(why: impl Into<String>, line: u32) -> Self {
        Self::Broken { why: why.into(), line }
    }
}
