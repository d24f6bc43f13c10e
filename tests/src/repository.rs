//! A rez repository on disk, and the packages in it.

use std::fs;
use std::path::{Path, PathBuf};

use pkgfs_rez::VariantHandle;
use serde_json::json;

/// A repository: where its packages are released to, and where they are read from.
#[derive(Clone, Debug)]
pub struct Repository {
    source: PathBuf,
    location: PathBuf,
}

impl Repository {
    pub(crate) fn new(source: PathBuf, location: PathBuf) -> Self {
        Self { source, location }
    }

    /// The directory on the local disk that holds it.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Where rez and pkgfs see it: behind the stand-in, if there is one.
    #[must_use]
    pub fn location(&self) -> &Path {
        &self.location
    }

    /// Releases a package without variants; `payload` fills its directory, which it is given.
    /// Without a version it is an unversioned package.
    pub fn release<'a>(
        &self,
        name: &str,
        version: impl Into<Option<&'a str>>,
        payload: impl FnOnce(&Path),
    ) {
        let version = version.into();
        let directory = self.directory(name, version);
        fs::create_dir_all(&directory).unwrap();
        payload(&directory);
        define(&directory, name, version, "");
    }

    /// Releases a package with a plain variant for each list of requires; `payload` is called
    /// for each with its index and root.
    pub fn release_variants<'a>(
        &self,
        name: &str,
        version: impl Into<Option<&'a str>>,
        variants: &[&[&str]],
        mut payload: impl FnMut(u32, &Path),
    ) {
        let version = version.into();
        let directory = self.directory(name, version);
        for (index, requires) in (0..).zip(variants) {
            let root = requires.iter().fold(directory.clone(), |root, part| root.join(part));
            fs::create_dir_all(&root).unwrap();
            payload(index, &root);
        }
        define(&directory, name, version, &format!("variants = {}\n", json!(variants)));
    }

    /// rez's handle of a variant.
    #[must_use]
    pub fn handle<'a>(
        &self,
        name: &str,
        version: impl Into<Option<&'a str>>,
        index: impl Into<Option<u32>>,
    ) -> VariantHandle {
        VariantHandle {
            location: self.location.to_str().unwrap().to_owned(),
            name: name.to_owned(),
            version: version.into().map(ToOwned::to_owned),
            index: index.into(),
        }
    }

    /// A package's directory on the local disk.
    #[must_use]
    pub fn directory<'a>(&self, name: &str, version: impl Into<Option<&'a str>>) -> PathBuf {
        let family = self.source.join(name);
        version.into().map_or_else(|| family.clone(), |version| family.join(version))
    }
}

/// Writes the definition, last: a release appears with it.
fn define(directory: &Path, name: &str, version: Option<&str>, further: &str) {
    let version = version.map_or_else(String::new, |version| format!("version = {version:?}\n"));
    let text = format!("name = {name:?}\n{version}cachable = True\n{further}");
    fs::write(directory.join("package.py"), text).unwrap();
}
