//! The suite: content and attributes here, links in [`links`].

mod links;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    ops::Range,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    },
    sync::Mutex,
    time::{Duration, UNIX_EPOCH},
};

use pkgfs_manifest::{FileState, Kind, Special, Timestamp};
use pkgfs_origin::{
    Cause, LinkBounds, NameKind, Rest,
    backend::{Backend, Observer, Operation},
};

use crate::harness::{empty, file, noise, scratch, state};
pub use links::*;

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
        into.read_exact_at(&mut copy, 0).unwrap();
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
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
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
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(cause(), Cause::Changed);
    fs::remove_file(&path).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert_eq!(cause(), Cause::Changed);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(cause(), Cause::Changed);
    fs::remove_dir_all(&parent).unwrap();
    fs::write(&parent, "").unwrap();
    assert_eq!(cause(), Cause::Changed);
}

pub fn a_file_that_ends_before_its_size_is_not_fetched(backend: &dyn Backend) {
    // sysfs says 4096 bytes of each file, and gives fewer.
    let path = std::path::Path::new("/sys/kernel/uevent_seqnum");
    let is = state(path);
    assert!(is.size > fs::read(path).unwrap().len() as u64);
    let failure = backend.fetch(path, is, &empty(), Rest::AtOnce, &Seen::default()).unwrap_err();
    assert_eq!(failure.cause, Cause::Changed);
    assert_eq!(backend.read(path, 1 << 20, &Seen::default()).unwrap_err().cause, Cause::Changed);
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
            self.copy.read_exact_at(&mut copy, bytes.start).unwrap();
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
    let whole = told.iter().fold(0, |end, bytes| if bytes.start == end { bytes.end } else { end });
    assert_eq!(whole, content.len() as u64, "{told:?}");
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
    assert_eq!(backend.xattrs(&missing, on).unwrap_err().cause, Cause::NotFound);
}

pub fn a_fifo_is_listed_and_never_waited_for(backend: &dyn Backend) {
    let root = scratch();
    let path = root.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    let listing = backend.list(root.path(), &bounds, &Seen::default()).unwrap();
    assert_eq!(listing.entries()[0].kind, Kind::Special(Special::Fifo));
    let is = state(&path);
    let failure = backend.fetch(&path, is, &empty(), Rest::AtOnce, &Seen::default()).unwrap_err();
    assert_eq!(failure.cause, Cause::Changed);
    assert_eq!(backend.read(&path, 10, &Seen::default()).unwrap_err().cause, Cause::Changed);
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

pub fn attributes_are_those_of_what_a_link_leads_to(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", "12345");
    symlink("f", root.path().join("l")).unwrap();
    let stat = backend.stat(&root.path().join("l"), &Seen::default()).unwrap();
    let is = fs::metadata(&path).unwrap();
    assert_eq!((stat.kind, stat.attributes.size, stat.device), (NameKind::File, 5, is.dev()));
    assert!(backend.stat(root.path(), &Seen::default()).unwrap().is_dir());
}

pub fn names_come_with_their_kinds(backend: &dyn Backend) {
    let root = scratch();
    file(root.path(), "f", "");
    file(root.path(), "d/x", "");
    symlink("nowhere", root.path().join("l")).unwrap();
    nix::unistd::mkfifo(&root.path().join("p"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut names = backend.names(root.path(), &Seen::default()).unwrap();
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let expected = [
        (&b"d"[..], NameKind::Directory),
        (b"f", NameKind::File),
        (b"l", NameKind::Link),
        (b"p", NameKind::Special),
    ];
    let names: Vec<_> = names.iter().map(|(name, kind)| (&**name, *kind)).collect();
    assert_eq!(names, expected);
}

pub fn a_path_is_resolved_through_its_links(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "a/b/f", "");
    symlink("a/b", root.path().join("l")).unwrap();
    let found = backend.canonical(&root.path().join("l/../b/f"), &Seen::default()).unwrap();
    assert_eq!(found, path.canonicalize().unwrap());
}

pub fn only_user_xattrs_are_given(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", "");
    assert!(backend.xattrs(&path, &Seen::default()).unwrap().is_empty());
    let set = |name, value: &[u8]| {
        rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    set("user.studio", b"\0binary\xff");
    set("user.empty", b"");
    set("trusted.secret", b"x");
    let found: BTreeMap<_, _> =
        backend.xattrs(&path, &Seen::default()).unwrap().into_iter().collect();
    let expected: BTreeMap<Box<[u8]>, Box<[u8]>> = BTreeMap::from([
        ((*b"user.empty").into(), (*b"").into()),
        ((*b"user.studio").into(), (*b"\0binary\xff").into()),
    ]);
    assert_eq!(found, expected);
}

pub fn entries_have_all_their_attributes(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", "123");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    let at = UNIX_EPOCH - Duration::new(5, 123_456_789);
    fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    file(root.path(), "d/x", "");
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    let listing = backend.list(root.path(), &bounds, &Seen::default()).unwrap();
    let [dir, found] = listing.entries() else { panic!("{listing:?}") };
    assert_eq!((&*dir.name, &dir.kind, &dir.source), (&b"d"[..], &Kind::Directory, &None));
    let is = fs::metadata(&path).unwrap();
    assert_eq!((&found.kind, found.attributes.size), (&Kind::File, 3));
    assert_eq!((found.attributes.mode, found.attributes.uid), (0o4751, is.uid()));
    assert_eq!(found.attributes.mtime, at.into());
    assert_eq!(
        listing.attributes().mtime,
        root.path().metadata().unwrap().modified().unwrap().into()
    );
}

pub fn names_that_are_not_utf_8_and_names_of_255_bytes_are_listed_and_fetched(
    backend: &dyn Backend,
) {
    let root = scratch();
    let strange = OsStr::from_bytes(b"\xff\xfe\n \x01");
    let long = "n".repeat(255);
    let dir = root.path().join(strange);
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join(&long), "content").unwrap();
    symlink(OsStr::from_bytes(b"\xc0\xaf"), dir.join("l")).unwrap();
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    let names = backend.list(root.path(), &bounds, &Seen::default()).unwrap();
    assert_eq!(&*names.entries()[0].name, strange.as_bytes());
    let names = backend.list(&dir, &bounds, &Seen::default()).unwrap();
    assert_eq!(names.entries()[0].kind, Kind::Link((*b"\xc0\xaf").into()));
    assert_eq!(&*names.entries()[1].name, long.as_bytes());
    let path = dir.join(&long);
    backend.fetch(&path, state(&path), &empty(), Rest::AtOnce, &Seen::default()).unwrap();
}

pub fn a_directory_of_50_000_entries_is_listed_whole(backend: &dyn Backend) {
    let root = scratch();
    let name = |n: usize| format!("{n:05}{}", "x".repeat(250));
    for n in 0..50_000 {
        fs::File::create(root.path().join(name(n))).unwrap();
    }
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    let listing = backend.list(root.path(), &bounds, &Seen::default()).unwrap();
    assert_eq!(listing.entries().len(), 50_000);
    assert_eq!(&*listing.entries()[49_999].name, name(49_999).as_bytes());
    assert_eq!(backend.names(root.path(), &Seen::default()).unwrap().len(), 50_000);
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
