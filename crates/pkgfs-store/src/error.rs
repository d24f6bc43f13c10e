//! What can go wrong with a store, each as one line that names the path and the remedy.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::RegistrationId;

/// A store could not be opened, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory, or the one that would hold it, refuses writing.
    #[error(
        "cannot write to the store {}: give this user the directory, or choose another with --store",
        path.display()
    )]
    NotWritable {
        /// The store's directory.
        path: PathBuf,
    },
    /// The directory belongs to another user, who could change what lies in it.
    #[error(
        "the store {} belongs to user {owner}: choose another directory with --store, or give this one to the user who runs pkgfs",
        path.display()
    )]
    OwnedByAnother {
        /// The store's directory.
        path: PathBuf,
        /// Its owner.
        owner: crate::UserId,
    },
    /// Another user could make the store's files lie, or be written, elsewhere.
    #[error(
        "the store {} cannot be kept from other users, since {turnable}: choose a path with --store that nobody else can change",
        path.display()
    )]
    Turnable {
        /// The store's directory.
        path: PathBuf,
        /// What is wrong on the way to it.
        turnable: crate::Turnable,
    },
    /// Something that is not a directory stands in the store's place.
    #[error("the store {} is not a directory: remove it, or choose another path with --store", path.display())]
    NotADirectory {
        /// What was to be the store's directory.
        path: PathBuf,
    },
    /// The directory holds something, but no store.
    #[error(
        "{} holds files that are not a pkgfs store: choose an empty or new directory with --store",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The directory lies on a file system whose locks and syncs cannot be trusted.
    #[error(
        "the store {} lies on a network file system ({kind}): choose a directory on a local disk with --store",
        path.display()
    )]
    OnNetworkFileSystem {
        /// The store's directory.
        path: PathBuf,
        /// The file system's usual name.
        kind: String,
    },
    /// Another process has this store open.
    #[error(
        "the store {} is in use by {}: unmount there first, or choose another directory with --store",
        path.display(), user(*pid)
    )]
    InUse {
        /// The store's directory.
        path: PathBuf,
        /// The process that holds it, where it told.
        pid: Option<u32>,
    },
    /// A newer version of pkgfs wrote the store.
    #[error(
        "the store {} has format {found} and this pkgfs knows up to {known}: upgrade pkgfs, or choose another directory with --store",
        path.display()
    )]
    NewerFormat {
        /// The store's directory.
        path: PathBuf,
        /// The format found there.
        found: u64,
        /// The newest format this program reads.
        known: u64,
    },
    /// What was read is not what was written.
    #[error(
        "the store is damaged at {}: {reason}; move the store's directory away and mount again, and packages are fetched anew",
        path.display()
    )]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk, or the user's quota on it, is full.
    #[error("no room left for the store {}: free space on its disk, or run `pkgfs flush`", path.display())]
    NoSpace {
        /// What was being written.
        path: PathBuf,
    },
    /// The handle, or the name and stem, is registered already.
    #[error(
        "{name}/{version_dir}/{h4}/{stem}, or its handle, is registered already: remove it first with `rez-pkg-cache --remove-variants`"
    )]
    AlreadyRegistered {
        /// The package's name.
        name: String,
        /// Its version's directory.
        version_dir: String,
        /// The first digits of its handle's hash.
        h4: String,
        /// The stem of its json.
        stem: String,
    },
    /// There is no such registration; it was removed meanwhile.
    #[error("registration {} is no longer in the store: it was removed meanwhile, resolve again", id.0)]
    NotRegistered {
        /// The registration asked for.
        id: RegistrationId,
    },
    /// What was fetched has another size than was told.
    #[error(
        "{} holds {found} bytes and should hold {expected}: it is dropped, read the file again",
        path.display()
    )]
    Incomplete {
        /// The partial file.
        path: PathBuf,
        /// The size told.
        expected: u64,
        /// The size found.
        found: u64,
    },
    /// A system call on a file of the store failed.
    #[error("cannot {action} {}: {source}; check the disk that holds the store", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database refused, for another reason than a full disk or damage.
    #[error("the database {} failed: {source}; check the disk that holds the store", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

fn user(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl StoreError {
    /// The error for a system call that failed on `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (source, path) = (source.into(), path.to_owned());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path },
            _ => Self::Io { action, path, source },
        }
    }

    /// Whether the disk, or what keeps it, refuses: not what was asked is wrong, and later it may do.
    #[must_use]
    pub fn is_of_the_disk(&self) -> bool {
        let refused =
            matches!(self, Self::NoSpace { .. } | Self::Io { .. } | Self::Database { .. });
        refused || matches!(self, Self::NotWritable { .. })
    }

    /// The error for what the database `path` answered.
    pub(crate) fn database(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::{
            Error, ErrorCode,
            ffi::{SQLITE_ERROR, SQLITE_IOERR_SHORT_READ},
        };
        let path = path.to_owned();
        let extended = source.sqlite_error().map(|error| error.extended_code);
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => return Self::NoSpace { path },
            // What should be there is not: this is no failure of the disk.
            Some(ErrorCode::SystemIoFailure) if extended == Some(SQLITE_IOERR_SHORT_READ) => {
                return Self::Damaged { path, reason: "it was cut short".to_owned() };
            }
            Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) if !path.exists() => {
                return Self::Damaged { path, reason: "it is missing".to_owned() };
            }
            // A statement of ours that means nothing: there is no such table or column any more.
            Some(ErrorCode::Unknown) if extended == Some(SQLITE_ERROR) => {
                return Self::Damaged { path, reason: source.to_string() };
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                return Self::Damaged { path, reason: source.to_string() };
            }
            _ => {}
        }
        match source {
            // The same, found before anything was asked; its text would be the whole statement.
            Error::SqlInputError { msg, .. } => Self::Damaged { path, reason: msg },
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
            | Error::QueryReturnedNoRows => Self::Damaged { path, reason: source.to_string() },
            source => Self::Database { path, source },
        }
    }
}
