//! The suite: content and attributes here, links in [`links`].

// Wine makes no symbolic links.
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::{fs, ops::Range, sync::Mutex};

use pkgfs_manifest::{FileState, Kind, Timestamp};
use pkgfs_origin::{
    Cause, LinkBounds, NameKind, Rest,
    backend::{Backend, Observer, Operation},
};

use crate::harness::{empty, file, noise, read_exact_at, scratch, state};
#[cfg(windows)]
pub use windows::*;
#[cfg(unix)]
pub use {links::*, unix::*};

/// Remembers what it was told.
#[derive(Default)]
pub struct Seen {
    counted: Mutex<Vec<Operation>>,
}

impl Observer for Seen {
    fn count(&self, operation: Operation) {
        self.counted.lock().unwrap().push(operation);
    }

    fn placed(&self, _: &[Range<u64>]) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

pub fn a_file_arrives_whole_with_its_digest(backend: &dyn Backend) {
    let root = scratch();
    // What a long copy reads and hashes at a time, and what direct reads are aligned to.
    let (chunk, block) = (256 << 10, 4096);
    let around = |size: usize| {
        [size - block, size - 1, size, size + 1, size + block - 1, size + block, size + block + 1]
    };
    let long = [4, 5, 8, 9, 16, 17].into_iter().flat_map(|chunks| around(chunks * chunk));
    for size in [0, 1, 4095, 9_000_000].into_iter().chain(long) {
        let content = noise(size);
        let path = file(root.path(), "f", &content);
        let into = empty();
        let fetched =
            backend.fetch(&path, state(&path), &into, Rest::AtOnce, &Seen::default()).unwrap();
        assert_eq!(fetched.size, size as u64);
        assert_eq!(fetched.digest.as_bytes(), blake3::hash(&content).as_bytes());
        let mut copy = vec![0; size];
        read_exact_at(&into, &mut copy, 0);
        assert!(copy == content, "{size}");
        assert_eq!(into.metadata().unwrap().len(), size as u64);
    }
}

pub fn a_file_in_another_state_than_expected_is_not_fetched(backend: &dyn Backend) {
    let root = scratch();
    for size in [10, 3 << 20] {
        let path = file(root.path(), "f", noise(size));
        let is = state(&path);
        let nanos = (is.mtime.nanos + 1) % 1_000_000_000;
        for expected in [
            FileState { size: is.size + 1, ..is },
            FileState { size: is.size - 1, ..is },
            FileState { mtime: Timestamp { nanos, ..is.mtime }, ..is },
            FileState { mtime: Timestamp { secs: is.mtime.secs + 1, ..is.mtime }, ..is },
        ] {
            let failure = backend
                .fetch(&path, expected, &empty(), Rest::AtOnce, &Seen::default())
                .unwrap_err();
            assert_eq!((failure.path, failure.cause), (path.clone(), Cause::Changed));
        }
    }
}

pub fn any_part_of_a_file_is_read_and_only_in_the_expected_state(backend: &dyn Backend) {
    let root = scratch();
    let content = noise(3_000_000);
    let path = file(root.path(), "f", &content);
    let is = state(&path);
    let read = |bytes: Range<u64>| backend.read_at(&path, is, bytes, &Seen::default());
    for bytes in [0..0, 0..1, 999_999..2_500_000, 2_999_999..3_000_000, 0..3_000_000] {
        let expected = &content[bytes.start as usize..bytes.end as usize];
        assert!(read(bytes.clone()).unwrap() == expected, "{bytes:?}");
    }
    assert_eq!(read(2_999_999..3_000_001).unwrap_err().cause, Cause::Changed);
    fs::write(&path, noise(3_000_001)).unwrap();
    assert_eq!(read(0..10).unwrap_err().cause, Cause::Changed);
    fs::remove_file(&path).unwrap();
    assert_eq!(read(0..10).unwrap_err().cause, Cause::NotFound);
    fs::create_dir(&path).unwrap();
    assert_eq!(read(0..10).unwrap_err().cause, Cause::Changed);
}

pub fn what_took_a_files_place_is_a_change(backend: &dyn Backend) {
    let root = scratch();
    let parent = root.path().join("parent");
    fs::create_dir(&parent).unwrap();
    let path = file(&parent, "f", noise(10));
    let is = state(&path);
    let cause = || {
        let fetched = backend.fetch(&path, is, &empty(), Rest::AtOnce, &Seen::default());
        fetched.unwrap_err().cause
    };
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(cause(), Cause::Changed);
    fs::remove_dir_all(&parent).unwrap();
    fs::write(&parent, "").unwrap();
    assert_eq!(cause(), Cause::Changed);
}

pub fn a_fetch_writes_no_byte_beyond_the_expected_size(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", noise(5000));
    let expected = FileState { size: 1000, ..state(&path) };
    let into = empty();
    backend.fetch(&path, expected, &into, Rest::AtOnce, &Seen::default()).unwrap_err();
    assert!(into.metadata().unwrap().len() <= 1000);
}

/// Reads back what it is told to be in place, when it is told.
struct Suspicious<'a> {
    content: &'a [u8],
    copy: &'a fs::File,
    told: Mutex<Vec<Range<u64>>>,
}

impl Observer for Suspicious<'_> {
    fn count(&self, _: Operation) {}

    fn placed(&self, told: &[Range<u64>]) {
        for bytes in told {
            let mut copy = vec![0; (bytes.end - bytes.start) as usize];
            read_exact_at(self.copy, &mut copy, bytes.start);
            let same = copy == self.content[bytes.start as usize..bytes.end as usize];
            assert!(same, "{bytes:?} are not in place");
        }
        self.told.lock().unwrap().extend_from_slice(told);
    }

    fn is_cancelled(&self) -> bool {
        false
    }
}

