//! What the store keeps of files: bytes once, as long as something refers to them.
#![allow(clippy::unwrap_used, missing_docs)]

mod fixture;

use std::{
    fs::{self, File},
    io::{Read, Write},
    thread,
};

use fixture::{audit, digest, directory, files_of_blobs, finished, hydrate, sys, variant};
use pkgfs_manifest::{Entry, Kind, Listing, Timestamp};
use pkgfs_store::{FileKey, NewDirectory, RegistrationState, Store, StoreError};

fn read(mut file: File) -> Vec<u8> {
    let mut bytes = vec![];
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn two_variants_with_the_same_file_hold_it_once_and_removing_one_keeps_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let one = store.register(variant(1)).unwrap().id;
    let two = store.register(variant(2)).unwrap().id;
    let in_one = store.record_directory(&directory(one, "", &[4, 3])).unwrap();
    let in_two = store.record_directory(&directory(two, "", &[4])).unwrap();
    hydrate(&store, in_one, 0, b"same");
    hydrate(&store, in_one, 1, b"own");
    let same = hydrate(&store, in_two, 0, b"same");
    assert_eq!((store.usage().blobs, store.usage().blob_bytes), (2, 7));
    assert_eq!((store.usage().hydrated_files, store.usage().hydrated_bytes), (3, 11));
    audit(dir.path());

    store.unregister(one, false).unwrap();
    assert_eq!(read(store.open_blob(&same).unwrap().unwrap()), b"same");
    assert_eq!(files_of_blobs(dir.path()).len(), 1);
    audit(dir.path());
    store.retire_directories(two).unwrap();
    assert_eq!(files_of_blobs(dir.path()).len(), 0);
    audit(dir.path());
}

#[test]
fn equal_files_of_one_commit_become_one_blob() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(id, "", &[5; 20])).unwrap();
    let batch = (0..20).map(|n| finished(&store, listed, n, b"alike")).collect();
    let committed = store.commit(batch).unwrap();
    assert!(committed.iter().all(|one| one.digest == digest(b"alike")));
    assert_eq!(store.contents(listed).unwrap().len(), 20);
    assert_eq!(fs::read_dir(dir.path().join("partial")).unwrap().count(), 0);
    audit(dir.path());
}

#[test]
fn a_flush_forgets_contents_and_open_files_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(id, "lib", &[4])).unwrap();
    let blob = hydrate(&store, listed, 0, b"data");
    let open = store.open_blob(&blob).unwrap().unwrap();
    store.retire_directories(id).unwrap();
    assert_eq!(read(open), b"data");
    assert!(store.open_blob(&blob).unwrap().is_none());
    assert!(store.current_directory(id, b"lib").unwrap().is_none());
    // Nodes that the kernel holds still resolve, and are filled anew.
    assert_eq!(store.directory(listed).unwrap().unwrap().id, listed);
    assert_eq!(store.content(FileKey { directory: listed, entry: 0 }).unwrap(), None);
    hydrate(&store, listed, 0, b"data");
    assert_eq!(store.usage().hydrated_files, 0, "what is retired does not count");

    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.directory(listed).unwrap().is_none());
    assert_eq!(files_of_blobs(dir.path()).len(), 0);
    audit(dir.path());
}

#[test]
fn a_directory_that_changed_keeps_what_is_carried_and_gets_a_new_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    let former = store.record_directory(&directory(id, "lib", &[4, 3])).unwrap();
    let kept = hydrate(&store, former, 0, b"kept");
    hydrate(&store, former, 1, b"old");
    let carried = vec![(0, kept), (1, digest(b"never seen"))];
    let new = NewDirectory { carried, ..directory(id, "lib", &[4, 9]) };
    let current = store.record_directory(&new).unwrap();
    assert!(current > former);
    let found = store.current_directory(id, b"lib").unwrap().unwrap();
    assert_eq!((found.id, &found.listing), (current, &new.listing));
    assert_eq!(store.contents(current).unwrap(), [(0, kept)]);
    assert_eq!(store.contents(former).unwrap().len(), 2, "until the next open");
    let recorded = store.recorded(id).unwrap();
    assert_eq!((recorded.directories, recorded.files, recorded.bytes), (1, 2, 13));
    assert_eq!((recorded.hydrated_files, recorded.hydrated_bytes), (1, 4));
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.contents(current).unwrap(), [(0, kept)]);
    assert_eq!(files_of_blobs(dir.path()).len(), 1);
    audit(dir.path());
}

