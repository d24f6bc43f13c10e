//! What processes have acknowledged before they ended, one line a deed.

use std::collections::{BTreeMap, BTreeSet};

use pkgfs_manifest::BlobDigest;
use pkgfs_store::{DirectoryId, RegistrationId, Store};

/// What the processes killed so far have acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    pub(crate) registered: BTreeMap<RegistrationId, String>,
    /// Of which it is not known whether the removal came about.
    unregistering: BTreeSet<RegistrationId>,
    pub(crate) unregistered: BTreeSet<RegistrationId>,
    pub(crate) flushed: BTreeSet<RegistrationId>,
    pub(crate) contents: BTreeMap<(DirectoryId, u32), (RegistrationId, BlobDigest)>,
    pinned: BTreeSet<RegistrationId>,
    /// Blobs that were damaged behind the store's back.
    pub(crate) damaged: BTreeSet<BlobDigest>,
}

impl Acknowledged {
    /// Takes in one line.
    pub(crate) fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |n: usize| words[n].parse::<u64>().unwrap();
        let id = || RegistrationId(number(1));
        match words[0] {
            "open" => {}
            "registered" => {
                self.registered.insert(id(), format!("handle {}", number(2)));
            }
            "unregistering" => {
                self.unregistering.insert(id());
            }
            "unregistered" => {
                self.unregistered.insert(id());
            }
            "flushing" => {
                self.flushed.insert(id());
            }
            "committed" => {
                let entry = u32::try_from(number(3)).unwrap();
                let content = (id(), words[4].parse().unwrap());
                self.contents.insert((DirectoryId(number(2)), entry), content);
            }
            "pinned" => _ = self.pinned.insert(id()),
            // Contents may go from now on, as long as origin has them.
            "evicting" => self.contents.clear(),
            "damaging" => {
                let damaged = words[1].parse().unwrap();
                self.contents.retain(|_, (_, digest)| *digest != damaged);
                self.damaged.insert(damaged);
            }
            _ => panic!("{line}"),
        }
    }

    /// All of it is in the store.
    pub(crate) fn check(&self, store: &Store) {
        let found: BTreeMap<_, _> =
            store.registrations().unwrap().into_iter().map(|one| (one.id, one)).collect();
        let tombstones: BTreeSet<String> =
            store.tombstones().unwrap().into_iter().map(|(handle, _)| handle).collect();
        for (id, handle) in &self.registered {
            if self.unregistered.contains(id) {
                assert!(!found.contains_key(id), "{id:?} came back");
                assert!(tombstones.contains(handle), "no tombstone for {id:?}");
            } else if !self.unregistering.contains(id) {
                let found = found.get(id);
                assert_eq!(found.map(|one| &one.handle_key), Some(handle), "{id:?} was lost");
                assert!(!self.pinned.contains(id) || found.unwrap().pinned, "pin of {id:?}");
            }
        }
        for ((directory, entry), (id, digest)) in &self.contents {
            // Gone are also directories that were replaced; here each path is listed once.
            if !self.unregistering.contains(id) && !self.flushed.contains(id) {
                let contents = store.contents(*directory).unwrap();
                assert!(contents.contains(&(*entry, *digest)), "{directory:?} {entry} was lost");
            }
        }
    }
}
