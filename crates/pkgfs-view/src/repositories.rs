//! What origin's repositories offer: from a name or a handle to a variant that may be
//! served.
//!
//! The rules are rez's (`pkgfs-rez`); here they meet what lies at origin. What is not known
//! for sure is not offered, and rez goes on without us.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_manifest::Attributes;
use pkgfs_origin::{Origin, OriginError};
use pkgfs_rez::{Locations, Refusal, RezSettings, VariantError, VariantHandle};
use pkgfs_rez_worker::{RezError, RezWorker};

use crate::{
    asked::Asked,
    definitions::{Defined, Definitions, Place},
    whereabouts::Whereabouts,
};

/// A variant that may be served.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub handle: VariantHandle,
    pub root: PathBuf,
    /// When the root's directory was last changed.
    pub root_attributes: Attributes,
}

/// Why a variant is not offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOffered {
    /// Nothing of the kind at origin.
    #[error("{0}: not found")]
    Absent(String),
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// rez would not cache it either: nothing is wrong.
    #[error("{uri}: {refusal}")]
    Refused { uri: String, refusal: Refusal },
    /// A reason to tell the user.
    #[error("{0}")]
    Told(String),
}

pub(crate) struct Repositories {
    origin: Origin,
    whereabouts: Arc<Whereabouts>,
    /// Other spellings of locations.
    aliases: Locations,
    rez: RezSettings,
    worker: Option<RezWorker>,
    /// Device of the store: packages on the same one gain nothing by a copy.
    store_device: u64,
    definitions: Definitions,
    directories: Asked<PathBuf, bool>,
    roots: Asked<PathBuf, Root>,
}

/// What lies where a variant's root should be.
#[derive(Debug, Clone, Copy)]
enum Root {
    Absent,
    NotADirectory,
    Directory { device: u64, attributes: Attributes },
}

impl Repositories {
    pub(crate) fn new(
        origin: Origin,
        whereabouts: Arc<Whereabouts>,
        aliases: Locations,
        rez: RezSettings,
        worker: Option<RezWorker>,
        store_device: u64,
        valid: Duration,
    ) -> Self {
        let definitions = Definitions::new(origin.clone(), rez.clone(), worker.clone(), valid);
        let (directories, roots) = (Asked::new(valid), Asked::new(valid));
        Self {
            origin,
            whereabouts,
            aliases,
            rez,
            worker,
            store_device,
            definitions,
            directories,
            roots,
        }
    }

    /// Where those that are there lie, as rez computes it: absolute, links resolved.
    pub(crate) async fn locations(&self) -> Result<Vec<PathBuf>, OriginError> {
        self.whereabouts.all().await
    }

    /// Forgets what origin said.
    pub(crate) fn forget(&self) {
        self.whereabouts.forget();
        self.definitions.forget(None);
        self.directories.forget();
        self.roots.forget();
    }

