//! Which blobs go when room is wanted, and which never do.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::collections::HashSet;

use fixture::{audit, directory, files_of_blobs, hydrate, variant};
use pkgfs_manifest::{BlobDigest, Timestamp};
use pkgfs_store::{DirectoryId, FileKey, RegistrationId, RegistrationState, Store};

struct Filled {
    dir: tempfile::TempDir,
    store: Store,
    registration: RegistrationId,
    directory: DirectoryId,
    blobs: Vec<BlobDigest>,
}

/// A variant with files of 1,000 bytes each, the first used longest ago.
fn filled(files: u8) -> Filled {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let registration = store.register(variant(1)).unwrap().id;
    let sizes = vec![1000; usize::from(files)];
    let directory = store.record_directory(&directory(registration, "", &sizes)).unwrap();
    let blobs: Vec<_> =
        (0..files).map(|n| hydrate(&store, directory, u32::from(n), &[n; 1000])).collect();
    let used = |n: usize| Timestamp { secs: 4_000_000_000 + i64::try_from(n).unwrap(), nanos: 0 };
    let times: Vec<_> = blobs.iter().enumerate().map(|(n, digest)| (*digest, used(n))).collect();
    store.touch_blobs(&times).unwrap();
    Filled { dir, store, registration, directory, blobs }
}

fn evict(filled: &Filled, bytes: u64) -> Vec<BlobDigest> {
    filled.store.evict(bytes, &HashSet::new()).unwrap().blobs
}

#[test]
fn what_was_used_longest_ago_goes_first_across_restarts_and_no_more_than_is_wanted() {
    let Filled { dir, store, directory, blobs, .. } = filled(6);
    let again = Timestamp { secs: 4_000_000_100, nanos: 0 };
    store.touch_blobs(&[(blobs[0], again)]).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let evicted = store.evict(2001, &HashSet::new()).unwrap();
    assert_eq!((evicted.blobs.as_slice(), evicted.bytes), (&blobs[1..4], 3000));
    assert_eq!(store.evict(0, &HashSet::new()).unwrap().blobs, []);
    let left = |entry| store.content(FileKey { directory, entry }).unwrap().is_some();
    assert_eq!([0, 1, 3, 4].map(left), [true, false, false, true]);
    assert_eq!(store.usage().blob_bytes, 3000);
    assert_eq!(files_of_blobs(dir.path()).len(), 3);
    drop(store);
    audit(dir.path());
}

#[test]
fn what_is_spared_stays_and_the_next_goes_in_its_place() {
    let filled = filled(3);
    let spared = HashSet::from([filled.blobs[0], filled.blobs[1]]);
    assert_eq!(filled.store.evict(1000, &spared).unwrap().blobs, filled.blobs[2..]);
    assert_eq!(filled.store.evict(1000, &spared).unwrap().blobs, []);
}

#[test]
fn what_a_pinned_variant_has_stays_also_where_another_has_it_too() {
    let filled = filled(2);
    let other = filled.store.register(variant(2)).unwrap().id;
    let shared = filled.store.record_directory(&directory(other, "", &[1000])).unwrap();
    hydrate(&filled.store, shared, 0, &[0; 1000]);
    filled.store.pin(other).unwrap();
    assert_eq!(evict(&filled, 5000), filled.blobs[1..]);
    filled.store.unpin(other).unwrap();
    filled.store.pin(filled.registration).unwrap();
    assert_eq!(evict(&filled, 5000), []);
}

#[test]
fn what_origin_cannot_give_again_stays() {
    let filled = filled(2);
    // rez has copied it in: what is shown is the copy.
    filled.store.set_state(filled.registration, RegistrationState::Sealed).unwrap();
    assert_eq!(evict(&filled, 5000), []);
    filled.store.set_state(filled.registration, RegistrationState::Served).unwrap();
    // Who has a file of a former listing open reads on.
    filled.store.record_directory(&directory(filled.registration, "", &[7])).unwrap();
    assert_eq!(evict(&filled, 5000), []);
    assert!(
        filled.store.content(FileKey { directory: filled.directory, entry: 0 }).unwrap().is_some()
    );
}

#[test]
fn what_is_adopted_for_a_directory_to_come_stays() {
    let filled = filled(1);
    let staging = filled.store.staging_dir(filled.registration);
    std::fs::create_dir_all(&staging).unwrap();
    std::fs::write(staging.join("same"), [0; 1000]).unwrap();
    filled.store.adopt(&staging.join("same")).unwrap();
    assert_eq!(evict(&filled, 5000), []);
}

#[test]
fn what_went_is_kept_again_when_it_comes_again() {
    let filled = filled(1);
    assert_eq!(evict(&filled, 1), filled.blobs);
    assert!(filled.store.open_blob(&filled.blobs[0]).unwrap().is_none());
    hydrate(&filled.store, filled.directory, 0, &[0; 1000]);
    assert!(filled.store.open_blob(&filled.blobs[0]).unwrap().is_some());
}
