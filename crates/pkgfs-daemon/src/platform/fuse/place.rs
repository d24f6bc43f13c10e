//! The place that is to be mounted on, looked at.

use std::path::Path;

use pkgfs_fuse::{FSTYPE, PathState, state_of};

use crate::{DaemonError, platform::Readiness};

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
