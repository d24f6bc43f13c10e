//! What is asked, and what rez answers.

use std::path::PathBuf;

use pkgfs_rez::VariantHandle;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A question; `worker.py` has a function for each topic.
#[derive(Debug, Serialize)]
pub(crate) struct Question {
    topic: &'static str,
    about: Value,
}

impl Question {
    pub(crate) fn package(location: &str, name: &str, version: Option<&str>) -> Self {
        let about = json!({ "location": location, "name": name, "version": version });
        Self { topic: "package", about }
    }

    pub(crate) fn newest(request: &str, locations: &[String]) -> Self {
        Self { topic: "newest", about: json!({ "request": request, "locations": locations }) }
    }

    pub(crate) fn matching(request: &str, packages: &[(String, Option<String>)]) -> Self {
        Self { topic: "matching", about: json!({ "request": request, "packages": packages }) }
    }
}

/// A package as rez sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ToldPackage {
    /// Its name.
    pub name: String,
    /// Its version; none where it is unversioned.
    pub version: Option<String>,
    /// Its repository, as rez spells it in handles.
    pub location: String,
    /// rez's `Package.is_cachable`.
    pub cachable: bool,
    /// rez's `Package.is_local`, which a package's own `config` can change.
    pub local: bool,
    /// Its variants; one without an index where it has none.
    pub variants: Vec<ToldVariant>,
}

/// A variant as rez sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ToldVariant {
    /// Its place among the package's variants.
    pub index: Option<u32>,
    /// Where its payload lies.
    pub root: Option<PathBuf>,
    /// Why it has no place; a combined family's never has.
    pub why: Option<String>,
}

impl ToldPackage {
    /// The handles of its variants.
    pub fn handles(&self) -> impl Iterator<Item = VariantHandle> + '_ {
        self.variants.iter().map(|variant| VariantHandle {
            location: self.location.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            index: variant.index,
        })
    }
}
