//! What is mounted, written down: the system has no table of it that tells whose a root is.
//!
//! A small file for each root, in a directory of the user's, or of the machine for a service. The daemon
//! has it open for writing for as long as it serves the root, and lets nobody delete it; so whoever wants
//! to read it and shares it with no writer is refused (a sharing violation) exactly while that daemon
//! lives, whatever becomes of its number.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::windows::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use pkgfs_win32::ownership;
use serde::{Deserialize, Serialize};

use crate::sys;

/// `ERROR_SHARING_VIOLATION`
const SHARING_VIOLATION: i32 = 32;
/// `FILE_SHARE_READ`
const SHARE_READ: u32 = 1;

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) mountpoint: PathBuf,
    pub(super) store: PathBuf,
}

/// A record of a root that this process serves.
pub(crate) struct Record {
    path: PathBuf,
    _open: File,
}

impl Record {
    /// Writes down that a root is served, over what is said of a daemon that has died.
    pub(super) fn write(root: &Path, store: &Path) -> io::Result<Self> {
        let directory = directory_of(&sys::data_directory());
        fs::create_dir_all(&directory)?;
        let path = directory.join(name_of(root));
        let entry = Entry { mountpoint: root.to_owned(), store: store.to_owned() };
        let mut open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .share_mode(SHARE_READ)
            .open(&path)?;
        open.write_all(&serde_json::to_vec(&entry)?)?;
        Ok(Self { path, _open: open })
    }

    /// The root is served no more.
    pub(super) fn remove(self) {
        let Self { path, _open } = self;
        drop(_open);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "the record of a mount stays");
        }
    }
}

/// What is written down for this user and for the machine, and whether its daemon lives.
pub(super) fn all() -> io::Result<Vec<(Entry, bool)>> {
    let mut found = Vec::new();
    let own = ownership::own_user()?;
    let mut directories = vec![directory_of(&sys::data_directory())];
    let of_machine = directory_of(&sys::machine_directory());
    if !directories.contains(&of_machine) {
        directories.push(of_machine);
    }
    for directory in directories {
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            // Anybody may put a file into some directories of the machine's.
            let trusted = ownership::owner(&path)
                .is_ok_and(|owner| owner == own || ownership::is_system(&owner));
            // One that is just being written or removed is none.
            let text = fs::read(&path).unwrap_or_default();
            if let (true, Ok(entry)) = (trusted, serde_json::from_slice(&text)) {
                found.push((entry, is_served(&path)));
            }
        }
    }
    Ok(found)
}

/// Removes what is said of a root whose daemon has died.
pub(super) fn forget(root: &Path) {
    for base in [sys::data_directory(), sys::machine_directory()] {
        // It may be in neither.
        let _ = fs::remove_file(directory_of(&base).join(name_of(root)));
    }
}

fn is_served(path: &Path) -> bool {
    let opened = OpenOptions::new().read(true).share_mode(SHARE_READ).open(path);
    opened.is_err_and(|error| error.raw_os_error() == Some(SHARING_VIOLATION))
}

fn directory_of(base: &Path) -> PathBuf {
    base.join("mounts")
}

/// However somebody spells the path of a root, it is one root.
fn name_of(root: &Path) -> String {
    let folded = root.to_string_lossy().to_lowercase();
    format!("{}.json", &blake3::hash(folded.as_bytes()).to_hex()[..16])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_tells_whether_its_daemon_lives() {
        let root = tempfile::tempdir().unwrap();
        let of_root = || {
            let found = all().unwrap().into_iter();
            found.filter(|(entry, _)| entry.mountpoint == root.path()).collect::<Vec<_>>()
        };
        let store = Path::new(r"C:\store");
        let record = Record::write(root.path(), store).unwrap();
        let entry = Entry { mountpoint: root.path().to_owned(), store: store.to_owned() };
        assert_eq!(of_root(), [(entry.clone(), true)]);
        assert!(fs::remove_file(&record.path).is_err(), "a record in use was deleted");
        // As the system does it for a daemon that dies.
        drop(record);
        assert_eq!(of_root(), [(entry.clone(), false)]);
        let record = Record::write(root.path(), store).unwrap();
        assert_eq!(of_root(), [(entry, true)]);
        record.remove();
        assert_eq!(of_root(), []);
    }
}
