//! The source changes behind the mount's back.

use std::fs;
use std::os::unix::fs::MetadataExt;

use pkgfs_standin::Options;

use crate::storage::{Storage, keeping, write};

#[test]
fn a_change_is_hidden_while_the_kernel_keeps_what_it_knows() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("f"), b"old"));
    assert_eq!(fs::metadata(storage.seen("f")).unwrap().len(), 3);
    write(storage.origin("f"), b"newer");
    assert_eq!(fs::metadata(storage.seen("f")).unwrap().len(), 3);
}

#[test]
fn a_forgotten_path_shows_a_file_changed_in_place() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("a/f"), b"old"));
    assert_eq!(fs::read(storage.seen("a/f")).unwrap(), b"old");
    write(storage.origin("a/f"), b"newer");
    storage.control().forget("a/f").unwrap();
    assert_eq!(fs::metadata(storage.seen("a/f")).unwrap().len(), 5);
    assert_eq!(fs::read(storage.seen("a/f")).unwrap(), b"newer");
}

#[test]
fn a_forgotten_path_shows_a_file_replaced_by_rename() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("f"), b"old"));
    assert_eq!(fs::read(storage.seen("f")).unwrap(), b"old");
    write(storage.origin("g"), b"newer");
    fs::rename(storage.origin("g"), storage.origin("f")).unwrap();
    storage.control().forget("f").unwrap();
    assert_eq!(fs::read(storage.seen("f")).unwrap(), b"newer");
    assert_eq!(fs::metadata(storage.seen("f")).unwrap().ino(), inode(&storage, "f"));
}

#[test]
fn a_forgotten_path_shows_what_was_created_and_what_was_removed() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("d/gone"), b"x"));
    assert!(storage.seen("d/gone").exists());
    assert!(!storage.seen("d/new").exists());
    fs::remove_file(storage.origin("d/gone")).unwrap();
    write(storage.origin("d/new"), b"y");
    for path in ["d/gone", "d/new"] {
        storage.control().forget(path).unwrap();
    }
    assert!(!storage.seen("d/gone").exists());
    assert_eq!(fs::read(storage.seen("d/new")).unwrap(), b"y");
}

#[test]
fn forgetting_a_directory_forgets_what_is_below_it() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("d/e/f"), b"old"));
    assert_eq!(fs::read(storage.seen("d/e/f")).unwrap(), b"old");
    fs::rename(storage.origin("d"), storage.origin("before")).unwrap();
    write(storage.origin("d/e/f"), b"newer");
    storage.control().forget("d").unwrap();
    assert_eq!(fs::read(storage.seen("d/e/f")).unwrap(), b"newer");
    assert_eq!(fs::read(storage.seen("before/e/f")).unwrap(), b"old");
}

#[test]
fn an_open_sees_a_file_replaced_by_rename_without_being_told() {
    // As with NFS: the old handle is stale, and the path is looked up again.
    let storage = Storage::mount(&keeping(), |source| write(source.join("f"), b"old"));
    assert_eq!(fs::read(storage.seen("f")).unwrap(), b"old");
    write(storage.origin("g"), b"newer");
    fs::rename(storage.origin("g"), storage.origin("f")).unwrap();
    assert_eq!(fs::read(storage.seen("f")).unwrap(), b"newer");
}

#[test]
fn an_open_file_that_was_deleted_stays_readable() {
    use std::io::Read;
    let storage = Storage::mount(&Options::uncached(), |source| write(source.join("f"), b"old"));
    let mut file = fs::File::open(storage.seen("f")).unwrap();
    fs::remove_file(storage.origin("f")).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"old");
    assert!(!storage.seen("f").exists());
}

#[test]
fn a_reader_never_gets_old_bytes_after_a_rewrite_of_the_same_size() {
    let storage = Storage::mount(&Options::uncached(), |source| write(source.join("f"), b"aaaa"));
    for byte in b'b'..b'm' {
        write(storage.origin("f"), [byte; 4]);
        assert_eq!(fs::read(storage.seen("f")).unwrap(), [byte; 4]);
    }
}

fn inode(storage: &Storage, path: &str) -> u64 {
    fs::metadata(storage.origin(path)).unwrap().ino()
}
