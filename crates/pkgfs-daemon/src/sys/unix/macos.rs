//! macOS: where it does what Linux does in another way, or not at all. Nothing here was ever run.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Holds the sockets that everybody may use.
pub(crate) const PUBLIC_SOCKETS: &str = "/var/run/pkgfs";

/// The running program, or what has replaced its file.
pub(crate) fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The most descriptors that can be asked for: no more than `OPEN_MAX` (setrlimit(2)).
#[allow(clippy::unnecessary_wraps)]
pub(super) fn most_descriptors(maximum: Option<u64>) -> Option<u64> {
    const OPEN_MAX: u64 = 10_240;
    Some(maximum.map_or(OPEN_MAX, |maximum| maximum.min(OPEN_MAX)))
}

/// A directory that sockets are in. The address of a socket holds 104 bytes (unix(4)): nothing gets
/// round that here, and one with a longer path is refused.
pub(crate) struct SocketDirectory(PathBuf);

impl SocketDirectory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The path of a socket in it.
    pub(crate) fn address(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}
