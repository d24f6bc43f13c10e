//! Linux: descriptors by their names in `/proc`.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

/// Holds the sockets that everybody may use.
pub(crate) const PUBLIC_SOCKETS: &str = "/run/pkgfs";

/// The running program, even when its file was replaced by an upgrade.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    Ok("/proc/self/exe".into())
}

/// The most descriptors that can be asked for.
pub(super) fn most_descriptors(maximum: Option<u64>) -> Option<u64> {
    maximum
}

/// A directory that sockets are in. The address of a socket holds 108 bytes (unix(7)) and the
/// directory's path may be longer, so they are reached through a descriptor of it.
pub(crate) struct SocketDirectory(OwnedFd);

impl SocketDirectory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// A short path of a socket in it.
    pub(crate) fn address(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()))
    }
}
