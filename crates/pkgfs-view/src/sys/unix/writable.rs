//! What rez does with the files that it writes.

use std::{
    borrow::Cow,
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::{
            ffi::OsStrExt,
            fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
};

use pkgfs_manifest::Timestamp;

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

/// Changes the length of a file: by its path, or through the descriptor that keeps one without.
pub(crate) fn set_len(path: &Path, kept: Option<&File>, size: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(through(path, kept))?.set_len(size)
}

/// Changes the permission bits in the same way.
pub(crate) fn set_mode(path: &Path, kept: Option<&File>, mode: u16) -> io::Result<()> {
    fs::set_permissions(through(path, kept), Permissions::from_mode(u32::from(mode)))
}

/// Changes the owner in the same way.
pub(crate) fn set_owner(
    path: &Path,
    kept: Option<&File>,
    uid: Option<u32>,
    gid: Option<u32>,
) -> io::Result<()> {
    match kept {
        Some(_) => std::os::unix::fs::chown(through(path, kept), uid, gid),
        None => std::os::unix::fs::lchown(path, uid, gid),
    }
}

/// Changes the times of last access and modification in the same way.
pub(crate) fn set_times(
    path: &Path,
    kept: Option<&File>,
    atime: Option<Timestamp>,
    mtime: Option<Timestamp>,
) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
    let spec = |at: Option<Timestamp>| match at {
        Some(at) => Timespec { tv_sec: at.secs, tv_nsec: i64::from(at.nanos) },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    let times = Timestamps { last_access: spec(atime), last_modification: spec(mtime) };
    let flags = if kept.is_some() { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    utimensat(CWD, through(path, kept), &times, flags)?;
    Ok(())
}

/// Gives a file bytes of its own in the place of those that it shares with another name.
pub(crate) fn separate(path: &Path, copy: &Path) -> io::Result<()> {
    let data = fs::symlink_metadata(path)?;
    fs::copy(path, copy)?;
    fs::set_permissions(copy, Permissions::from_mode(data.mode() | 0o600))?;
    std::os::unix::fs::lchown(copy, Some(data.uid()), Some(data.gid()))?;
    fs::rename(copy, path)
}

fn through(path: &Path, kept: Option<&File>) -> PathBuf {
    match kept {
        Some(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
        None => path.to_owned(),
    }
}
