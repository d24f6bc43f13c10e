//! How the system shows a view: through FUSE, or through ProjFS.
//!
//! Both sides have the same items, and all else in this crate is written against them: [`Platform`] is
//! what a daemon has of its system, [`Served`] is one mount, `examine` tells what stands at a
//! mountpoint. Which side is built is said here and nowhere else.

#[cfg(unix)]
mod fuse;
#[cfg(unix)]
use fuse as system;

#[cfg(windows)]
mod projfs;
#[cfg(windows)]
use projfs as system;

use std::{fs, io, path::Path};

use crate::DaemonError;

pub(crate) use system::{ModeError, MountError, Platform, Served, examine, watch};
pub use system::{holder_main as holder, mount_table, take_over};

/// What was found at a mountpoint that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// A mount can go there.
    Free,
    /// The mount of this store whose daemon had died was taken away, or is taken over.
    Recovered,
    /// This store is mounted there.
    Mounted,
}

/// Makes the directory with its parents.
fn make_mountpoint(path: &Path, allow_other: bool) -> Result<(), DaemonError> {
    system::make_directory(path, allow_other)
        .map_err(|source| DaemonError::NotMakeable { path: path.to_owned(), source })
}

/// Removes the directory if nothing is mounted there and nothing lies in it: what
/// remains would be filled by rez with whole copies.
pub fn remove_mountpoint(path: &Path) {
    // rmdir of a mountpoint is refused by the system, so this cannot race.
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "the mountpoint's directory stays");
        }
        _ => {}
    }
}
