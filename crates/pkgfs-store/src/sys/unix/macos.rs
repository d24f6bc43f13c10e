//! macOS: `F_NOCACHE`, and what it knows of file systems. Nothing here was ever run.
//!
//! The standard library syncs with `F_FULLFSYNC`, so files and directories need nothing of their own.

use std::{fs::File, io, path::Path};

use rustix::fs::{OFlags, fcntl_nocache, statfs};

use super::opening::open_with;

/// The file system is one of this machine (`MNT_LOCAL`, sys/mount.h).
const LOCAL: u32 = 0x1000;

/// Opens for reading what is no link, with reads that leave nothing in the system's cache, where the
/// file system can do that. What is in it already is read from there.
pub(crate) fn open_past_cache(path: &Path) -> io::Result<File> {
    let file = open_with(path, OFlags::empty())?;
    _ = fcntl_nocache(&file, true);
    Ok(file)
}

/// A file system cannot be synced at once, with a word on what failed: each file is to be.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn sync_file_system(_file: &File) -> io::Result<bool> {
    Ok(false)
}

/// The name of the network file system that `dir` lies on, if it lies on one. What comes through
/// FUSE may say that it is local.
pub(crate) fn network_file_system(dir: &Path) -> io::Result<Option<String>> {
    let found = statfs(dir)?;
    let name = found.f_fstypename.iter().take_while(|byte| **byte != 0);
    let name: String = name.map(|byte| char::from(byte.cast_unsigned())).collect();
    Ok((found.f_flags & LOCAL == 0 || name.contains("fuse")).then_some(name))
}
