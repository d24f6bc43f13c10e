//! What stands at a path that is to become, or is, a mountpoint.
//!
//! What is mounted the system tells by itself, which no mount can block. Whether it lives is
//! asked with statfs: a stat of a dead mount may still be answered from the kernel's
//! cache, statfs never is (ENOTCONN on Linux). A hung mount never answers at all, so the question
//! is asked on a thread of its own with a deadline.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use super::mountinfo::mount_at;
use crate::sys::DEAD;

/// How long a file system may take to answer a stat.
const DEADLINE: Duration = Duration::from_secs(5);

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathState {
    /// Nothing.
    Missing,
    /// A directory without entries.
    EmptyDirectory,
    /// A directory with entries.
    NonEmptyDirectory,
    /// A file, a socket, …
    NotADirectory,
    /// Something is mounted there and answers.
    MountOf {
        /// Its type.
        fstype: String,
        /// What is mounted.
        source: PathBuf,
    },
    /// A FUSE mount whose daemon is dead.
    Stale {
        /// Its type.
        fstype: String,
        /// What was mounted.
        source: PathBuf,
    },
    /// It did not answer in time.
    Silent,
    /// It may not be looked at.
    Unreadable {
        /// What the system said.
        reason: String,
    },
}

/// What stands at this path; answers within seconds whatever is mounted there.
#[must_use]
pub fn state_of(path: &Path) -> PathState {
    let asked = path.to_owned();
    in_time(move || look(&asked)).unwrap_or(PathState::Silent)
}

/// The absolute path under which a mount here appears among [`all_mounts`](super::all_mounts): links
/// resolved. What does not exist yet is kept as written.
///
/// # Errors
/// When the path is empty, or its parents do not answer in time.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    in_time(move || Ok(resolve_absolute(&absolute)))
        .unwrap_or_else(|| Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer")))
}

/// Resolves the parent first: canonicalising the mountpoint itself asks the mount.
fn resolve_absolute(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(tidy.pop()),
            part => tidy.push(part),
        }
    }
    let (Some(parent), Some(name)) = (tidy.parent(), tidy.file_name()) else { return tidy };
    let parent = fs::canonicalize(parent).unwrap_or_else(|_| resolve_absolute(parent));
    let here = parent.join(name);
    if matches!(mount_at(&here), Ok(Some(_))) {
        return here;
    }
    match fs::symlink_metadata(&here) {
        Ok(found) if found.is_symlink() => fs::canonicalize(&here).unwrap_or(here),
        _ => here,
    }
}

fn look(path: &Path) -> PathState {
    let mounted = mount_at(path).ok().flatten();
    let alive = || match rustix::fs::statfs(path) {
        Err(DEAD) => Err(io::Error::from(DEAD)),
        _ => Ok(()),
    };
    let kind = match fs::metadata(path).and_then(|found| alive().map(|()| found)) {
        Ok(found) => found,
        Err(error) if error.raw_os_error() == Some(DEAD.raw_os_error()) => {
            let (fstype, source) =
                mounted.map(|mount| (mount.fstype, mount.source)).unwrap_or_default();
            return PathState::Stale { fstype, source };
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return PathState::Missing,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return PathState::NotADirectory;
        }
        // A mount that does not let us in (another user's) is still a mount.
        Err(error) => match mounted {
            Some(mount) => {
                return PathState::MountOf { fstype: mount.fstype, source: mount.source };
            }
            None => return PathState::Unreadable { reason: error.to_string() },
        },
    };
    if let Some(mount) = mounted {
        return PathState::MountOf { fstype: mount.fstype, source: mount.source };
    }
    if !kind.is_dir() {
        return PathState::NotADirectory;
    }
    match fs::read_dir(path) {
        Ok(mut entries) => match entries.next() {
            None => PathState::EmptyDirectory,
            Some(_) => PathState::NonEmptyDirectory,
        },
        Err(error) => PathState::Unreadable { reason: error.to_string() },
    }
}

/// Runs on a thread that is left behind if it does not come back: a thread inside a
/// hung file system cannot be ended.
fn in_time<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        // The asker may have given up waiting.
        let _ = tell.send(ask());
    });
    told.recv_timeout(DEADLINE).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_at_a_path_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(state_of(&dir.path().join("none")), PathState::Missing);
        assert_eq!(state_of(dir.path()), PathState::EmptyDirectory);
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(state_of(dir.path()), PathState::NonEmptyDirectory);
        assert_eq!(state_of(&file), PathState::NotADirectory);
        assert_eq!(state_of(&file.join("below")), PathState::NotADirectory);
        assert!(
            matches!(state_of(Path::new("/proc")), PathState::MountOf { fstype, .. } if fstype == "proc")
        );
    }

    #[test]
    fn a_path_is_resolved_through_links_as_far_as_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(real.join("real")).unwrap();
        std::os::unix::fs::symlink("real", real.join("link")).unwrap();
        assert_eq!(resolve(&real.join("link")).unwrap(), real.join("real"));
        assert_eq!(resolve(&real.join("link/new/er")).unwrap(), real.join("real/new/er"));
        assert_eq!(resolve(&real.join("real/../real/")).unwrap(), real.join("real"));
    }

    #[test]
    fn an_answer_that_never_comes_is_not_waited_for() {
        let (_keep, never) = mpsc::channel::<()>();
        let started = std::time::Instant::now();
        assert!(in_time(move || never.recv()).is_none());
        assert!(started.elapsed() < DEADLINE * 2);
    }
}
