//! Why a daemon did not start, or did not do what it was asked: one line each, with
//! the remedy.

use std::{io, path::PathBuf};

use pkgfs_origin::OriginError;
use pkgfs_store::StoreError;

use crate::{
    api::{Failure, FailureKind},
    platform::{ModeError, MountError},
    sys,
};

/// Why a daemon did not start, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The directory to mount on cannot be made.
    #[error("cannot make the mountpoint {}: {source}; choose a path that you may write to", path.display())]
    NotMakeable {
        /// The mountpoint.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file stands where the mountpoint is to be.
    #[error("the mountpoint {} is not a directory: remove it, or choose another path", path.display())]
    NotADirectory {
        /// The mountpoint.
        path: PathBuf,
    },
    /// The mountpoint holds something, which a mount would hide.
    #[error("the mountpoint {} is not empty: empty it, or choose another path", path.display())]
    NotEmpty {
        /// The mountpoint.
        path: PathBuf,
    },
    /// Something else is mounted there.
    #[error("{} is already a mount of {} ({fstype}): unmount it first, or choose another path", path.display(), what.display())]
    OtherMount {
        /// The mountpoint.
        path: PathBuf,
        /// What is mounted.
        what: PathBuf,
        /// Its type.
        fstype: String,
    },
    /// A dead mount of another kind is in the way.
    #[error("{} is a dead mount of {fstype}: take it away with `umount -l` (`fusermount3 -uz` for your own), then mount again", path.display())]
    OtherStale {
        /// The mountpoint.
        path: PathBuf,
        /// Its type.
        fstype: String,
    },
    /// The file system at the mountpoint hangs.
    #[error("the mountpoint {} does not answer: see what is mounted there (`findmnt`), or choose another path", path.display())]
    Silent {
        /// The mountpoint.
        path: PathBuf,
    },
    /// The mountpoint may not be looked at.
    #[error("cannot look at the mountpoint {}: {reason}; choose a path that you may use", path.display())]
    Unreadable {
        /// The mountpoint.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The store serves already, but not as asked.
    #[error("the store {} is served already by process {pid} with other settings ({keys}): unmount it first, or choose another store with --store", store.display())]
    OtherSettings {
        /// The store.
        store: PathBuf,
        /// The daemon that serves it.
        pid: u32,
        /// The keys that differ.
        keys: String,
    },
    /// A configured repository is not there.
    #[error("the repository {} does not exist: correct --repo, or mount the storage it lies on", path.display())]
    NoRepository {
        /// The repository.
        path: PathBuf,
    },
    /// A configured repository is a file.
    #[error("the repository {} is not a directory: correct --repo", path.display())]
    RepositoryNotADirectory {
        /// The repository.
        path: PathBuf,
    },
    /// The control socket cannot be made.
    #[error("cannot make the control socket {}: {source}; check the directory's owner and room", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log cannot be written.
    #[error("cannot write the log {}: {source}; set {} to a directory that you may write to", path.display(), sys::LOG_VARIABLE)]
    Log {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log's level cannot be understood.
    #[error("log_level {level:?} is not a level: use error, warn, info, debug or trace")]
    LogLevel {
        /// What was given.
        level: String,
    },
    /// The kernel's requests cannot be answered.
    #[error("cannot serve {}: {source}; the log says more", mountpoint.display())]
    Session {
        /// The mountpoint.
        mountpoint: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody holds the mounts while another daemon starts.
    #[error(
        "this mount ends with its daemon (it runs in the foreground, or hand_over is false): unmount it, then mount it with the new program"
    )]
    NoHolder,
    /// The process that holds the mounts did not answer.
    #[error(
        "the process that holds the mount did not answer, and another is started: try again in a moment"
    )]
    HolderSilent,
    /// The daemon is about to exit.
    #[error("the daemon of this store is about to exit: mount again in a moment")]
    Stopping,
    /// A system call that should not fail did.
    #[error("cannot {action}: {source}")]
    System {
        /// What was attempted, as a verb.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Mounting or unmounting.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// The mode that was asked for cannot be had.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// Access lists are to count where files have modes.
    #[error(
        "the setting origin.keep_acls is for Windows, and no access list is kept to here: set it to false"
    )]
    NoAccessLists,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Shared storage.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

impl From<&DaemonError> for Failure {
    fn from(error: &DaemonError) -> Self {
        let kind = match error {
            DaemonError::Store(StoreError::InUse { .. }) => FailureKind::StoreInUse,
            DaemonError::Mount(MountError::Busy { .. }) => FailureKind::Busy,
            DaemonError::Mount(MountError::NotMounted { .. }) => FailureKind::NotMounted,
            DaemonError::Stopping => FailureKind::Stopping,
            _ => FailureKind::Other,
        };
        Self { kind, message: error.to_string() }
    }
}

/// A system call that should not fail did.
pub(crate) fn system_error(action: &'static str) -> impl FnOnce(io::Error) -> DaemonError {
    move |source| DaemonError::System { action, source }
}