    /// Whether some repository has a directory at this path below it.
    pub(crate) async fn have(&self, below: &Path) -> Result<bool, OriginError> {
        for location in self.locations().await? {
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
        // A version may be spelled like what stands for none.
        let mut versions = vec![Some(version_dir)];
        if version_dir == pkgfs_rez::names::NO_VERSION {
            versions.push(None);
        }
        let mut places = Vec::new();
        let locations = self.locations().await?;
        for location in &locations {
            places.extend(versions.iter().map(|version| (location, *version)));
        }
        let mut found = Vec::new();
        let mut not_offered = Vec::new();
        for (location, version) in places {
            let Some(location_text) = location.to_str() else {
                let told = "its path is not text, and rez cannot name it either";
                not_offered.push(format!("{}: {told}", location.display()).into());
                continue;
            };
            let place = Place {
                location: location.clone(),
                name: name.into(),
                version: version.map(Into::into),
            };
            let package = match self.definitions.get(place).await? {
                Defined::Package(package) => package,
                Defined::Absent => continue,
                Defined::Not(reason) => {
                    not_offered.push(reason);
                    continue;
                }
            };
            // A host that mounts the repository elsewhere asks by its own spelling.
            let aliases = self.aliases.spellings(location_text);
            let spelled = std::iter::once(location_text).chain(aliases.iter().map(String::as_str));
            let handles = spelled.flat_map(|spelled| {
                package.variants.iter().map(|variant| VariantHandle {
                    location: spelled.to_owned(),
                    name: name.to_owned(),
                    version: version.map(str::to_owned),
                    index: variant.index,
                })
            });
            found.extend(handles.filter(|handle| handle.h4() == h4));
        }
        Ok((found, not_offered))
    }

    /// Has the package of a handle asked for anew: who names it knows of it from rez,
    /// perhaps sooner than we do.
    pub(crate) fn ask_anew(&self, handle: &VariantHandle) {
        self.definitions.forget(Some(&place_of(&self.aliases.at_canonical(handle))));
        self.roots.forget();
    }

    /// The handles of all variants of the newest package that a request asks for.
    pub(crate) async fn requested(&self, request: &str) -> Result<Vec<VariantHandle>, RezError> {
        let worker = self.worker()?;
        // Whether one turns up is for look-ups to find out, which can say that storage fails.
        let _ = self.locations().await;
        let known = self.whereabouts.known();
        let locations: Vec<_> =
            known.iter().filter_map(|path| path.to_str().map(str::to_owned)).collect();
        let newest = worker.newest(request, &locations).await?;
        Ok(newest.map(|package| package.handles().collect()).unwrap_or_default())
    }

    /// Which of these variants belong to a package that a request asks for.
    pub(crate) async fn matching(
        &self,
        request: &str,
        variants: &[VariantHandle],
    ) -> Result<Vec<bool>, RezError> {
        let packages: Vec<_> = variants
            .iter()
            .map(|variant| (variant.name.clone(), variant.version.clone()))
            .collect();
        self.worker()?.matching(request, &packages).await
    }

    fn worker(&self) -> Result<&RezWorker, RezError> {
        self.worker.as_ref().ok_or_else(|| RezError::Start {
            command: String::new(),
            reason: "no rez is configured".to_owned(),
        })
    }

    /// The variant that a handle names, if it may be served. A handle whose location is
    /// another spelling stays what it is; the variant is that of the canonical location.
    pub(crate) async fn candidate(&self, spelled: VariantHandle) -> Result<Candidate, NotOffered> {
        let handle = self.aliases.at_canonical(&spelled);
        let location = Path::new(&handle.location);
        if !location.is_absolute() || handle.location.starts_with("//") {
            let told = format!(
                "{}: its repository is no path of this host; `locations` tells what it means here",
                handle.uri()
            );
            return Err(NotOffered::Told(told));
        }
        let package = match self.definitions.get(place_of(&handle)).await? {
            Defined::Package(package) => package,
            Defined::Absent => return Err(NotOffered::Absent(handle.uri())),
            Defined::Not(reason) => return Err(NotOffered::Told(reason.to_string())),
        };
        let told = |reason: &dyn std::fmt::Display| {
            NotOffered::Told(format!("{}: {reason}", handle.uri()))
        };
        let refuse = |same_device| {
            let local = package.local && !self.rez.package_cache_local;
            let refusal = pkgfs_rez::refuse(&package.definition, &handle, &self.rez, same_device);
            match refusal {
                Some(Refusal::NotCachable) => refusal,
                _ if local => Some(Refusal::Local),
                _ => refusal,
            }
        };
        let root = match package.variants.iter().find(|variant| variant.index == handle.index) {
            Some(variant) => variant.root.clone().map_err(|reason| told(&reason))?,
            None => return Err(told(&not_a_variant(handle.index, package.variants.len()))),
        };
        // Refused by its definition before its root is looked at.
        let refused = |refusal| NotOffered::Refused { uri: handle.uri(), refusal };
        if let Some(refusal) = refuse(false) {
            return Err(refused(refusal));
        }
        let (device, root_attributes) = match self.root(&root).await? {
            Root::Directory { device, attributes } => (device, attributes),
            Root::NotADirectory => {
                return Err(told(&format!("its root {} is not a directory", root.display())));
            }
            Root::Absent => {
                return Err(told(&format!("its root {} does not exist", root.display())));
            }
        };
        if let Some(refusal) = refuse(device == self.store_device) {
            return Err(refused(refusal));
        }
        Ok(Candidate { handle: spelled, root, root_attributes })
    }

    async fn root(&self, root: &Path) -> Result<Root, OriginError> {
        let look = async || match self.origin.reach(root).await {
            Ok(stat) if stat.is_dir() => {
                Ok(Root::Directory { device: stat.device, attributes: stat.attributes })
            }
            Ok(_) | Err(OriginError::NotADirectory { .. }) => Ok(Root::NotADirectory),
            Err(OriginError::NotFound { .. }) => Ok(Root::Absent),
            Err(error) => Err(error),
        };
        self.roots.get(root.to_owned(), look).await
    }
}

fn place_of(handle: &VariantHandle) -> Place {
    Place {
        location: PathBuf::from(&handle.location),
        name: handle.name.as_str().into(),
        version: handle.version.as_deref().map(Into::into),
    }
}

fn not_a_variant(index: Option<u32>, count: usize) -> VariantError {
    match index {
        Some(index) => VariantError::OutOfRange { index, count },
        None => VariantError::NoIndex(count),
    }
}
