//! All registrations, a page at a time, whether memory answers for them or not: what is about all
//! of them brings none of them into memory.

use std::borrow::Cow;

use parking_lot::{Mutex, MutexGuard};
use pkgfs_store::{Registration, Store, StoreError};

use super::{LevelPath, Registry, Slot};
use crate::{View, node::LevelId};

/// Requests wait for so many at most.
const PAGE: usize = 64;
/// The directory of a slot that is in no tree.
const NOWHERE: LevelId = LevelId(u64::MAX);

/// A walk over registrations, in the order of packages, versions and handles. Each that is there from its beginning
/// to its end is seen once.
pub(crate) struct Walk<'of> {
    store: &'of Store,
    registry: &'of Mutex<Registry>,
    package: Option<&'of str>,
    after: Option<Registration>,
}

impl View {
    /// A walk over the registrations of a package, or over all.
    pub(crate) fn walk<'of>(&'of self, package: Option<&'of str>) -> Walk<'of> {
        Walk::new(&self.store, &self.registry, package)
    }
}

impl<'of> Walk<'of> {
    pub(super) fn new(
        store: &'of Store,
        registry: &'of Mutex<Registry>,
        package: Option<&'of str>,
    ) -> Self {
        Self { store, registry, package, after: None }
    }

    /// What is made of the next of them, with their directories; `None` at the end. Nothing may be
    /// asked of the registry meanwhile.
    pub(crate) fn next<T>(
        &mut self,
        pick: impl Fn(&LevelPath, &Slot) -> Option<T>,
    ) -> Result<Option<Vec<T>>, StoreError> {
        let page = self.store.registrations_after(self.package, self.after.as_ref(), PAGE)?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(last.clone());
        let registry = self.registry.lock();
        let picked = page.into_iter().filter_map(|known| {
            let level = LevelPath::of_registration(&known);
            pick(&level, registry.as_it_is(known)?.as_ref())
        });
        let picked = picked.collect();
        MutexGuard::unlock_fair(registry);
        Ok(Some(picked))
    }
}

impl Registry {
    /// A registration as memory has it, else as the store does; `None` if it was removed meanwhile.
    fn as_it_is(&self, known: Registration) -> Option<Cow<'_, Slot>> {
        if self.recalled.has_version(&known.name, &known.version_dir) {
            let slot = self.slots.get(self.by_registration.get(&known.id)?)?;
            return Some(Cow::Borrowed(slot));
        }
        let handle = pkgfs_rez::registration::parse(known.json.as_bytes()).ok();
        Some(Cow::Owned(Slot::known(NOWHERE, known, handle, self.owner)))
    }
}
