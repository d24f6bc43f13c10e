//! The directory that is mounted on: looked at, made, and removed.

use std::{fs, io, path::Path};

use pkgfs_fuse::{FSTYPE, PathState, state_of};

use crate::DaemonError;

/// What was found at a mountpoint that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// A mount can go there.
    Free,
    /// The mount of this store whose daemon had died was taken away.
    Recovered,
    /// This store is mounted there.
    Mounted,
}

/// Looks at the place, and takes away a dead mount of ours.
pub(crate) fn examine(path: &Path, store: &Path) -> Result<Readiness, DaemonError> {
    let owned = || path.to_owned();
    match state_of(path) {
        PathState::Missing | PathState::EmptyDirectory => Ok(Readiness::Free),
        PathState::MountOf { fstype, source } if fstype == FSTYPE && source == store => {
            Ok(Readiness::Mounted)
        }
        PathState::MountOf { fstype, source } => {
            Err(DaemonError::OtherMount { path: owned(), what: source, fstype })
        }
        PathState::Stale { fstype, .. } if fstype == FSTYPE => {
            pkgfs_fuse::unmount(path, true)?;
            match examine(path, store)? {
                Readiness::Free => Ok(Readiness::Recovered),
                other => Ok(other),
            }
        }
        PathState::Stale { fstype, .. } => Err(DaemonError::OtherStale { path: owned(), fstype }),
        PathState::NotADirectory => Err(DaemonError::NotADirectory { path: owned() }),
        PathState::NonEmptyDirectory => Err(DaemonError::NotEmpty { path: owned() }),
        PathState::Silent => Err(DaemonError::Silent { path: owned() }),
        PathState::Unreadable { reason } => Err(DaemonError::Unreadable { path: owned(), reason }),
    }
}

/// Makes the directory with its parents.
pub(crate) fn make(path: &Path) -> Result<(), DaemonError> {
    fs::create_dir_all(path)
        .map_err(|source| DaemonError::NotMakeable { path: path.to_owned(), source })
}

/// Removes the directory if nothing is mounted there and nothing lies in it: what
/// remains would be filled by rez with whole copies.
pub fn remove_mountpoint(path: &Path) {
    // rmdir of a mountpoint is refused by the kernel (EBUSY), so this cannot race.
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "the mountpoint's directory stays");
        }
        _ => {}
    }
}
