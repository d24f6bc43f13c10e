//! What origin's repositories offer: from a name or a handle to a variant that may be
//! served.
//!
//! The rules are rez's (`pkgfs-rez`); here they meet what lies at origin. Definitions
//! that are not literal are never guessed: their variants are not offered, and rez goes
//! on without us.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_manifest::Timestamp;
use pkgfs_origin::{Origin, OriginError};
use pkgfs_rez::{
    Definition, Format, Reading, RezSettings, VariantHandle, definition::LEGACY_RELEASE_FILE,
};

use crate::asked::Asked;

/// Longest definition that is read. rez's own are a few kilobytes.
const LONGEST_DEFINITION: u64 = 1 << 20;

/// A variant that may be served.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub handle: VariantHandle,
    pub root: PathBuf,
    /// When the root's directory was last changed.
    pub root_mtime: Timestamp,
}

/// Why a variant is not offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOffered {
    /// Nothing of the kind at origin.
    #[error("{0}: not found")]
    Absent(String),
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// A reason to tell the user.
    #[error("{0}")]
    Told(String),
}

/// A definition as far as it is known.
#[derive(Debug, Clone)]
enum Defined {
    Absent,
    Literal(Arc<Definition>),
    /// Not offered, for this reason.
    Not(Arc<str>),
}

/// A package of a repository: location, name, version.
type Package = (PathBuf, Box<str>, Option<Box<str>>);

pub(crate) struct Repositories {
    origin: Origin,
    /// As rez computes them: absolute, links resolved.
    locations: Vec<PathBuf>,
    rez: RezSettings,
    /// Device of the store: packages on the same one gain nothing by a copy.
    store_device: u64,
    definitions: Asked<Package, Defined>,
    directories: Asked<PathBuf, bool>,
}

impl Repositories {
    pub(crate) fn new(
        origin: Origin,
        locations: Vec<PathBuf>,
        rez: RezSettings,
        store_device: u64,
        valid: Duration,
    ) -> Self {
        Self {
            origin,
            locations,
            rez,
            store_device,
            definitions: Asked::new(valid),
            directories: Asked::new(valid),
        }
    }

    pub(crate) fn locations(&self) -> &[PathBuf] {
        &self.locations
    }

    /// Forgets what origin said.
    pub(crate) fn forget(&self) {
        self.definitions.forget();
        self.directories.forget();
    }

