//! What is counted, exactly.

use std::fs;
use std::io::Read;

use pkgfs_standin::{Operation, Options, Tally};
use rustix::fs::{lgetxattr, llistxattr, statfs};

use crate::storage::{Storage, keeping, write};

fn read(path: impl AsRef<std::path::Path>) -> Vec<u8> {
    // Not fs::read, which asks for the attributes too.
    let mut bytes = vec![0; 1 << 20];
    let length = fs::File::open(path).unwrap().read(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

#[test]
fn reading_a_file_costs_its_look_ups_an_open_and_a_read() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("a/f"), b"0123456789"));
    storage.control().reset().unwrap();
    assert_eq!(read(storage.seen("a/f")), b"0123456789");
    let first = Tally { lookup: 2, open: 1, read: 1, bytes_read: 10, ..Tally::default() };
    assert_eq!(storage.control().stats().unwrap().operations, first);
}

#[test]
fn opening_an_unchanged_file_again_costs_only_the_open() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("f"), b"0123456789"));
    read(storage.seen("f"));
    storage.control().reset().unwrap();
    read(storage.seen("f"));
    let again = Tally { open: 1, ..Tally::default() };
    assert_eq!(storage.control().stats().unwrap().operations, again);
}

#[test]
fn opening_again_reads_again_when_told_so() {
    let options = Options { reread_at_open: true, ..keeping() };
    let storage = Storage::mount(&options, |source| write(source.join("f"), b"0123456789"));
    read(storage.seen("f"));
    storage.control().reset().unwrap();
    read(storage.seen("f"));
    let again = Tally { open: 1, read: 1, bytes_read: 10, ..Tally::default() };
    assert_eq!(storage.control().stats().unwrap().operations, again);
}

#[test]
fn a_large_read_asks_for_a_mebibyte_at_a_time() {
    let size = 4 << 20;
    let storage = Storage::mount(&keeping(), |source| write(source.join("f"), vec![7; size]));
    storage.control().reset().unwrap();
    let bytes = fs::read(storage.seen("f")).unwrap();
    assert!(bytes == vec![7; size]);
    let stats = storage.control().stats().unwrap();
    assert_eq!(stats.operations.bytes_read, size as u64);
    // Read-ahead begins small and may split at its marks; an rsize of 128 KiB would need 32.
    assert!(stats.operations.read <= 10, "{} reads", stats.operations.read);
    assert_eq!((stats.max_read, stats.read_ahead_kb), (1 << 20, 1024));
}

#[test]
fn a_listing_brings_the_attributes_of_its_entries() {
    let storage = Storage::mount(&keeping(), |source| {
        for name in ["a", "b", "c"] {
            write(source.join(name), name);
        }
    });
    storage.control().reset().unwrap();
    let entries: Vec<_> = fs::read_dir(storage.seen("")).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len(), 3);
    for entry in entries {
        assert_eq!(entry.metadata().unwrap().len(), 1);
    }
    let one = Tally { readdir: 1, ..Tally::default() };
    assert_eq!(storage.control().stats().unwrap().operations, one);
}

#[test]
fn a_missing_name_is_asked_once_while_misses_are_kept() {
    let storage = Storage::mount(&keeping(), |_| {});
    storage.control().reset().unwrap();
    for _ in 0..3 {
        assert!(!storage.seen("missing").exists());
    }
    assert_eq!(storage.control().stats().unwrap().operations.lookup, 1);
}

#[test]
fn a_missing_name_is_asked_each_time_while_misses_are_not_kept() {
    let storage = Storage::mount(&Options::uncached(), |_| {});
    storage.control().reset().unwrap();
    for _ in 0..3 {
        assert!(!storage.seen("missing").exists());
    }
    assert_eq!(storage.control().stats().unwrap().operations.lookup, 3);
}

#[test]
fn links_xattrs_and_space_are_counted_each_by_its_kind() {
    let storage = Storage::mount(&keeping(), |source| {
        write(source.join("f"), b"x");
        std::os::unix::fs::symlink("f", source.join("l")).unwrap();
    });
    let (file, link) = (storage.seen("f"), storage.seen("l"));
    storage.control().reset().unwrap();

    fs::read_link(&link).unwrap();
    lgetxattr(&file, "user.missing", &mut [0; 8][..]).unwrap_err();
    llistxattr(&file, &mut [0; 8][..]).unwrap();
    statfs(&file).unwrap();

    let expected =
        Tally { lookup: 2, readlink: 1, getxattr: 1, listxattr: 1, statfs: 1, ..Tally::default() };
    assert_eq!(storage.control().stats().unwrap().operations, expected);
}

#[test]
fn attributes_are_asked_each_time_while_they_are_not_kept() {
    let options = Options { attr_ttl_ms: 0, ..keeping() };
    let storage = Storage::mount(&options, |source| write(source.join("f"), b"x"));
    let file = fs::File::open(storage.seen("f")).unwrap();
    storage.control().reset().unwrap();
    for _ in 0..3 {
        file.metadata().unwrap();
    }
    let expected = Tally { getattr: 3, ..Tally::default() };
    assert_eq!(storage.control().stats().unwrap().operations, expected);
}

#[test]
fn watched_paths_are_counted_apart() {
    let storage = Storage::mount(&keeping(), |source| {
        write(source.join("p/package.py"), b"name");
        write(source.join("p/payload/m.py"), b"import");
    });
    storage.control().reset().unwrap();
    storage.control().watch(["p/payload"]).unwrap();
    read(storage.seen("p/package.py"));
    read(storage.seen("p/payload/m.py"));
    let stats = storage.control().stats().unwrap();
    let payload = Tally { lookup: 2, open: 1, read: 1, bytes_read: 6, ..Tally::default() };
    assert_eq!(stats.watched["p/payload"], payload);
    assert_eq!((stats.operations.open, stats.operations.bytes_read), (2, 10));
}

#[test]
fn a_trace_tells_operation_path_and_bytes_in_order() {
    let storage = Storage::mount(&keeping(), |source| write(source.join("a/f"), b"abc"));
    storage.control().set_trace(true).unwrap();
    read(storage.seen("a/f"));
    let trace = storage.control().trace().unwrap();
    let told: Vec<_> =
        trace.operations.iter().map(|one| (one.operation, one.path.as_str(), one.bytes)).collect();
    let expected = [
        (Operation::Lookup, "a", 0),
        (Operation::Lookup, "a/f", 0),
        (Operation::Open, "a/f", 0),
        (Operation::Read, "a/f", 3),
    ];
    assert_eq!((told.as_slice(), trace.dropped), (&expected[..], 0));
    storage.control().set_trace(false).unwrap();
    assert_eq!(storage.control().trace().unwrap().operations, []);
}
