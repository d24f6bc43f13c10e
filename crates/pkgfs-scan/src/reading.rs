//! One repository while it is read, and what comes out of it.

use std::{
    collections::HashMap,
    ffi::{CStr, OsString},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use pkgfs_manifest::os_name::name_from;
use pkgfs_rez::names::NO_VERSION;

use crate::{
    Definition, Package, Part, Problem, Repository, Rules,
    family::Family,
    index::Index,
    probe::{Definitions, Which},
    root::{Candidate, Root},
    sys::is_local,
};

/// A repository that is being read.
pub(crate) struct Reading {
    pub(crate) root: Root,
    /// What the index has of it.
    pub(crate) known: HashMap<String, Family>,
    index: Option<Index>,
    is_remote: OnceLock<bool>,
    /// What became of each of the root's candidates.
    outcomes: Mutex<Vec<Outcome>>,
}

/// What became of a candidate.
#[derive(Default)]
struct Outcome {
    packages: Vec<Package>,
    /// What the index may have of it.
    kept: Option<Family>,
    problems: Vec<Problem>,
}

/// What a candidate is.
#[derive(Default)]
pub(crate) enum Found {
    /// Nothing to rez, or not read.
    #[default]
    Nothing,
    /// A family; `keep` says whether the index may have it.
    Family { family: Family, keep: bool },
    /// One that may not be listed and is unversioned.
    Unlistable(Which),
    /// A combined family.
    Combined,
}

impl Reading {
    pub(crate) fn new(root: Root, index: Option<(Index, HashMap<String, Family>)>) -> Self {
        let (index, known) = index.unzip();
        let outcomes = root.candidates.iter().map(|_| Outcome::default()).collect();
        let known = known.unwrap_or_default();
        Self { root, known, index, is_remote: OnceLock::new(), outcomes: Mutex::new(outcomes) }
    }

    /// Whether each look costs a round trip, so that it is worth remembering what saves one.
    pub(crate) fn is_remote(&self) -> bool {
        self.index.is_some() && *self.is_remote.get_or_init(|| !is_local(&self.root.dir))
    }

    /// Notes what became of a candidate, and names its packages.
    pub(crate) fn note(
        &self,
        candidate: usize,
        found: Found,
        problems: Vec<Problem>,
        rules: &Rules,
        definitions: &Definitions,
    ) {
        let named = Named {
            root: &self.root,
            candidate: &self.root.candidates[candidate],
            rules,
            definitions,
        };
        let packages = named.packages(&found);
        let kept = match found {
            Found::Family { family, keep: true } => Some(family),
            _ => None,
        };
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes[candidate] = Outcome { packages, kept, problems };
    }

    /// Puts together what was found, and keeps it for the next scan.
    pub(crate) fn finish(self) -> Repository {
        let outcomes = self.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let count = outcomes.iter().map(|outcome| outcome.packages.len()).sum();
        let mut packages = Vec::with_capacity(count);
        let (mut problems, mut kept) = (Vec::new(), Vec::new());
        let in_place = self.root.is_in_place();
        for (candidate, outcome) in self.root.candidates.iter().zip(outcomes) {
            packages.extend(outcome.packages);
            problems.extend(outcome.problems);
            if let (Some(family), Some(name)) = (outcome.kept, &candidate.as_directory) {
                kept.push((name.clone(), family));
            }
        }
        match (in_place, self.index) {
            // One line, not one for each family that was still to be read.
            (Err(errno), _) => {
                problems = vec![Problem::new(self.root.path.clone(), Part::Repository, errno)];
            }
            (Ok(()), Some(index)) => index.keep(kept),
            (Ok(()), None) => {}
        }
        Repository { path: self.root.path, packages, problems }
    }
}

/// A candidate with what it takes to name its packages.
struct Named<'a> {
    root: &'a Root,
    candidate: &'a Candidate,
    rules: &'a Rules,
    definitions: &'a Definitions,
}

impl Named<'_> {
    fn packages(&self, found: &Found) -> Vec<Package> {
        match found {
            Found::Nothing => Vec::new(),
            Found::Combined => self.combined().into_iter().collect(),
            Found::Unlistable(own) => self.unversioned(Some(*own)).into_iter().collect(),
            Found::Family { family, .. }
                if family.own.is_some() && self.rules.allow_unversioned_packages =>
            {
                self.unversioned(family.own).into_iter().collect()
            }
            Found::Family { family, .. } => self.versioned(family),
        }
    }

    fn combined(&self) -> Option<Package> {
        let (family, format) = self.candidate.as_combined.as_ref()?;
        let path = self.root.path.join(os_name(&self.candidate.name));
        Some(Package {
            family: family.as_str().into(),
            version: None,
            definition: Some(Definition { path, format: *format }),
            is_combined: true,
        })
    }

    fn unversioned(&self, own: Option<Which>) -> Option<Package> {
        let family = self.candidate.as_directory.as_deref()?;
        Some(Package {
            family: family.into(),
            version: None,
            definition: self.definition(&self.root.path.join(family), b"", own),
            is_combined: false,
        })
    }

    fn versioned(&self, family: &Family) -> Vec<Package> {
        let Some(name) = self.candidate.as_directory.as_deref() else { return Vec::new() };
        let directory = self.root.path.join(name);
        let shared: Arc<str> = name.into();
        let mut packages = Vec::with_capacity(family.versions.len());
        for version in family.versions.iter().filter(|version| version.counts(self.rules)) {
            let text = version.name.to_bytes();
            if text == NO_VERSION.as_bytes() {
                // rez drops this version from the handle (`PackageResource.normalize_variables`).
                packages.extend(self.unversioned(family.own));
                continue;
            }
            packages.push(Package {
                family: Arc::clone(&shared),
                version: Some(os_name(&version.name)),
                definition: self.definition(&directory, text, version.definition()),
                is_combined: false,
            });
        }
        packages
    }

    /// The definition in a directory's entry `below`, or in itself where that is empty.
    fn definition(
        &self,
        directory: &Path,
        below: &[u8],
        which: Option<Which>,
    ) -> Option<Definition> {
        let file = self.definitions.file(which?)?;
        let (below, name) = (name_from(below.to_vec())?, os_name(&file.name));
        let length = directory.as_os_str().len() + below.len() + name.len() + 2;
        let mut path = PathBuf::with_capacity(length);
        path.extend([directory.as_os_str(), &below, &name]);
        Some(Definition { path, format: file.format })
    }
}

/// A name as the system's own string: it came from the system.
pub(crate) fn os_name(name: &CStr) -> OsString {
    name_from(name.to_bytes().to_vec())
        .unwrap_or_else(|| name.to_string_lossy().into_owned().into())
}
