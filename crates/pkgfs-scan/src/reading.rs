//! One repository while it is read, and what comes out of it.

use std::{
    collections::HashMap,
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use pkgfs_rez::names::NO_VERSION;

use crate::{
    Definition, Package, Part, Problem, Repository, Rules,
    directory::{is_local, os_str},
    family::Family,
    index::Index,
    probe::{Definitions, Which},
    root::{Candidate, Root},
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
pub(crate) struct Outcome {
    pub(crate) found: Found,
    pub(crate) problems: Vec<Problem>,
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
        self.index.is_some() && *self.is_remote.get_or_init(|| !is_local(&self.root.fd))
    }

    /// Notes what became of a candidate.
    pub(crate) fn note(&self, candidate: usize, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = outcomes.get_mut(candidate) {
            *place = outcome;
        }
    }

    /// Puts together what was found, and keeps it for the next scan.
    pub(crate) fn finish(self, rules: &Rules, definitions: &Definitions) -> Repository {
        let outcomes = self.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut repository =
            Repository { path: self.root.path.clone(), packages: Vec::new(), problems: Vec::new() };
        let mut kept = Vec::new();
        let in_place = self.root.is_in_place();
        for (candidate, outcome) in self.root.candidates.iter().zip(outcomes) {
            let mut family = Named { root: &self.root, candidate, rules, definitions };
            family.packages(&outcome.found, &mut repository.packages);
            repository.problems.extend(outcome.problems);
            if let (Found::Family { family, keep: true }, Some(name)) =
                (outcome.found, &candidate.as_directory)
            {
                kept.push((name.clone(), family));
            }
        }
        match (in_place, self.index) {
            // One line, not one for each family that was still to be read.
            (Err(errno), _) => {
                repository.problems = vec![Problem::new(self.root.path, Part::Repository, errno)];
            }
            (Ok(()), Some(index)) => index.keep(kept),
            (Ok(()), None) => {}
        }
        repository
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
    fn packages(&mut self, found: &Found, packages: &mut Vec<Package>) {
        match found {
            Found::Nothing => {}
            Found::Combined => packages.extend(self.combined()),
            Found::Unlistable(own) => packages.extend(self.unversioned(Some(*own))),
            Found::Family { family, .. }
                if family.own.is_some() && self.rules.allow_unversioned_packages =>
            {
                packages.extend(self.unversioned(family.own));
            }
            Found::Family { family, .. } => self.versioned(family, packages),
        }
    }

    fn combined(&self) -> Option<Package> {
        let (family, format) = self.candidate.as_combined.as_ref()?;
        let path = self.root.path.join(os_str(&self.candidate.name));
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
            definition: self.definition(self.root.path.join(family), own),
            is_combined: false,
        })
    }

    fn versioned(&self, family: &Family, packages: &mut Vec<Package>) {
        let Some(name) = self.candidate.as_directory.as_deref() else { return };
        let shared: Arc<str> = name.into();
        for version in family.versions.iter().filter(|version| version.counts(self.rules)) {
            let text = version.name.to_bytes();
            if text == NO_VERSION.as_bytes() {
                // rez drops this version from the handle (`PackageResource.normalize_variables`).
                packages.extend(self.unversioned(family.own));
                continue;
            }
            let text = OsString::from_vec(text.to_vec());
            let definition = version.definition();
            let directory = || self.root.path.join(name).join(&text);
            let definition = definition.and_then(|which| self.definition(directory(), Some(which)));
            packages.push(Package {
                family: Arc::clone(&shared),
                version: Some(text),
                definition,
                is_combined: false,
            });
        }
    }

    fn definition(&self, mut directory: PathBuf, which: Option<Which>) -> Option<Definition> {
        let file = self.definitions.file(which?)?;
        directory.push(os_str(&file.name));
        Some(Definition { path: directory, format: file.format })
    }
}
