//! A full disk is told as such, and nothing acknowledged is lost by it.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::{fs, process::Command};

use fixture::{audit, directory, finished, variant};
use pkgfs_store::{Store, StoreError};

const DIR: &str = "PKGFS_STORE_SMALL_DISK";

#[test]
fn a_full_disk_is_told_as_no_room() {
    let dir = tempfile::tempdir().unwrap();
    // In a mount namespace of its own, so that the small disk goes with the process.
    let status = Command::new("unshare")
        .args(["--mount", "--map-root-user"])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "on_a_small_disk"])
        .env(DIR, dir.path())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "runs inside a_full_disk_is_told_as_no_room, on the disk made there"]
fn on_a_small_disk() {
    let dir = std::env::var_os(DIR).map(std::path::PathBuf::from).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
    assert!(Command::new("mount").args(mount).arg(&dir).status().unwrap().success());
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
