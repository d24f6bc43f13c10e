//! What the store holds comes into memory when it is first asked about, a version of a package at
//! a time: a store with 100,000 registrations is ready as soon as an empty one.
//!
//! Invariant: once the registrations of a version were taken in, or a directory was made for it,
//! memory alone answers for it. So a directory that was removed does not come back, and a slot
//! that changed is not overwritten by its row.

use std::collections::{HashMap, HashSet};

use pkgfs_rez::VariantHandle;
use pkgfs_store::{Registration, StoreError};

use super::{LevelPath, Registry, Slot};
use crate::node::SlotId;

/// What memory answers for.
#[derive(Default)]
pub(super) struct Recalled {
    /// Which packages there are.
    names: bool,
    packages: HashMap<Box<str>, Package>,
}

/// The same of one package.
#[derive(Default)]
struct Package {
    /// Which versions there are.
    names: bool,
    versions: HashSet<Box<str>>,
}

impl Recalled {
    fn has_versions_of(&self, name: &str) -> bool {
        self.packages.get(name).is_some_and(|package| package.names)
    }

    pub(super) fn has_version(&self, name: &str, version: &str) -> bool {
        let in_package = |package: &Package| package.versions.contains(version);
        self.packages.get(name).is_some_and(in_package)
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.packages.values().map(|package| 1 + package.versions.len()).sum()
    }

    /// Memory answers for this version from now on.
    pub(super) fn note(&mut self, name: &str, version: &str) {
        if !self.has_version(name, version) {
            let package = self.packages.entry(name.into()).or_default();
            package.versions.insert(version.into());
        }
    }
}

impl Registry {
    /// Takes in which packages there are.
    pub(super) fn recall_names(&mut self) -> Result<(), StoreError> {
        if self.recalled.names {
            return Ok(());
        }
        for name in self.store.registered_names()? {
            self.note_name(&name);
        }
        self.recalled.names = true;
        Ok(())
    }

    /// Takes in whether there is such a package.
    pub(super) fn recall_name(&mut self, name: &str) -> Result<(), StoreError> {
        let known = self.names.contains_key(name)
            || self.recalled.names
            || self.recalled.has_versions_of(name);
        if !known && self.store.is_registered(name)? {
            self.note_name(name);
        }
        Ok(())
    }

    /// Takes in which versions there are of a package.
    pub(super) fn recall_versions(&mut self, name: &str) -> Result<(), StoreError> {
        if self.recalled.has_versions_of(name) {
            return Ok(());
        }
        let versions = self.store.registered_versions_of(name)?;
        if versions.is_empty() && !self.names.contains_key(name) {
            // Not noted: names that mean nothing are without number.
            return Ok(());
        }
        for version in versions {
            if !self.recalled.has_version(name, &version) {
                let known = self.names.entry(name.into()).or_default();
                known.entry(version.into()).or_default();
            }
        }
        self.recalled.packages.entry(name.into()).or_default().names = true;
        Ok(())
    }

    /// Takes in the registrations of a version.
    pub(crate) fn recall_version(&mut self, name: &str, version: &str) -> Result<(), StoreError> {
        if self.recalled.has_version(name, version) {
            return Ok(());
        }
        let known = self.store.registrations_of(name, version)?;
        if !known.is_empty() {
            self.recalled.note(name, version);
        }
        for registration in known {
            let handle = pkgfs_rez::registration::parse(registration.json.as_bytes())
                .inspect_err(|error| {
                    self.problems.tell(format!("{}: {error}", registration.handle_key));
                })
                .ok();
            self.take_in(registration, handle);
        }
        Ok(())
    }

    /// Takes in a registration that was just made in the store.
    pub(crate) fn load(
        &mut self,
        known: Registration,
        handle: VariantHandle,
    ) -> Result<SlotId, StoreError> {
        // Who asked about its version meanwhile has taken it in already.
        self.recall_version(&known.name, &known.version_dir)?;
        let id = match self.by_registration.get(&known.id) {
            Some(id) => *id,
            None => self.take_in(known, Some(handle)),
        };
        let level = self.slots.get(&id).and_then(|slot| self.level(slot.level));
        level.iter().for_each(|path| self.tell_all(path));
        Ok(id)
    }

    fn take_in(&mut self, known: Registration, handle: Option<VariantHandle>) -> SlotId {
        let level = self.note_level(&LevelPath::of_registration(&known));
        let mut slot = Slot::known(level, known, handle, self.owner);
        match self.heir_of(&mut slot) {
            Some(id) => self.insert_as(id, slot),
            None => self.insert(slot),
        }
    }

    fn note_name(&mut self, name: &str) {
        if !self.names.contains_key(name) {
            self.names.insert(name.into(), super::Versions::default());
        }
    }
}