    /// Whether some repository has a directory at this path below it.
    pub(crate) async fn have(&self, below: &Path) -> Result<bool, OriginError> {
        for location in &self.locations {
            let path = location.join(below);
            let there = self
                .directories
                .get(path.clone(), async || match self.origin.stat(&path).await {
                    Ok(stat) => Ok(stat.is_dir()),
                    Err(OriginError::NotFound { .. } | OriginError::NotADirectory { .. }) => {
                        Ok(false)
                    }
                    Err(error) => Err(error),
                })
                .await?;
            if there {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All variants of a package whose `<h4>` is this one, from every repository, and why
    /// some repository's are not offered.
    pub(crate) async fn variants(
        &self,
        name: &str,
        version_dir: &str,
        h4: &str,
    ) -> Result<(Vec<VariantHandle>, Vec<Arc<str>>), OriginError> {
        let version = (version_dir != pkgfs_rez::names::NO_VERSION).then_some(version_dir);
        let mut found = Vec::new();
        let mut not_offered = Vec::new();
        for location in &self.locations {
            let Some(location_text) = location.to_str() else { continue };
            let definition = match self.definition(location, name, version).await? {
                Defined::Literal(definition) => definition,
                Defined::Absent => continue,
                Defined::Not(reason) => {
                    not_offered.push(reason);
                    continue;
                }
            };
            let count = u32::try_from(definition.variants.len()).unwrap_or(0);
            let indices: Vec<_> =
                if count == 0 { vec![None] } else { (0..count).map(Some).collect() };
            found.extend(
                indices
                    .into_iter()
                    .map(|index| VariantHandle {
                        location: location_text.to_owned(),
                        name: name.to_owned(),
                        version: version.map(str::to_owned),
                        index,
                    })
                    .filter(|handle| handle.h4() == h4),
            );
        }
        Ok((found, not_offered))
    }

    /// Has the package of a handle asked for anew: who names it knows of it from rez,
    /// perhaps sooner than we do.
    pub(crate) fn ask_anew(&self, handle: &VariantHandle) {
        let version = handle.version.as_deref().map(Into::into);
        let package = (PathBuf::from(&handle.location), handle.name.as_str().into(), version);
        self.definitions.forget_one(&package);
    }

    /// The variant that a handle names, if it may be served.
    pub(crate) async fn candidate(&self, handle: VariantHandle) -> Result<Candidate, NotOffered> {
        let location = Path::new(&handle.location);
        if !location.is_absolute() {
            let told = format!("{}: its repository is not an absolute path", handle.uri());
            return Err(NotOffered::Told(told));
        }
        let version = handle.version.as_deref();
        let definition = match self.definition(location, &handle.name, version).await? {
            Defined::Literal(definition) => definition,
            Defined::Absent => return Err(NotOffered::Absent(handle.uri())),
            Defined::Not(reason) => return Err(NotOffered::Told(reason.to_string())),
        };
        let told = |reason: &dyn std::fmt::Display| {
            NotOffered::Told(format!("{}: {reason}", handle.uri()))
        };
        let below = pkgfs_rez::subpath(&definition, handle.index).map_err(|error| told(&error))?;
        let root = location.join(handle.package_dir()).join(below.parts.join("/"));
        // Refused by its definition before its root is looked at.
        if let Some(refusal) = pkgfs_rez::refuse(&definition, &handle, &self.rez, false) {
            return Err(told(&refusal));
        }
        let stat = self.origin.stat(&root).await?;
        if !stat.is_dir() {
            return Err(told(&"its root is not a directory"));
        }
        let same_device = stat.device == self.store_device;
        if let Some(refusal) = pkgfs_rez::refuse(&definition, &handle, &self.rez, same_device) {
            return Err(told(&refusal));
        }
        Ok(Candidate { handle, root, root_mtime: stat.attributes.mtime })
    }

    async fn definition(
        &self,
        location: &Path,
        name: &str,
        version: Option<&str>,
    ) -> Result<Defined, OriginError> {
        let question = (location.to_path_buf(), name.into(), version.map(Into::into));
        let directory = match version {
            Some(version) => location.join(name).join(version),
            None => location.join(name),
        };
        self.definitions.get(question, async || self.read_definition(&directory).await).await
    }

    async fn is_there(&self, path: &Path) -> Result<bool, OriginError> {
        match self.origin.stat(path).await {
            Ok(_) => Ok(true),
            Err(OriginError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn read_definition(&self, directory: &Path) -> Result<Defined, OriginError> {
        for (stem, extension, format) in self
            .rez
            .package_filenames
            .iter()
            .flat_map(|stem| [(stem, "py", Format::Python), (stem, "yaml", Format::Yaml)])
        {
            let path = directory.join(format!("{stem}.{extension}"));
            let text = match self.origin.read(&path, LONGEST_DEFINITION).await {
                Ok((text, _)) => text,
                Err(OriginError::NotFound { .. } | OriginError::NotADirectory { .. }) => continue,
                Err(error @ OriginError::TooLarge { .. }) => {
                    return Ok(Defined::Not(error.to_string().into()));
                }
                Err(error) => return Err(error),
            };
            let not =
                |reason: String| Ok(Defined::Not(format!("{}: {reason}", path.display()).into()));
            return match pkgfs_rez::read(&text, format) {
                // Name and version are the folders', as rez has it, whatever is written.
                Reading::Literal(definition) => {
                    let legacy = directory.join(LEGACY_RELEASE_FILE);
                    if !definition.has_timestamp && self.is_there(&legacy).await? {
                        return not(format!(
                            "{LEGACY_RELEASE_FILE} beside it may override it; left to rez"
                        ));
                    }
                    Ok(Defined::Literal(Arc::new(definition)))
                }
                Reading::NotLiteral { what, line } => {
                    not(format!("line {line}: it has {what}, which only rez can tell; left to rez"))
                }
                Reading::Broken { why, line } => not(format!("line {line}: {why}")),
            };
        }
        Ok(Defined::Absent)
    }
}
