//! The mirror shows what the source has.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use pkgfs_standin::Options;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use rustix::fs::{lgetxattr, llistxattr, lsetxattr, mknodat, utimensat};

use crate::storage::{Storage, keeping, write};

/// All of a stat that a mirror must keep.
fn stat(path: &Path) -> (u64, u32, u32, u32, u64, u64, i64, i64, u64, u64) {
    let is = fs::symlink_metadata(path).unwrap();
    let when = (is.mtime(), is.mtime_nsec());
    (
        is.ino(),
        is.mode(),
        is.uid(),
        is.gid(),
        is.nlink(),
        is.size(),
        when.0,
        when.1,
        is.blocks(),
        is.rdev(),
    )
}

fn set_mtime(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

#[test]
fn every_kind_of_file_has_the_attributes_of_its_source() {
    let storage = Storage::mount(&keeping(), |source| {
        write(source.join("dir/file"), b"content");
        fs::set_permissions(source.join("dir"), fs::Permissions::from_mode(0o2751)).unwrap();
        fs::set_permissions(source.join("dir/file"), fs::Permissions::from_mode(0o4640)).unwrap();
        chown(source.join("dir/file"), Some(1234), Some(5678)).unwrap();
        fs::hard_link(source.join("dir/file"), source.join("other")).unwrap();
        symlink("dir/file", source.join("link")).unwrap();
        symlink("/nowhere/at all", source.join("dangling")).unwrap();
        let mode = Mode::from_raw_mode(0o644);
        mknodat(CWD, source.join("fifo"), FileType::Fifo, mode, 0).unwrap();
        let device = rustix::fs::makedev(300, 70_000);
        mknodat(CWD, source.join("device"), FileType::CharacterDevice, mode, device).unwrap();
        drop(UnixListener::bind(source.join("socket")).unwrap());
        write(source.join("sparse"), b"");
        fs::File::options()
            .write(true)
            .open(source.join("sparse"))
            .unwrap()
            .set_len(1 << 33)
            .unwrap();
        set_mtime(&source.join("dir/file"), 1_234_567_890, 123_456_789);
        set_mtime(&source.join("link"), -5, 1);
        set_mtime(&source.join("dir"), 1, 999_999_999);
    });
    let names =
        ["", "dir", "dir/file", "other", "link", "dangling", "fifo", "device", "socket", "sparse"];
    for name in names {
        assert_eq!(stat(&storage.seen(name)), stat(&storage.origin(name)), "{name:?}");
    }
    for name in ["link", "dangling"] {
        let target = fs::read_link(storage.origin(name)).unwrap();
        assert_eq!(fs::read_link(storage.seen(name)).unwrap(), target);
    }
    assert_eq!(fs::read(storage.seen("link")).unwrap(), b"content");
}

#[test]
fn xattrs_are_those_of_the_source() {
    let big = vec![9; 2000];
    let storage = Storage::mount(&keeping(), |source| {
        write(source.join("f"), b"");
        lsetxattr(source.join("f"), "user.small", b"1", XattrFlags::empty()).unwrap();
        lsetxattr(source.join("f"), "user.big", &big, XattrFlags::empty()).unwrap();
    });
    let mut value = vec![0; 4096];
    let size = lgetxattr(storage.seen("f"), "user.big", &mut value[..]).unwrap();
    assert_eq!(value[..size], big);
    let short = lgetxattr(storage.seen("f"), "user.big", &mut [0; 10][..]);
    assert_eq!(short, Err(rustix::io::Errno::RANGE));
    let missing = lgetxattr(storage.seen("f"), "user.none", &mut value[..]);
    assert_eq!(missing, Err(rustix::io::Errno::NODATA));

    let listed = |path| {
        let mut names = vec![0; 4096];
        let size = llistxattr(path, &mut names[..]).unwrap();
        names.truncate(size);
        names
    };
    assert_eq!(listed(storage.seen("f")), listed(storage.origin("f")));
}

#[test]
fn names_that_are_not_text_or_of_the_greatest_length_are_kept() {
    let names = [
        OsStr::from_bytes(b"\xff\xfe not utf-8").to_owned(),
        OsString::from("n".repeat(255)),
        OsString::from("line\nbreak"),
    ];
    let storage = Storage::mount(&keeping(), |source| {
        for name in &names {
            fs::write(source.join(name), name.as_bytes()).unwrap();
        }
    });
    let listed = fs::read_dir(storage.seen("")).unwrap();
    let mut listed: Vec<_> = listed.map(|entry| entry.unwrap().file_name()).collect();
    listed.sort();
    let mut expected = names.to_vec();
    expected.sort();
    assert_eq!(listed, expected);
    for name in names {
        assert_eq!(fs::read(storage.seen("").join(&name)).unwrap(), name.as_bytes());
    }
}

#[test]
fn a_directory_of_50000_entries_is_listed_whole_and_each_entry_once() {
    let storage = Storage::mount(&keeping(), |source| {
        for number in 0..50_000 {
            fs::File::create(source.join(number.to_string())).unwrap();
        }
    });
    storage.control().reset().unwrap();
    let mut listed: Vec<u32> = fs::read_dir(storage.seen(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    listed.sort_unstable();
    assert!(listed.into_iter().eq(0..50_000));
    let asked = storage.control().stats().unwrap().operations;
    assert_eq!((asked.total(), asked.readdir), (asked.readdir, asked.readdir));
    // 160 bytes an entry: what a 32 KiB buffer of getdents64 holds bounds the number.
    assert!(asked.readdir <= 50_000 / 190, "{} READDIRs", asked.readdir);
    assert_eq!(fs::symlink_metadata(storage.seen("49999")).unwrap().len(), 0);
}

#[test]
fn nothing_can_be_written() {
    let storage = Storage::mount(&Options::uncached(), |source| write(source.join("f"), b"x"));
    let file = storage.seen("f");
    let refusals = [
        fs::write(&file, b"y"),
        fs::write(storage.seen("new"), b"y"),
        fs::remove_file(&file),
        fs::rename(&file, storage.seen("g")),
        fs::create_dir(storage.seen("d")),
        fs::set_permissions(&file, fs::Permissions::from_mode(0o777)),
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap_err().kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    }
    assert_eq!(fs::read(storage.origin("f")).unwrap(), b"x");
}
