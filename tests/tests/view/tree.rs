//! A payload that holds everything that is hard to show faithfully.

use std::ffi::OsString;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

/// The directory of the tree that holds what is neither file, directory nor link.
pub(crate) const SPECIAL: &str = "special";

/// Levels of the deep path: with 16 bytes each, near what the kernel takes as one path.
const DEPTH: usize = 200;

/// What a file system is asked to keep.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extras {
    /// All that a local disk keeps.
    All,
    /// Nothing that SFTP does not carry.
    #[allow(dead_code, reason = "only over the network")]
    NoXattrs,
}

/// Fills `root`.
pub(crate) fn awkward(root: &Path, extras: Extras) {
    names(root);
    modes(root);
    sizes(root);
    links(root);
    special(&root.join(SPECIAL));
    deep(&root.join("deep"));
    if extras == Extras::All {
        xattrs(root);
    }
    times(root);
}

/// A name that no text encoding produces.
pub(crate) fn not_utf8() -> OsString {
    OsString::from_vec(b"caf\xe9 \xff\xfe".to_vec())
}

/// The longest name there is.
pub(crate) fn longest() -> String {
    "n".repeat(255)
}

fn names(root: &Path) {
    let odd = [
        not_utf8(),
        longest().into(),
        "two\nlines\ttab".into(),
        "-rf *".into(),
        "back\\slash \"quotes\" 'too'".into(),
        "ünïcödé → 漢字".into(),
        ".hidden".into(),
        "a.json".into(),
        ".copying-a".into(),
        " ".into(),
    ];
    let directory = root.join("names");
    fs::create_dir(&directory).unwrap();
    for (number, name) in odd.iter().enumerate() {
        fs::write(directory.join(name), format!("file {number}\n")).unwrap();
        let below = root.join("name-directories").join(name);
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("inside"), format!("inside {number}\n")).unwrap();
    }
}

fn modes(root: &Path) {
    let directory = root.join("modes");
    fs::create_dir(&directory).unwrap();
    for mode in [0o777, 0o755, 0o644, 0o666, 0o600, 0o444, 0o222, 0o000, 0o4755, 0o2755, 0o6777] {
        let file = directory.join(format!("file-{mode:04o}"));
        fs::write(&file, format!("{mode:o}\n")).unwrap();
        chown(&file, Some(1000 + mode), Some(2000 + mode)).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    }
    for mode in [0o777, 0o1777, 0o2775, 0o750, 0o700, 0o555] {
        let inner = directory.join(format!("directory-{mode:04o}"));
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("inside"), format!("{mode:o}\n")).unwrap();
        chown(&inner, Some(3000), Some(4000)).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(mode)).unwrap();
    }
}

fn sizes(root: &Path) {
    let directory = root.join("sizes");
    fs::create_dir_all(directory.join("empty directory")).unwrap();
    // Around pages, the kernel's requests, and what is fetched at once.
    for size in [0, 1, 4095, 4096, 4097, 131_072, 1_048_575, 1_048_576, 1_048_577, 3_000_001] {
        fs::write(directory.join(size.to_string()), content(size)).unwrap();
    }
    let sparse = File::create(directory.join("sparse")).unwrap();
    sparse.set_len(5 << 20).unwrap();
}

fn links(root: &Path) {
    let directory = root.join("links");
    fs::create_dir_all(directory.join("below")).unwrap();
    for (name, target) in [
        ("to-file", "../sizes/4096"),
        ("to-directory", "../sizes"),
        ("to-link", "to-file"),
        ("to-itself", "to-itself"),
        ("to-here", "."),
        ("to-the-root", ".."),
        ("dangling", "no/such/file"),
        ("dangling-absolute", "/no/such/file"),
        ("below/up", "../to-file"),
    ] {
        symlink(target, directory.join(name)).unwrap();
    }
}

fn special(directory: &Path) {
    fs::create_dir(directory).unwrap();
    let node = |name: &str, kind, device| {
        rustix::fs::mknodat(CWD, directory.join(name), kind, Mode::from(0o666), device).unwrap();
    };
    node("fifo", FileType::Fifo, 0);
    node("null", FileType::CharacterDevice, rustix::fs::makedev(1, 3));
    node("large-numbers", FileType::CharacterDevice, rustix::fs::makedev(300, 70_000));
    node("disk", FileType::BlockDevice, rustix::fs::makedev(7, 200));
    // The path of a socket is at most 108 bytes long, a name in the directory may be longer.
    let here = File::open(directory).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&here);
    drop(UnixListener::bind(format!("/proc/self/fd/{number}/socket")).unwrap());
}

fn deep(root: &Path) {
    let path = deep_path(root);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("bottom"), "deep down\n").unwrap();
}

/// The directory at the bottom of the deep path.
fn deep_path(root: &Path) -> PathBuf {
    (0..DEPTH).fold(root.to_owned(), |path, level| path.join(format!("level-{level:09}")))
}

fn xattrs(root: &Path) {
    let directory = root.join("xattrs");
    fs::create_dir(&directory).unwrap();
    let file = directory.join("file");
    fs::write(&file, "with attributes\n").unwrap();
    fs::write(directory.join("without"), "none\n").unwrap();
    let large = content(2000);
    for path in [&file, &directory] {
        for (name, value) in [
            ("user.text", &b"value"[..]),
            ("user.empty", b""),
            ("user.binary", b"\0\xff\0"),
            ("user.large", &large),
        ] {
            rustix::fs::setxattr(path, name, value, XattrFlags::empty()).unwrap();
        }
    }
}

/// Gives every entry a time of its own, to the nanosecond, some before 1970 and after 2038.
fn times(root: &Path) {
    let base = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let mut paths = Vec::new();
    walk(root, &mut paths);
    // What is below first: making a file changes its directory's time, setting one does not.
    for (number, path) in (1_u64..).zip(&paths) {
        let step = Duration::new(number * 12_345, 100_000_000 + number as u32 * 1_001);
        let time = match number % 23 {
            7 => UNIX_EPOCH - Duration::new(86_400, 1),
            11 => UNIX_EPOCH + Duration::new(5_000_000_000, 999_999_999),
            13 => UNIX_EPOCH,
            _ => base + step,
        };
        set_mtime(path, time);
    }
}

/// Sets the time of last modification of anything, a link itself included.
fn set_mtime(path: &Path, time: SystemTime) {
    let (secs, nanos) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (since.as_secs() as i64, since.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let nanos = before.subsec_nanos();
            let carry = i64::from(nanos > 0);
            (-(before.as_secs() as i64) - carry, if nanos > 0 { 1_000_000_000 - nanos } else { 0 })
        }
    };
    let time = rustix::fs::Timespec { tv_sec: secs, tv_nsec: nanos.into() };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// All entries below a directory, and itself last.
fn walk(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), paths);
        } else {
            paths.push(entry.path());
        }
    }
    paths.push(directory.to_owned());
}

/// Bytes that differ between any two places nearby.
pub(crate) fn content(size: usize) -> Vec<u8> {
    (0..size as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// Replaces a file's bytes in place, and makes its time differ whatever the clock's steps are.
#[allow(dead_code, reason = "not every test changes files")]
pub(crate) fn change(file: &Path, bytes: &[u8]) {
    let before = fs::metadata(file).unwrap().modified().unwrap();
    fs::write(file, bytes).unwrap();
    let times = FileTimes::new().set_modified(before + Duration::from_secs(7));
    File::options().write(true).open(file).unwrap().set_times(times).unwrap();
}
