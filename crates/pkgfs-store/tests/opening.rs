//! What may be opened as a store, and what is said of the rest.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::{fs, path::Path};

use fixture::{SINCE_4, audit, back_to_format_1, directory, hydrate, sys, variant};
use pkgfs_store::{RegistrationState, Store, StoreError};

/// The error of opening, with its one line checked for what all of them promise.
fn refusal(dir: &Path) -> StoreError {
    let error = Store::open(dir).unwrap_err();
    let line = error.to_string();
    assert!(line.contains(dir.to_str().unwrap()), "names the path: {line}");
    assert!(!line.contains('\n') && !line.contains(['"', '{']), "one plain line: {line}");
    error
}

#[test]
fn a_new_store_is_private_and_its_parents_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/store");
    let store = Store::open(&path).unwrap();
    assert!(sys::is_private(&path));
    assert_eq!(store.dir(), sys::real(&path));
    assert!(store.sys_dir().is_dir());
    assert!(store.usage().disk_total > store.usage().disk_available);
    assert_eq!(fs::read_to_string(path.join("format")).unwrap(), "pkgfs store 6\n");
    drop(store);
    sys::let_others_in(&path);
    Store::open(&path).unwrap();
    assert!(sys::is_private(&path));
}

#[test]
fn a_store_in_use_tells_by_whom_and_is_free_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let error = refusal(dir.path());
    let own = std::process::id();
    assert!(matches!(error, StoreError::InUse { pid: Some(pid), .. } if pid == own), "{error}");
    drop(store);
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_store_of_a_newer_format_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    fs::write(dir.path().join("format"), "pkgfs store 7\n").unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::NewerFormat { found: 7, known: 6, .. }), "{error}");

    fs::write(dir.path().join("format"), "pkgfs store 1\n").unwrap();
    let database = rusqlite::Connection::open(dir.path().join("pkgfs.sqlite")).unwrap();
    database.pragma_update(None, "user_version", 8).unwrap();
    drop(database);
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::NewerFormat { found: 8, known: 6, .. }), "{error}");
}

#[test]
fn a_store_of_format_1_is_brought_up_with_all_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let known = store.register(variant(1)).unwrap();
    drop(store);
    back_to_format_1(dir.path());
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.registrations().unwrap(), std::slice::from_ref(&known));
    store.pin(known.id).unwrap();
    drop(store);
    assert_eq!(fs::read_to_string(dir.path().join("format")).unwrap(), "pkgfs store 6\n");
    // A kill between the two: the database is of the present format, the stamp is not.
    fs::write(dir.path().join("format"), "pkgfs store 1\n").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.registrations().unwrap()[0].pinned);
    assert_eq!(fs::read_to_string(dir.path().join("format")).unwrap(), "pkgfs store 6\n");
}

#[test]
fn a_store_of_format_2_is_brought_up_with_its_pins() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let known = store.register(variant(1)).unwrap();
    store.pin(known.id).unwrap();
    drop(store);
    let database = rusqlite::Connection::open(dir.path().join("pkgfs.sqlite")).unwrap();
    let former =
        "DROP TABLE profiles; DROP INDEX blobs_by_use; DROP TABLE scrub; PRAGMA user_version = 2";
    database.execute_batch(&format!("{SINCE_4} {former}")).unwrap();
    drop(database);
    fs::write(dir.path().join("format"), "pkgfs store 2\n").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.registrations().unwrap()[0].pinned);
    assert_eq!(store.profile_count().unwrap(), 0);
}

#[test]
fn a_directory_that_holds_something_else_is_foreign_and_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    sys::let_others_in(dir.path());
    let before = sys::access(dir.path());
    fs::write(dir.path().join("format"), "of my thesis\n").unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Damaged { .. }));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    fs::rename(dir.path().join("format"), dir.path().join("thesis.txt")).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Foreign { .. }));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(sys::access(dir.path()), before);

    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("blobs/of-another-program")).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Foreign { .. }));
}

#[test]
fn a_store_whose_making_was_cut_short_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    fs::rename(dir.path().join("format"), dir.path().join("format.new")).unwrap();
    drop(Store::open(dir.path()).unwrap());
    fs::remove_file(dir.path().join("format")).unwrap();
    fs::remove_file(dir.path().join("pkgfs.sqlite")).unwrap();
    drop(Store::open(dir.path()).unwrap());
    audit(dir.path());
}

#[test]
fn a_file_in_the_stores_place_or_on_the_way_to_it_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(refusal(&file), StoreError::NotADirectory { .. }));
    assert!(matches!(refusal(&file.join("store")), StoreError::NotADirectory { .. }));
}

#[test]
fn opening_sweeps_what_only_the_former_process_could_have_finished() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let served = store.register(variant(1)).unwrap().id;
    let copying = pkgfs_store::NewRegistration { state: RegistrationState::Copying, ..variant(2) };
    let copying = store.register(copying).unwrap().id;
    let listed = store.record_directory(&directory(served, "", &[4])).unwrap();
    let kept = hydrate(&store, listed, 0, b"kept").to_string();
    for id in [served, copying] {
        fs::create_dir(store.staging_dir(id)).unwrap();
        fs::write(store.staging_dir(id).join("file"), "half").unwrap();
    }
    drop(store);
    fs::write(dir.path().join("partial/17"), "half").unwrap();
    fs::create_dir(dir.path().join("staging/discarded-1-1")).unwrap();
    // A blob that was put there and not yet named.
    let orphan = "ab".repeat(32);
    fs::create_dir_all(dir.path().join("blobs/ab")).unwrap();
    fs::write(dir.path().join("blobs/ab").join(&orphan), "orphan").unwrap();
    let database = rusqlite::Connection::open(dir.path().join("pkgfs.sqlite")).unwrap();
    let mark = "INSERT INTO unsettled (digest) VALUES (unhex(?1))";
    database.execute(mark, [&orphan]).unwrap();
    database.execute(mark, [&kept]).unwrap();
    drop(database);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("partial")).unwrap().count(), 0);
    assert!(!store.staging_dir(served).exists());
    assert!(store.staging_dir(copying).join("file").exists());
    assert_eq!(store.contents(listed).unwrap().len(), 1);
    audit(dir.path());
}