#[test]
fn those_inside_a_removed_variant_go_on_until_the_store_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    store.unregister(id, true).unwrap();
    let late = store.record_directory(&directory(id, "deep", &[4])).unwrap();
    assert!(store.current_directory(id, b"deep").unwrap().is_none());
    hydrate(&store, late, 0, b"late");
    assert_eq!(store.contents(late).unwrap().len(), 1);
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.directory(late).unwrap().is_none());
    assert_eq!(store.usage().blobs, 0);
    audit(dir.path());
}

#[test]
fn a_file_that_has_a_content_keeps_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(id, "", &[5])).unwrap();
    let first = hydrate(&store, listed, 0, b"first");
    assert_eq!(hydrate(&store, listed, 0, b"other"), first);
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.contents(listed).unwrap(), [(0, first)]);
    audit(dir.path());
}

#[test]
fn a_file_of_another_size_than_told_is_not_committed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(id, "", &[5])).unwrap();
    let mut short = finished(&store, listed, 0, b"whole");
    short.size = 6;
    let error = store.commit(vec![short]).unwrap_err();
    assert!(matches!(error, StoreError::Incomplete { expected: 6, found: 5, .. }), "{error}");
    assert_eq!(fs::read_dir(dir.path().join("partial")).unwrap().count(), 0);
    assert_eq!(store.usage().blobs, 0);
    audit(dir.path());
}

#[test]
fn a_blob_lost_behind_our_back_is_forgotten_and_can_be_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(id, "", &[4])).unwrap();
    let blob = hydrate(&store, listed, 0, b"data");
    let name = blob.to_string();
    sys::remove(&dir.path().join("blobs").join(&name[..2]).join(&name));
    assert!(store.open_blob(&blob).unwrap().is_none());
    let lost = store.suspect(&blob, "its file is gone".to_owned());
    assert_eq!(store.condemn(&lost).unwrap().unwrap().len(), 1);
    assert_eq!(store.contents(listed).unwrap(), []);
    audit(dir.path());
    hydrate(&store, listed, 0, b"data");
    assert_eq!(read(store.open_blob(&blob).unwrap().unwrap()), b"data");
    audit(dir.path());
}

#[test]
fn a_commit_puts_a_lost_file_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(id, "", &[4, 4])).unwrap();
    let name = hydrate(&store, listed, 0, b"data").to_string();
    sys::remove(&dir.path().join("blobs").join(&name[..2]).join(&name));
    hydrate(&store, listed, 1, b"data");
    audit(dir.path());
}

#[test]
fn a_dropped_partial_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let partial = store.partial().unwrap();
    let mut worker = partial.try_clone().unwrap();
    worker.write_all(&[7; 10_000]).unwrap();
    partial.file().sync_all().unwrap();
    assert!(store.usage().partial_bytes >= 10_000);
    drop(partial);
    worker.write_all(b"too late").unwrap();
    // Not on every system does the name of an open file go at once.
    drop(worker);
    assert_eq!(store.usage().partial_bytes, 0);
}

#[test]
fn a_finished_copy_is_adopted_and_kept_for_the_listing_to_come() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let copying = store
        .register(pkgfs_store::NewRegistration { state: RegistrationState::Copying, ..variant(1) });
    let id = copying.unwrap().id;
    let other = store.register(variant(2)).unwrap().id;
    let elsewhere = store.record_directory(&directory(other, "", &[4])).unwrap();
    hydrate(&store, elsewhere, 0, b"both");

    let staging = store.staging_dir(id);
    fs::create_dir_all(staging.join("closed")).unwrap();
    fs::write(staging.join("new"), b"new").unwrap();
    fs::write(staging.join("both"), b"both").unwrap();
    fs::hard_link(staging.join("new"), staging.join("linked")).unwrap();
    fs::hard_link(staging.join("new"), staging.join("linked2")).unwrap();
    sys::close(&staging.join("closed"));
    store.adopt(&staging.join("linked2")).unwrap();
    assert_eq!(store.adopt(&staging.join("linked")).unwrap(), (digest(b"new"), 3));
    assert_eq!(fs::read(staging.join("new")).unwrap(), b"new", "the other name is left alone");
    assert_eq!(store.adopt(&staging.join("both")).unwrap(), (digest(b"both"), 4));
    store.adopt(&staging.join("new")).unwrap();
    assert!(store.adopt(&staging.join("closed")).is_err());
    // Cut short here, the copy would still be whole.
    for (name, bytes) in [("linked2", &b"new"[..]), ("both", b"both"), ("new", b"new")] {
        assert_eq!(fs::read(staging.join(name)).unwrap(), bytes);
    }
    // Nothing of it is listed yet, and what is released meanwhile does not take it away.
    store.unregister(other, false).unwrap();
    // Nor does the end of another copy that has the same file.
    let brief = store.register(variant(3)).unwrap().id;
    let carried = vec![(0, digest(b"new"))];
    store.record_directory(&NewDirectory { carried, ..directory(brief, "", &[3]) }).unwrap();
    store.unregister(brief, false).unwrap();
    let carried = vec![(0, digest(b"new")), (1, digest(b"both")), (2, digest(b"new"))];
    let sealed = NewDirectory { carried: carried.clone(), ..directory(id, "", &[3, 4, 3]) };
    let listed = store.record_directory(&sealed).unwrap();
    assert_eq!(store.contents(listed).unwrap(), carried);
    store.set_state(id, RegistrationState::Sealed).unwrap();
    store.protect(&carried.iter().map(|(_, digest)| *digest).collect()).unwrap();
    store.discard_staging(id).unwrap();
    assert!(!staging.exists());
    audit(dir.path());

    store.unregister(id, false).unwrap();
    assert_eq!(files_of_blobs(dir.path()).len(), 0, "the holds were given back");
}

