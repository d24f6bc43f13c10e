//! Whatever is done to a store, in whatever order, it holds what a simple model holds.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use fixture::{audit, digest, directory, finished, variant};
use pkgfs_manifest::BlobDigest;
use pkgfs_store::{
    DirectoryId, FileKey, NewDirectory, Registration, RegistrationId, Store, StoreError,
};
use proptest::prelude::*;

const ENTRIES: u32 = 3;

/// One thing done; numbers choose among what there is, modulo its count.
#[derive(Debug, Clone)]
enum Action {
    Register(u64),
    Unregister { which: usize, tombstone: bool },
    Record { which: usize, path: usize, carry: bool },
    Commit(Vec<(usize, u32, u8)>),
    Flush(usize),
    Evict { bytes: u64, spared: Option<u8> },
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    let file = (any::<usize>(), 0..ENTRIES, 0..5_u8);
    prop_oneof![
        3 => (0..5_u64).prop_map(Action::Register),
        2 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, tombstone)| Action::Unregister { which, tombstone }),
        4 => (any::<usize>(), 0..3_usize, any::<bool>())
            .prop_map(|(which, path, carry)| Action::Record { which, path, carry }),
        6 => prop::collection::vec(file, 1..5).prop_map(Action::Commit),
        2 => any::<usize>().prop_map(Action::Flush),
        2 => (0..12_000_u64, prop::option::of(0..5_u8))
            .prop_map(|(bytes, spared)| Action::Evict { bytes, spared }),
        1 => Just(Action::Reopen),
    ]
}

#[derive(Debug, Default)]
struct Directory {
    registration: u64,
    path: &'static str,
    retired: bool,
    contents: BTreeMap<u32, Vec<u8>>,
}

#[derive(Debug, Default)]
struct Model {
    registrations: Vec<Registration>,
    tombstones: BTreeSet<String>,
    directories: BTreeMap<DirectoryId, Directory>,
    blobs: BTreeMap<BlobDigest, Vec<u8>>,
}

impl Model {
    fn referenced(&self) -> BTreeSet<BlobDigest> {
        self.directories.values().flat_map(|one| one.contents.values()).map(|b| digest(b)).collect()
    }

    /// Forgets the contents of a registration, and the blobs that only they referred to.
    fn release(&mut self, id: RegistrationId) {
        let mut forgotten = BTreeSet::new();
        for one in self.directories.values_mut().filter(|one| one.registration == id.0) {
            one.retired = true;
            forgotten.extend(std::mem::take(&mut one.contents).into_values().map(|b| digest(&b)));
        }
        let referenced = self.referenced();
        self.blobs.retain(|digest, _| referenced.contains(digest) || !forgotten.contains(digest));
    }

    /// Blobs that may be evicted, with their sizes.
    fn may_go(&self, spared: &HashSet<BlobDigest>) -> BTreeMap<BlobDigest, u64> {
        let retired = self.directories.values().filter(|one| one.retired);
        let kept: BTreeSet<_> =
            retired.flat_map(|one| one.contents.values()).map(|bytes| digest(bytes)).collect();
        let may_go = self
            .blobs
            .iter()
            .filter(|(digest, _)| !kept.contains(digest) && !spared.contains(digest));
        may_go.map(|(digest, bytes)| (*digest, bytes.len() as u64)).collect()
    }

    fn evicted(&mut self, blobs: &[BlobDigest]) {
        for one in self.directories.values_mut() {
            one.contents.retain(|_, bytes| !blobs.contains(&digest(bytes)));
        }
        self.blobs.retain(|digest, _| !blobs.contains(digest));
    }

    fn reopen(&mut self) {
        self.directories.retain(|_, one| !one.retired);
        let referenced = self.referenced();
        self.blobs.retain(|digest, _| referenced.contains(digest));
    }

    fn check(&self, store: &Store) {
        assert_eq!(store.registrations().unwrap(), self.registrations);
        let tombstones = store.tombstones().unwrap();
        assert_eq!(
            tombstones.into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>(),
            self.tombstones
        );
        for (id, one) in &self.directories {
            let found = store.directory(*id).unwrap().unwrap();
            assert_eq!(
                (found.registration.0, &*found.path),
                (one.registration, one.path.as_bytes())
            );
            let current = store.current_directory(found.registration, &found.path).unwrap();
            assert_eq!(current.map(|current| current.id) == Some(*id), !one.retired, "{id:?}");
            let contents: Vec<_> = one.contents.iter().map(|(n, b)| (*n, digest(b))).collect();
            assert_eq!(store.contents(*id).unwrap(), contents);
            for entry in 0..ENTRIES {
                let content = store.content(FileKey { directory: *id, entry }).unwrap();
                assert_eq!(content, one.contents.get(&entry).map(|bytes| digest(bytes)));
            }
        }
        for digest in self.blobs.keys() {
            assert!(store.open_blob(digest).unwrap().is_some());
        }
        let usage = store.usage();
        let current = || self.directories.values().filter(|one| !one.retired);
        let files = |one: &Directory| one.contents.len() as u64;
        let bytes = |one: &Directory| one.contents.values().map(|b| b.len() as u64).sum::<u64>();
        assert_eq!(usage.registrations, self.registrations.len() as u64);
        assert_eq!(usage.blobs, self.blobs.len() as u64);
        assert_eq!(usage.blob_bytes, self.blobs.values().map(|b| b.len() as u64).sum::<u64>());
        assert_eq!(usage.hydrated_files, current().map(files).sum::<u64>());
        assert_eq!(usage.hydrated_bytes, current().map(bytes).sum::<u64>());
        for one in &self.registrations {
            let recorded = store.recorded(one.id).unwrap();
            let own = || current().filter(|directory| directory.registration == one.id.0);
            assert_eq!(recorded.directories, own().count() as u64);
            assert_eq!(recorded.hydrated_files, own().map(files).sum::<u64>());
            assert_eq!(recorded.hydrated_bytes, own().map(bytes).sum::<u64>());
        }
    }
}

