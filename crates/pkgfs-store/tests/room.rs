//! A full disk is told as such, and nothing acknowledged is lost by it.
//!
//! Not on Windows: a small disk is mounted for it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::{collections::HashSet, fs, io::Write, path::PathBuf, process::Command};

use fixture::{audit, directory, finished, variant};
use pkgfs_store::{Store, StoreError};

const DIR: &str = "PKGFS_STORE_SMALL_DISK";

/// Runs a test of this file on a small disk: in a mount namespace of its own, so that the disk
/// goes with the process.
fn on_a_disk_of_its_own(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new("unshare")
        .args(["--mount", "--map-root-user"])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test])
        .env(DIR, dir.path())
        .status()
        .unwrap();
    assert!(status.success());
}

/// The disk, made now.
fn disk(megabytes: u64) -> PathBuf {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let size = format!("size={megabytes}m");
    let mount = ["-t", "tmpfs", "-o", &size, "tmpfs"];
    assert!(Command::new("mount").args(mount).arg(&dir).status().unwrap().success());
    dir
}

#[test]
fn a_full_disk_is_told_as_no_room() {
    on_a_disk_of_its_own("on_a_small_disk");
}

#[test]
fn on_a_disk_without_a_byte_left_blobs_can_still_go() {
    on_a_disk_of_its_own("on_a_disk_that_others_fill");
}

#[test]
#[ignore = "runs inside on_a_disk_without_a_byte_left_blobs_can_still_go, on the disk made there"]
fn on_a_disk_that_others_fill() {
    let dir = disk(40);
    let path = dir.join("store");
    let store = Store::open(&path).unwrap();
    let registration = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(registration, "", &[1000; 300])).unwrap();
    let batch = (0..300_u32).map(|n| finished(&store, listed, n, &n.to_le_bytes().repeat(250)));
    store.commit(batch.collect()).unwrap();
    let mut ballast = fs::File::create(dir.join("ballast")).unwrap();
    while ballast.write(&[1; 4096]).is_ok_and(|written| written > 0) {}
    assert_eq!(store.usage().disk_available, 0);
    let evicted = store.evict(200_000, &HashSet::new()).unwrap();
    assert_eq!((evicted.blobs.len(), evicted.bytes), (200, 200_000));
    // What was kept back for that is kept back again once there is room.
    assert!(!path.join("reserve").exists());
    drop(ballast);
    fs::remove_file(dir.join("ballast")).unwrap();
    store.evict(1, &HashSet::new()).unwrap();
    assert_eq!(path.join("reserve").metadata().unwrap().len(), 4 << 20);
    drop(store);
    Store::open(&path).unwrap();
    audit(&path);
}

#[test]
#[ignore = "runs inside a_full_disk_is_told_as_no_room, on the disk made there"]
fn on_a_small_disk() {
    let dir = disk(4);
    let path = dir.join("store");
    let store = Store::open(&path).unwrap();
    let ballast = store.sys_dir().join("ballast");
    let room = usize::try_from(store.usage().disk_available).unwrap();
    fs::write(&ballast, vec![1; room - 600_000]).unwrap();

    let mut acknowledged = vec![];
    let error = (0..)
        .find_map(|n| {
            let registered = store.register(variant(n)).and_then(|registration| {
                let listed = store.record_directory(&directory(registration.id, "", &[9; 100]))?;
                acknowledged.push(registration);
                let bytes = n.to_le_bytes().repeat(500);
                store.commit(vec![finished(&store, listed, 0, &bytes)])
            });
            registered.err()
        })
        .unwrap();
    assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
    assert!(acknowledged.len() > 3);

    fs::remove_file(&ballast).unwrap();
    store.register(variant(1_000_000)).unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    let found = store.registrations().unwrap();
    assert!(acknowledged.iter().all(|one| found.contains(one)));
    audit(&path);
}
