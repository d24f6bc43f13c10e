//! What rez does with the files that it writes.

use std::{
    borrow::Cow,
    ffi::OsStr,
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::Path,
};

use pkgfs_manifest::Timestamp;
use rustix::fs::{Timespec, Timestamps, UTIME_OMIT};

/// Whether a name is longer than any file's.
pub(crate) fn is_too_long(name: &[u8]) -> bool {
    name.len() > 255
}

/// The name of one file in a directory; none if these bytes are no such name.
pub(crate) fn file_name(name: &[u8]) -> Option<Cow<'_, OsStr>> {
    let separates = |byte: &u8| matches!(byte, b'/' | 0);
    (!name.iter().any(separates)).then(|| Cow::Borrowed(OsStr::from_bytes(name)))
}

/// How files are opened that rez writes: links are not followed. Those that are made get this mode,
/// and their owner may write always.
pub(crate) fn options(mode: u16) -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = rustix::fs::OFlags::NOFOLLOW.bits();
    options.read(true).mode(u32::from(mode) | 0o600).custom_flags(flags.cast_signed());
    options
}

/// Makes a directory with this mode, whose owner gets in always.
pub(crate) fn make_dir(path: &Path, mode: u16) -> io::Result<()> {
    DirBuilder::new().mode(u32::from(mode) | 0o700).create(path)
}

/// Gives what was just made this mode: our own umask is no part of what was asked for.
pub(crate) fn set_mode_of_new(path: &Path, mode: u16, directory: bool) -> io::Result<()> {
    let own = if directory { 0o700 } else { 0o600 };
    fs::set_permissions(path, Permissions::from_mode(u32::from(mode) | own))
}

/// Gives what was just made to somebody, if this user may.
pub(crate) fn give_away(path: &Path, (uid, gid): (u32, u32)) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))
}

/// Deletes a file or a link.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// The times of last access and modification, where they are to change.
pub(super) fn timestamps(atime: Option<Timestamp>, mtime: Option<Timestamp>) -> Timestamps {
    let spec = |at: Option<Timestamp>| match at {
        Some(at) => Timespec { tv_sec: at.secs, tv_nsec: i64::from(at.nanos) },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    Timestamps { last_access: spec(atime), last_modification: spec(mtime) }
}

/// Gives a file bytes of its own in the place of those that it shares with another name.
pub(crate) fn separate(path: &Path, copy: &Path) -> io::Result<()> {
    let data = fs::symlink_metadata(path)?;
    fs::copy(path, copy)?;
    fs::set_permissions(copy, Permissions::from_mode(data.mode() | 0o600))?;
    std::os::unix::fs::lchown(copy, Some(data.uid()), Some(data.gid()))?;
    fs::rename(copy, path)
}