pub fn progress_tells_bytes_that_are_in_place(backend: &dyn Backend) {
    let root = scratch();
    let content = noise(20 << 20);
    let path = file(root.path(), "f", &content);
    let copy = empty();
    let on = Suspicious { content: &content, copy: &copy, told: Mutex::default() };
    backend.fetch(&path, state(&path), &copy, Rest::AtOnce, &on).unwrap();
    let mut told = on.told.into_inner().unwrap();
    told.sort_by_key(|bytes| bytes.start);
    assert!(told.windows(2).all(|pair| pair[0].end <= pair[1].start), "{told:?}");
    // The last of them need not be told: the answer does.
    let all: u64 = told.iter().map(|bytes| bytes.end - bytes.start).sum();
    assert!(all >= content.len() as u64 - (4 << 20), "{told:?}");
}

pub fn a_missing_file_is_told_from_a_directory_and_from_a_parent_that_is_a_file(
    backend: &dyn Backend,
) {
    let root = scratch();
    let on = &Seen::default();
    let path = file(root.path(), "f", "x");
    let missing = root.path().join("missing");
    let below = path.join("below");
    let expected = state(&path);
    let causes = |path: &std::path::Path| {
        [
            backend.read(path, 100, on).unwrap_err().cause,
            backend.fetch(path, expected, &empty(), Rest::AtOnce, on).unwrap_err().cause,
        ]
    };
    assert_eq!(causes(&missing), [Cause::NotFound; 2]);
    // A fetch names the state it expects of a file: anything else there is a change.
    assert_eq!(causes(&below), [Cause::NotADirectory, Cause::Changed]);
    assert_eq!(causes(root.path()), [Cause::IsADirectory, Cause::Changed]);
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    assert_eq!(backend.list(&path, &bounds, on).unwrap_err().cause, Cause::NotADirectory);
    assert_eq!(backend.list(&missing, &bounds, on).unwrap_err().cause, Cause::NotFound);
    assert_eq!(backend.names(&path, on).unwrap_err().cause, Cause::NotADirectory);
    assert_eq!(backend.stat(&missing, on).unwrap_err().cause, Cause::NotFound);
    assert_eq!(backend.canonical(&missing, on).unwrap_err().cause, Cause::NotFound);
    assert_eq!(backend.xattrs(&missing, false, on).unwrap_err().cause, Cause::NotFound);
}

pub fn a_small_file_is_read_whole_or_refused_for_its_size(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "package.py", "name = 'x'");
    let (content, was) = backend.read(&path, 10, &Seen::default()).unwrap();
    assert_eq!((&content[..], was), (&b"name = 'x'"[..], state(&path)));
    assert_eq!(backend.read(&path, 9, &Seen::default()).unwrap_err().cause, Cause::TooLarge);
    let empty = file(root.path(), "empty", "");
    assert_eq!(backend.read(&empty, 0, &Seen::default()).unwrap().0, b"");
}

pub fn a_directory_of_many_thousand_entries_is_listed_whole(backend: &dyn Backend) {
    let root = scratch();
    // Wine looks at all names for each that is made.
    let count = if cfg!(windows) { 2_000 } else { 50_000 };
    let name = |n: usize| format!("{n:05}{}", "x".repeat(250));
    for n in 0..count {
        fs::File::create(root.path().join(name(n))).unwrap();
    }
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    let listing = backend.list(root.path(), &bounds, &Seen::default()).unwrap();
    assert_eq!(listing.entries().len(), count);
    assert_eq!(&*listing.entries()[count - 1].name, name(count - 1).as_bytes());
    assert_eq!(backend.names(root.path(), &Seen::default()).unwrap().len(), count);
}

pub fn a_small_file_costs_an_open_a_read_and_a_stat(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", noise(50_000));
    let seen = Seen::default();
    backend.fetch(&path, state(&path), &empty(), Rest::AtOnce, &seen).unwrap();
    let mut counted: Vec<_> =
        seen.counted.into_inner().unwrap().iter().map(|op| format!("{op:?}")).collect();
    counted.sort();
    assert_eq!(counted, ["Open", "Read(50000)", "Stat"]);
}

pub fn entries_have_their_size_their_time_and_their_kind(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", "123");
    file(root.path(), "d/x", "");
    let listing = {
        let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
        backend.list(root.path(), &bounds, &Seen::default()).unwrap()
    };
    let [dir, found] = listing.entries() else { panic!("{listing:?}") };
    assert_eq!((&*dir.name, &dir.kind, &dir.source), (&b"d"[..], &Kind::Directory, &None));
    assert_eq!((&*found.name, &found.kind), (&b"f"[..], &Kind::File));
    assert_eq!(found.attributes.state(), state(&path));
    let stat = backend.stat(&path, &Seen::default()).unwrap();
    assert_eq!((stat.kind, stat.attributes), (NameKind::File, found.attributes));
    assert!(backend.stat(root.path(), &Seen::default()).unwrap().is_dir());
    let mut names = backend.names(root.path(), &Seen::default()).unwrap();
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<_> = names.iter().map(|(name, kind)| (&**name, *kind)).collect();
    assert_eq!(names, [(&b"d"[..], NameKind::Directory), (b"f", NameKind::File)]);
    assert_eq!(
        listing.attributes().mtime,
        root.path().metadata().unwrap().modified().unwrap().into()
    );
}
