//! Listings in memory, decoded, those used longest ago going first.

use std::{collections::HashMap, sync::Arc};

use lru::LruCache;
use pkgfs_store::{Directory, DirectoryId, RegistrationId};

use super::Place;

/// Entries of listings kept decoded in memory, about 120 bytes each.
const MOST_KEPT: usize = 200_000;

/// The number of the first listing that could not be recorded. The store never gets there, and a
/// node's number has room for as many again (see `node.rs`).
pub(super) const FIRST_PASSING: u64 = 1 << 36;

#[derive(Default)]
pub(super) struct Kept {
    by_id: Option<LruCache<DirectoryId, Arc<Directory>>>,
    pub(super) current: HashMap<Place, DirectoryId>,
    entries: usize,
    /// How often the trees of registrations were forgotten, and those of all.
    forgotten: HashMap<RegistrationId, u64>,
    forgotten_all: u64,
}

impl Kept {
    pub(super) fn get(&mut self, id: DirectoryId) -> Option<Arc<Directory>> {
        self.by_id.as_mut()?.get(&id).cloned()
    }

    /// A number that grows whenever the tree of this registration is forgotten.
    pub(super) fn forgotten(&self, registration: RegistrationId) -> u64 {
        self.forgotten_all + self.forgotten.get(&registration).copied().unwrap_or(0)
    }

    /// Forgets a tree; its listings are still found by their numbers.
    pub(super) fn forget(&mut self, registration: RegistrationId) {
        self.current.retain(|(owner, _), _| *owner != registration);
        *self.forgotten.entry(registration).or_default() += 1;
    }

    /// Forgets everything.
    pub(super) fn forget_all(&mut self) {
        let Self { forgotten, forgotten_all, .. } = std::mem::take(self);
        (self.forgotten, self.forgotten_all) = (forgotten, forgotten_all + 1);
    }

    pub(super) fn keep(&mut self, directory: Arc<Directory>, current: bool) {
        if current {
            let place = (directory.registration, directory.path.clone());
            self.current.insert(place, directory.id);
        }
        let by_id = self.by_id.get_or_insert_with(LruCache::unbounded);
        self.entries += weight(&directory);
        if let Some(former) = by_id.put(directory.id, directory) {
            self.entries -= weight(&former);
        }
        while self.entries > MOST_KEPT && by_id.len() > 1 {
            let Some((id, oldest)) = by_id.pop_lru() else { break };
            self.entries -= weight(&oldest);
            let place = (oldest.registration, oldest.path.clone());
            if self.current.get(&place) == Some(&id) {
                self.current.remove(&place);
            }
        }
    }

    /// Drops listings that could not be recorded, and tells of which registrations they are; by
    /// their numbers they are still found.
    pub(super) fn forget_passing(&mut self) -> Vec<RegistrationId> {
        let mut concerned = Vec::new();
        self.current.retain(|(owner, _), id| {
            let passing = id.0 >= FIRST_PASSING;
            concerned.extend(passing.then_some(*owner));
            !passing
        });
        concerned.sort_unstable();
        concerned.dedup();
        concerned
    }
}

fn weight(directory: &Directory) -> usize {
    directory.listing.entries().len() + 4
}
