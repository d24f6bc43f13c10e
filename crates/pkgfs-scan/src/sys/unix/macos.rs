//! macOS: where it does what Linux does in another way, or not at all. Nothing here was ever run.

use std::{ffi::CStr, os::fd::OwnedFd};

use rustix::{
    fs::{Dir, FileType, fstatfs},
    io::Errno,
};

use crate::observation::Identity;

/// The file system is one of this machine (`MNT_LOCAL`, sys/mount.h).
const LOCAL: u32 = 0x1000;

/// Room for listings; the system's library has its own.
pub(crate) struct Buffer;

impl Buffer {
    pub(crate) fn new() -> Self {
        Self
    }
}

/// Tells each entry of a directory, in its order, `.` and `..` too.
pub(super) fn entries(
    dir: &OwnedFd,
    _: &mut Buffer,
    mut on: impl FnMut(&CStr, FileType),
) -> Result<(), Errno> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        on(entry.file_name(), entry.file_type());
    }
    Ok(())
}

/// What a directory is, as far as the system knows without asking storage: nothing tells that here.
pub(crate) fn at_hand(_: &OwnedFd, _: &CStr) -> Option<Identity> {
    None
}

/// Whether a directory lies on a file system of this machine, where a look costs next to nothing.
pub(crate) fn is_local(dir: &OwnedFd) -> bool {
    fstatfs(dir).is_ok_and(|space| space.f_flags & LOCAL != 0)
}
