//! Blobs that are not what their names say, and what becomes of them.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
};

use fixture::{audit, directory, hydrate, sys, variant};
use pkgfs_manifest::{BlobDigest, Timestamp};
use pkgfs_store::{DirectoryId, FileKey, Scrub, Store, Verdict};

struct Filled {
    dir: tempfile::TempDir,
    store: Store,
    directory: DirectoryId,
}

const SIZES: [u64; 4] = [0, 1, 4097, 3_000_001];

fn bytes(entry: usize) -> Vec<u8> {
    vec![entry as u8 + 1; SIZES[entry] as usize]
}

fn filled() -> (Filled, Vec<BlobDigest>) {
    let dir = tempfile::tempdir_in(sys::ON_DISK).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let registration = store.register(variant(1)).unwrap().id;
    let directory = store.record_directory(&directory(registration, "", &SIZES)).unwrap();
    let blobs: Vec<_> =
        (0..SIZES.len()).map(|n| hydrate(&store, directory, n as u32, &bytes(n))).collect();
    (Filled { dir, store, directory }, blobs)
}

impl Filled {
    fn path(&self, digest: &BlobDigest) -> PathBuf {
        let name = digest.to_string();
        self.dir.path().join("blobs").join(&name[..2]).join(name)
    }

    fn check(&self, digest: &BlobDigest, size: u64) -> Verdict {
        self.store.check_blob(digest, size, |_| true).unwrap()
    }

    /// Takes it out of use if it is bad; the entries whose bytes it was.
    fn condemn(&self, digest: &BlobDigest, size: u64) -> Vec<u32> {
        let Verdict::Bad(suspect) = self.check(digest, size) else { panic!("it is not bad") };
        let files = self.store.condemn(&suspect).unwrap().unwrap();
        assert!(files.iter().all(|file| file.directory == self.directory));
        files.into_iter().map(|file| file.entry).collect()
    }

    fn is_local(&self, entry: u32) -> bool {
        self.store.content(FileKey { directory: self.directory, entry }).unwrap().is_some()
    }
}

#[test]
fn blobs_of_any_size_are_sound_until_a_bit_of_them_changes_or_they_grow_shrink_or_go() {
    let (filled, blobs) = filled();
    for (digest, size) in blobs.iter().zip(SIZES) {
        assert_eq!(filled.check(digest, size), Verdict::Sound, "{size}");
    }
    let damage = |n: usize, how: &dyn Fn(&fs::File)| {
        let path = filled.path(&blobs[n]);
        sys::let_be_written(&path);
        how(&OpenOptions::new().write(true).open(&path).unwrap());
    };
    damage(1, &|file| file.set_len(2).unwrap());
    damage(2, &|file| file.set_len(4096).unwrap());
    damage(3, &|file| sys::write_all_at(file, &[5], 2_999_999));
    sys::remove(&filled.path(&blobs[0]));
    for (n, size) in SIZES.into_iter().enumerate() {
        assert_eq!(filled.condemn(&blobs[n], size), [n as u32], "{size}");
        assert!(!filled.is_local(n as u32));
        assert!(!filled.path(&blobs[n]).exists());
    }
    // It is fetched anew.
    for (n, digest) in blobs.iter().enumerate() {
        assert_eq!(hydrate(&filled.store, filled.directory, n as u32, &bytes(n)), *digest);
    }
    drop(filled.store);
    audit(filled.dir.path());
}

#[test]
fn what_was_replaced_since_it_was_looked_at_stays() {
    let (filled, blobs) = filled();
    let path = filled.path(&blobs[2]);
    sys::remove(&path);
    let Verdict::Bad(suspect) = filled.check(&blobs[2], SIZES[2]) else { panic!() };
    filled.store.condemn(&suspect).unwrap();
    hydrate(&filled.store, filled.directory, 2, &bytes(2));
    assert_eq!(filled.store.condemn(&suspect).unwrap(), None);
    assert!(filled.is_local(2));
}

#[test]
fn what_was_removed_in_good_order_is_not_bad() {
    let (filled, blobs) = filled();
    filled.store.evict(u64::MAX, &std::collections::HashSet::new()).unwrap();
    assert_eq!(filled.check(&blobs[3], SIZES[3]), Verdict::Unknown);
}

#[test]
fn a_check_that_is_called_off_says_nothing() {
    let (filled, blobs) = filled();
    let mut heard = Vec::new();
    let verdict = filled.store.check_blob(&blobs[3], SIZES[3], |bytes| {
        heard.push(bytes);
        heard.len() < 2
    });
    assert_eq!(verdict.unwrap(), Verdict::Unknown);
    assert_eq!(heard.len(), 2);
}

#[test]
fn a_pass_goes_on_where_it_was_after_a_restart() {
    let (filled, mut blobs) = filled();
    blobs.sort();
    let first = filled.store.blobs_after(None, 3).unwrap();
    assert_eq!(first.iter().map(|(digest, _)| *digest).collect::<Vec<_>>(), blobs[..3]);
    assert_eq!(filled.store.scrub().unwrap(), Scrub::default());
    let ended = Timestamp { secs: 7, nanos: 8 };
    let noted = Scrub { after: Some(first[2].0), ended };
    filled.store.note_scrub(&noted).unwrap();
    let Filled { dir, store, .. } = filled;
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.scrub().unwrap(), noted);
    let rest = store.blobs_after(noted.after, 3).unwrap();
    assert_eq!(rest.iter().map(|(digest, _)| *digest).collect::<Vec<_>>(), blobs[3..]);
}
