//! What Windows has not: fifos, owners, names in any bytes; and links, which Wine has not.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    time::{Duration, UNIX_EPOCH},
};

use pkgfs_manifest::{Kind, Special};
use pkgfs_origin::{Cause, LinkBounds, NameKind, Rest, backend::Backend};

use super::Seen;
use crate::harness::{empty, file, noise, scratch, state};

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

pub fn a_file_that_ends_before_its_size_is_not_fetched(backend: &dyn Backend) {
    // sysfs says 4096 bytes of each file, and gives fewer.
    let path = std::path::Path::new("/sys/kernel/uevent_seqnum");
    let is = state(path);
    assert!(is.size > fs::read(path).unwrap().len() as u64);
    let failure = backend.fetch(path, is, &empty(), Rest::AtOnce, &Seen::default()).unwrap_err();
    assert_eq!(failure.cause, Cause::Changed);
    assert_eq!(backend.read(path, 1 << 20, &Seen::default()).unwrap_err().cause, Cause::Changed);
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
    assert!(backend.xattrs(&path, false, &Seen::default()).unwrap().is_empty());
    let set = |name, value: &[u8]| {
        rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    set("user.studio", b"\0binary\xff");
    set("user.empty", b"");
    set("trusted.secret", b"x");
    let found: BTreeMap<_, _> =
        backend.xattrs(&path, false, &Seen::default()).unwrap().into_iter().collect();
    let expected: BTreeMap<Box<[u8]>, Box<[u8]>> = BTreeMap::from([
        ((*b"user.empty").into(), (*b"").into()),
        ((*b"user.studio").into(), (*b"\0binary\xff").into()),
    ]);
    assert_eq!(found, expected);
    // Of access lists only drivers of NTFS tell.
    assert_eq!(backend.xattrs(&path, true, &Seen::default()).unwrap().len(), 2);
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

pub fn a_fifo_or_socket_in_a_files_place_is_a_change(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", noise(10));
    let is = state(&path);
    let causes = || {
        let on = &Seen::default();
        let fetched = backend.fetch(&path, is, &empty(), Rest::AtOnce, on);
        [fetched.unwrap_err().cause, backend.read_at(&path, is, 0..10, on).unwrap_err().cause]
    };
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(causes(), [Cause::Changed; 2]);
    fs::remove_file(&path).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert_eq!(causes(), [Cause::Changed; 2]);
}