#[test]
fn an_adopted_file_that_was_never_listed_goes_at_the_next_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    fs::write(store.dir().join("staging/x"), b"lone").unwrap();
    store.adopt(&store.dir().join("staging/x")).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.usage().blobs, 0);
    audit(dir.path());
}

#[test]
fn a_commit_that_finds_its_blob_there_does_not_lose_it_to_a_removal() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let keeper = store.register(variant(0)).unwrap().id;
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..150 {
                let id = store.register(variant(n)).unwrap().id;
                let listed = store.record_directory(&directory(id, "", &[9])).unwrap();
                hydrate(&store, listed, 0, b"contended");
                store.unregister(id, false).unwrap();
            }
        });
        for round in 0..150 {
            let listed = store.record_directory(&directory(keeper, "", &[9])).unwrap();
            let blob = hydrate(&store, listed, 0, b"contended");
            let file = store.open_blob(&blob).unwrap();
            assert_eq!(read(file.unwrap_or_else(|| panic!("lost in {round}"))), b"contended");
            store.retire_directories(keeper).unwrap();
        }
    });
    audit(dir.path());
}

#[test]
fn names_and_paths_that_are_not_text_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let odd = &sys::odd_path();
    let new = pkgfs_store::NewRegistration {
        repository: odd.into(),
        root: Some(odd.into()),
        ..variant(1)
    };
    let id = store.register(new).unwrap().id;
    let name: Box<[u8]> = (b'\x80'..=b'\xff').chain(b'\x01'..=b'\x1f').collect();
    let entry = Entry {
        name,
        kind: Kind::Link((*b"\xc0\x80").into()),
        attributes: fixture::attributes(2),
        source: Some((*b"/\xff").into()),
    };
    let new = NewDirectory {
        registration: id,
        path: (*b"a\xff/b").into(),
        source: odd.into(),
        anchor: odd.into(),
        listing: Listing::new(fixture::attributes(1), vec![entry]),
        carried: vec![],
    };
    let listed = store.record_directory(&new).unwrap();
    let xattrs = [((*b"user.\xff").into(), (*b"\0\xff").into())];
    let file = FileKey { directory: listed, entry: 0 };
    assert_eq!(store.xattrs(file).unwrap(), None);
    store.record_xattrs(file, &[]).unwrap();
    assert_eq!(store.xattrs(file).unwrap().unwrap(), []);
    store.record_xattrs(file, &xattrs).unwrap();
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.registrations().unwrap()[0].root.as_deref(), Some(odd.as_ref()));
    let found = store.current_directory(id, b"a\xff/b").unwrap().unwrap();
    assert_eq!((found.source, found.listing), (new.source, new.listing));
    assert_eq!(store.xattrs(file).unwrap().unwrap(), xattrs);
}

#[test]
fn use_of_a_blob_never_goes_back_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.register(variant(1)).unwrap().id;
    let listed = store.record_directory(&directory(id, "", &[4])).unwrap();
    let blob = hydrate(&store, listed, 0, b"data");
    let late = Timestamp { secs: i64::MAX, nanos: 5 };
    let later = Timestamp { secs: i64::MAX, nanos: 6 };
    store.touch_blobs(&[(blob, later), (blob, late), (digest(b"gone"), late)]).unwrap();
    let database = rusqlite::Connection::open(dir.path().join("pkgfs.sqlite")).unwrap();
    let nanos: u32 =
        database.query_row("SELECT used_nanos FROM blobs", [], |row| row.get(0)).unwrap();
    assert_eq!(nanos, 6);
}