fn register(store: &Store, model: &mut Model, n: u64) {
    match store.register(variant(n)) {
        Ok(registration) => {
            model.tombstones.remove(&registration.handle_key);
            model.registrations.push(registration);
        }
        Err(StoreError::AlreadyRegistered { .. }) => {
            assert!(model.registrations.iter().any(|one| one.name == variant(n).name));
        }
        Err(error) => panic!("{error}"),
    }
}

fn record(store: &Store, model: &mut Model, id: RegistrationId, path: &'static str, carry: bool) {
    let former = model
        .directories
        .values_mut()
        .find(|one| one.registration == id.0 && one.path == path && !one.retired);
    let mut contents = BTreeMap::new();
    if let Some(former) = former {
        former.retired = true;
        if carry {
            contents = former.contents.clone();
        }
    }
    let carried = contents.iter().map(|(entry, bytes)| (*entry, digest(bytes))).collect();
    let new = NewDirectory { carried, ..directory(id, path, &[1; ENTRIES as usize]) };
    let directory = store.record_directory(&new).unwrap();
    let recorded = Directory { registration: id.0, path, retired: false, contents };
    assert!(model.directories.insert(directory, recorded).is_none(), "a number given twice");
}

fn evict(store: &Store, model: &mut Model, bytes: u64, spared: Option<u8>) {
    let spared = spared.map(|kind| digest(&vec![kind; usize::from(kind) * 1000]));
    let spared = spared.into_iter().collect();
    let may_go = model.may_go(&spared);
    let evicted = store.evict(bytes, &spared).unwrap();
    let sizes: Vec<u64> = evicted.blobs.iter().map(|digest| may_go[digest]).collect();
    assert_eq!(evicted.bytes, sizes.iter().sum::<u64>());
    assert!(evicted.bytes >= bytes || evicted.bytes == may_go.values().sum::<u64>());
    if let Some((_, before)) = sizes.split_last() {
        assert!(before.iter().sum::<u64>() < bytes, "more than was asked for");
    }
    model.evicted(&evicted.blobs);
}

fn commit(store: &Store, model: &mut Model, files: &[(usize, u32, u8)]) {
    let ids: Vec<DirectoryId> = model.directories.keys().copied().collect();
    let mut batch = vec![];
    let mut expected = vec![];
    for (which, entry, kind) in files {
        let directory = ids[which % ids.len()];
        let bytes = vec![*kind; usize::from(*kind) * 1000];
        batch.push(finished(store, directory, *entry, &bytes));
        model.blobs.insert(digest(&bytes), bytes.clone());
        let contents = &mut model.directories.get_mut(&directory).unwrap().contents;
        expected.push(digest(contents.entry(*entry).or_insert(bytes)));
    }
    let committed = store.commit(batch).unwrap();
    assert_eq!(committed.iter().map(|one| one.digest).collect::<Vec<_>>(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_store_holds_what_the_model_holds(actions in prop::collection::vec(action(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let mut model = Model::default();
        for action in actions {
            let count = model.registrations.len().max(1);
            let chosen = |which: usize| model.registrations.get(which % count).map(|one| one.id);
            match action {
                Action::Register(n) => register(&store, &mut model, n),
                Action::Unregister { which, tombstone } => {
                    let Some(id) = chosen(which) else { continue };
                    store.unregister(id, tombstone).unwrap();
                    let removed = model.registrations.remove(which % count);
                    if tombstone {
                        model.tombstones.insert(removed.handle_key);
                    }
                    model.release(id);
                }
                Action::Record { which, path, carry } => {
                    let Some(id) = chosen(which) else { continue };
                    record(&store, &mut model, id, ["", "lib", "lib/deep"][path], carry);
                }
                Action::Commit(files) => {
                    if !model.directories.is_empty() {
                        commit(&store, &mut model, &files);
                    }
                }
                Action::Flush(which) => {
                    let Some(id) = chosen(which) else { continue };
                    store.retire_directories(id).unwrap();
                    model.release(id);
                }
                Action::Evict { bytes, spared } => evict(&store, &mut model, bytes, spared),
                Action::Reopen => {
                    drop(store);
                    store = Store::open(dir.path()).unwrap();
                    model.reopen();
                }
            }
            model.check(&store);
        }
        drop(store);
        store = Store::open(dir.path()).unwrap();
        model.reopen();
        model.check(&store);
        audit(dir.path());
    }
}
