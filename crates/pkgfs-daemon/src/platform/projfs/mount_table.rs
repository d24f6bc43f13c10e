//! What is mounted, as the command asks after it: from records, and from what stands at roots.

use std::{
    convert::Infallible,
    fmt, fs, io,
    path::{Component, Path, PathBuf, Prefix},
};

use pkgfs_projfs::RootState;

use super::record;

pub use pkgfs_projfs::MountError;

/// Where it is read, for messages.
pub const NAME: &str = "the records of mounts";
/// Whether [`users`] can tell.
pub const TELLS_USERS: bool = false;
/// What is mounted, for people.
const KIND: &str = "projfs";

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// Its kind.
    pub fstype: String,
    /// The path of the store.
    pub source: PathBuf,
}

impl MountInfo {
    /// Is this one of ours? No others are told of.
    #[must_use]
    pub fn is_pkgfs(&self) -> bool {
        true
    }

    /// Users have no numbers here.
    #[must_use]
    pub fn user_id(&self) -> Option<u32> {
        None
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathState {
    /// Nothing.
    Missing,
    /// A directory without entries.
    EmptyDirectory,
    /// A directory with entries.
    NonEmptyDirectory,
    /// A file.
    NotADirectory,
    /// A root that is served.
    MountOf {
        /// Its kind.
        fstype: String,
        /// The path of the store.
        source: PathBuf,
    },
    /// A root whose daemon is dead.
    Stale {
        /// Its kind.
        fstype: String,
        /// The path of the store; empty if nobody knows.
        source: PathBuf,
    },
    /// It may not be looked at.
    Unreadable {
        /// What the system said.
        reason: String,
    },
}

/// Who has files of a mount open: the daemon tells that itself, by files.
#[derive(Debug)]
pub struct User(Infallible);

impl fmt::Display for User {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

/// The mounts of this user, and of the machine.
///
/// # Errors
/// When the records cannot be read.
pub fn mounts() -> io::Result<Vec<MountInfo>> {
    let info = |(entry, _): (record::Entry, bool)| MountInfo {
        mountpoint: entry.mountpoint,
        fstype: KIND.to_owned(),
        source: entry.store,
    };
    Ok(record::all()?.into_iter().map(info).collect())
}

/// The same: no others are known.
///
/// # Errors
/// When the records cannot be read.
pub fn all_mounts() -> io::Result<Vec<MountInfo>> {
    mounts()
}

/// What is mounted at exactly this (resolved) path.
///
/// # Errors
/// When the records cannot be read.
pub fn mount_at(mountpoint: &Path) -> io::Result<Option<MountInfo>> {
    Ok(mounts()?.into_iter().find(|mount| mount.mountpoint == mountpoint))
}

/// What stands at this path.
#[must_use]
pub fn state_of(path: &Path) -> PathState {
    let records = match record::all() {
        Ok(records) => records,
        Err(error) => return PathState::Unreadable { reason: error.to_string() },
    };
    let of_path = records.into_iter().find(|(entry, _)| entry.mountpoint == path);
    let (source, is_served) =
        of_path.map(|(entry, served)| (entry.store, served)).unwrap_or_default();
    let fstype = || KIND.to_owned();
    if is_served {
        return PathState::MountOf { fstype: fstype(), source };
    }
    match pkgfs_projfs::state_of(path) {
        RootState::Root => PathState::Stale { fstype: fstype(), source },
        RootState::Missing => PathState::Missing,
        RootState::EmptyDirectory => PathState::EmptyDirectory,
        RootState::NonEmptyDirectory => PathState::NonEmptyDirectory,
        RootState::NotADirectory => PathState::NotADirectory,
        RootState::OtherRoot => PathState::Unreadable {
            reason: "another provider projects files there, or did so: then delete the directory"
                .to_owned(),
        },
        RootState::Unreadable { reason } => PathState::Unreadable { reason },
    }
}

/// Takes away what a daemon that has died left of a mount.
///
/// # Errors
/// See [`MountError`].
pub fn unmount(mountpoint: &Path, _lazy: bool) -> Result<(), MountError> {
    match pkgfs_projfs::clear(mountpoint) {
        // The root itself is gone, and only what is said of it is left.
        Ok(()) | Err(MountError::NotMounted { .. }) => {
            record::forget(mountpoint);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Nobody: see [`TELLS_USERS`].
#[must_use]
pub fn users(_mount: &MountInfo) -> Vec<User> {
    Vec::new()
}

/// Whether this user made the mount: others' are not seen, but for those of the machine.
#[must_use]
pub fn is_own(_mount: &MountInfo) -> bool {
    true
}

/// The absolute path of a place, links resolved as far as it exists, in the plain form that other
/// programs take. What does not exist yet is kept as written.
///
/// # Errors
/// When the path is empty.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    Ok(resolve_absolute(&std::path::absolute(path)?))
}

fn resolve_absolute(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return plain(&real);
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => resolve_absolute(parent).join(name),
        _ => path.to_owned(),
    }
}

/// Without the prefix `\\?\` ("Maximum Path Length Limitation"), which few programs take.
fn plain(path: &Path) -> PathBuf {
    let mut parts = path.components();
    let Some(Component::Prefix(prefix)) = parts.next() else { return path.to_owned() };
    let start = match prefix.kind() {
        Prefix::VerbatimDisk(letter) => PathBuf::from(format!("{}:\\", char::from(letter))),
        Prefix::VerbatimUNC(server, share) => {
            let mut start = PathBuf::from(r"\\");
            start.as_mut_os_string().push(server);
            start.as_mut_os_string().push("\\");
            start.as_mut_os_string().push(share);
            start.as_mut_os_string().push("\\");
            start
        }
        _ => return path.to_owned(),
    };
    parts.filter(|part| !matches!(part, Component::RootDir)).fold(start, |mut path, part| {
        path.push(part);
        path
    })
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
    }

    #[test]
    fn a_resolved_path_is_plain_however_much_of_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let real = resolve(dir.path()).unwrap();
        assert!(!real.to_str().unwrap().starts_with(r"\\?\"), "{}", real.display());
        fs::create_dir(real.join("made")).unwrap();
        assert_eq!(resolve(&real.join(r"made\..\made\")).unwrap(), real.join("made"));
        assert_eq!(
            resolve(&real.join("made/new/er")).unwrap(),
            real.join("made").join("new").join("er")
        );
        assert_eq!(plain(Path::new(r"\\?\UNC\server\share\a")), Path::new(r"\\server\share\a"));
        assert_eq!(plain(Path::new(r"\\?\C:\")), Path::new(r"C:\"));
    }
}
