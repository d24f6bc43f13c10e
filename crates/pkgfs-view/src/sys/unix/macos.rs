//! macOS: libproc, and descriptors used as they are. Nothing here was ever run.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    ops::Range,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use pkgfs_darwin::{background, holes, processes};
use pkgfs_manifest::Timestamp;
use rustix::{
    fs::{AtFlags, CWD, futimens, utimensat},
    io::Errno,
    process::{Pid, test_kill_process},
};

use super::{Process, ProcessId, writable::timestamps};

/// Gives the room of a part of a file back, which is zeros then. Whole blocks go.
pub(crate) fn punch(file: &File, bytes: Range<u64>) -> io::Result<()> {
    holes::punch(file, bytes)
}

/// The process that a thread, or a process, of this number belongs to. FUSE tells processes here.
pub(crate) fn of_thread(number: u32) -> Option<Process> {
    of(number)
}

/// The process of this number.
pub(crate) fn of(number: u32) -> Option<Process> {
    let found = processes::process(number)?;
    let id = ProcessId { number, started: found.started };
    Some(Process { id, parent: found.parent })
}

/// The environment of a process; empty where this user may not look into it, `None` for one that has
/// none.
pub(super) fn environment(process: ProcessId) -> Option<Vec<u8>> {
    let told = processes::environment(process.number);
    is_alive(process.number).then(|| told.unwrap_or_default())
}

/// Whether a process of this number lives.
pub(crate) fn is_alive(number: u32) -> bool {
    let number = i32::try_from(number).ok().and_then(Pid::from_raw);
    // One of another user may not be sent a signal, but is there.
    number.is_some_and(|number| test_kill_process(number) != Err(Errno::SRCH))
}

/// Has this thread, and what it asks of the disk, stand back behind all others.
pub(crate) fn stand_back() {
    let _ = background::stand_back();
}

/// Changes the length of a file: by its path, or through the descriptor that keeps one without. That
/// must be one that may write.
pub(crate) fn set_len(path: &Path, kept: Option<&File>, size: u64) -> io::Result<()> {
    match kept {
        Some(file) => file.set_len(size),
        None => OpenOptions::new().write(true).open(path)?.set_len(size),
    }
}

/// Changes the permission bits in the same way.
pub(crate) fn set_mode(path: &Path, kept: Option<&File>, mode: u16) -> io::Result<()> {
    let permissions = Permissions::from_mode(u32::from(mode));
    match kept {
        Some(file) => file.set_permissions(permissions),
        None => fs::set_permissions(path, permissions),
    }
}

/// Changes the owner in the same way.
pub(crate) fn set_owner(
    path: &Path,
    kept: Option<&File>,
    uid: Option<u32>,
    gid: Option<u32>,
) -> io::Result<()> {
    match kept {
        Some(file) => std::os::unix::fs::fchown(file, uid, gid),
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
    let times = timestamps(atime, mtime);
    match kept {
        Some(file) => futimens(file, &times)?,
        None => utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?,
    }
    Ok(())
}
