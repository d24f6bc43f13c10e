//! Files that change while they are copied.

use std::{fs::File, ops::Range, path::Path, sync::Once, time::UNIX_EPOCH};

use pkgfs_origin::{
    Cause, Rest,
    backend::{Backend, Mounted, Observer, Operation},
};

use crate::harness::{empty, file, noise, scratch, state, write_all_at};

/// Does something to the file when the first part of it is in place.
struct Meddler<'a, F> {
    once: Once,
    path: &'a Path,
    meddle: F,
    cancelled: bool,
}

impl<F: Fn(&File) + Sync> Observer for Meddler<'_, F> {
    fn count(&self, _: Operation) {}

    fn placed(&self, bytes: &[Range<u64>]) {
        assert!(!self.once.is_completed(), "{bytes:?} told to be in place after a change");
        self.once.call_once(|| {
            let file = File::options().write(true).open(self.path).unwrap();
            (self.meddle)(&file);
        });
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled
    }
}

fn fetch(meddle: impl Fn(&File) + Sync, cancelled: bool) -> Cause {
    let root = scratch();
    let path = file(root.path(), "f", noise(16 << 20));
    let on = Meddler { once: Once::new(), path: &path, meddle, cancelled };
    Mounted.fetch(&path, state(&path), &empty(), Rest::AtOnce, &on).unwrap_err().cause
}

#[test]
fn a_file_that_grows_while_it_is_copied_is_refused() {
    let grow = |file: &File| write_all_at(file, b"x", 16 << 20);
    assert_eq!(fetch(grow, false), Cause::Changed);
}

#[test]
fn a_file_that_is_cut_while_it_is_copied_is_refused() {
    assert_eq!(fetch(|file| file.set_len(9 << 20).unwrap(), false), Cause::Changed);
}

#[test]
fn a_file_rewritten_in_place_while_it_is_copied_is_refused() {
    let rewrite = |file: &File| write_all_at(file, b"other bytes, same size", 12 << 20);
    assert_eq!(fetch(rewrite, false), Cause::Changed);
}

#[test]
fn a_file_whose_mtime_changes_while_it_is_copied_is_refused() {
    assert_eq!(fetch(|file| file.set_modified(UNIX_EPOCH).unwrap(), false), Cause::Changed);
}

#[test]
fn a_copy_nobody_waits_for_ends_early() {
    assert_eq!(fetch(|_| {}, true), Cause::Cancelled);
}

#[test]
fn a_copy_that_cannot_be_written_is_told_from_a_failure_of_storage() {
    let root = scratch();
    for size in [7, 3 << 20] {
        let path = file(root.path(), "f", noise(size));
        let refuses = File::open(file(root.path(), "into", "")).unwrap();
        let on =
            Meddler { once: Once::new(), path: &path, meddle: |_: &File| {}, cancelled: false };
        let failure = Mounted.fetch(&path, state(&path), &refuses, Rest::AtOnce, &on).unwrap_err();
        assert!(matches!(failure.cause, Cause::Destination(_)), "{failure:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_full_local_disk_is_told_from_a_failure_of_storage() {
    let root = scratch();
    let path = file(root.path(), "f", "content");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let on = Meddler { once: Once::new(), path: &path, meddle: |_: &File| {}, cancelled: false };
    let failure = Mounted.fetch(&path, state(&path), &full, Rest::AtOnce, &on).unwrap_err();
    assert!(matches!(failure.cause, Cause::Destination(_)), "{failure:?}");
}
