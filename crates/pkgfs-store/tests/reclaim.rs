//! Taking back what nothing refers to, and nothing else.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::fs;

use fixture::{audit, digest, directory, files_of_blobs, finished, hydrate, variant};
use pkgfs_store::{Reclaimed, Store};

#[test]
fn what_nothing_refers_to_is_counted_and_taken_back_and_all_else_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let known = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(known, "", &[4, 4])).unwrap();
    let kept = hydrate(&store, listed, 0, b"kept");
    // A second content for the same file: its blob is nobody's.
    hydrate(&store, listed, 0, b"nobody's");
    // A file that a loss of power left without a row.
    let stray = digest(b"stray").to_string();
    fs::create_dir_all(dir.path().join("blobs").join(&stray[..2])).unwrap();
    fs::write(dir.path().join("blobs").join(&stray[..2]).join(&stray), b"stray").unwrap();
    // One that rez's copy gave, whose listing is still to come.
    let staged = dir.path().join("staged");
    fs::write(&staged, b"adopted").unwrap();
    let (adopted, _) = store.adopt(&staged).unwrap();
    // A partial file that nobody fills, and one that somebody does.
    fs::write(dir.path().join("partial/foreign"), b"left").unwrap();
    let filling = finished(&store, listed, 1, b"more");

    let expected = Reclaimed { blobs: 2, blob_bytes: 8 + 5, partial_files: 1, partial_bytes: 4 };
    let before = files_of_blobs(dir.path());
    assert_eq!(store.reclaim(true).unwrap(), expected);
    assert_eq!(files_of_blobs(dir.path()), before, "a dry run removed something");
    assert_eq!(store.reclaim(false).unwrap(), expected);
    let left: Vec<_> = files_of_blobs(dir.path()).into_keys().collect();
    let mut expected = vec![kept.to_string(), adopted.to_string()];
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(store.reclaim(false).unwrap(), Reclaimed::default());
    store.commit(vec![filling]).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("partial")).unwrap().count(), 0);
    drop(store);
    Store::open(dir.path()).unwrap();
    audit(dir.path());
}
