//! What can go wrong with origin, each failure with the path it concerns.
//!
//! [`Failure`] is what a backend reports and the worker sends; [`OriginError`] adds
//! what only the client can know: that the worker was late, lost, or cannot be had.
//! Both are cheap to clone, since many readers may share one fetch.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{protocol::path_bytes, sys::storage};

/// A request that a backend could not fulfil.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The path it happened to.
    #[serde(with = "path_bytes")]
    pub path: PathBuf,
    /// What happened.
    pub cause: Cause,
}

/// Why a backend could not fulfil a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Storage answered that there is no such file.
    NotFound,
    /// Storage refused the daemon's user.
    Denied,
    /// A directory was asked for.
    NotADirectory,
    /// A file was asked for.
    IsADirectory,
    /// Not in the state that was expected, or changed while it was read.
    Changed,
    /// More bytes than the caller takes.
    TooLarge,
    /// Nobody waits for it any more.
    Cancelled,
    /// The local file that should take the bytes failed, with this error of the system.
    Destination(i32),
    /// Storage failed with this error of the system.
    Io(i32),
}

impl Failure {
    pub(crate) fn new(path: &Path, cause: Cause) -> Self {
        Self { path: path.to_owned(), cause }
    }

    /// The failure of a system call on `path` at origin.
    pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |error| Self::new(path, storage::cause(&error, path))
    }
}

/// A request to origin that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Shared storage answered that there is no such file.
    #[error("{}: not found on shared storage", path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// Shared storage refused the daemon's user.
    #[error("{}: shared storage refuses to let pkgfs read it; check its owner and mode", path.display())]
    Denied {
        /// What was asked for.
        path: PathBuf,
    },
    /// A directory was asked for, or a parent of the path is not one.
    #[error("{}: not a directory on shared storage", path.display())]
    NotADirectory {
        /// What was asked for.
        path: PathBuf,
    },
    /// A file was asked for.
    #[error("{}: a directory on shared storage, where a file was expected", path.display())]
    IsADirectory {
        /// What was asked for.
        path: PathBuf,
    },
    /// Not in the state that was expected, or changed while it was read.
    #[error("{}: changed on shared storage; read its directory again", path.display())]
    Changed {
        /// What was asked for.
        path: PathBuf,
    },
    /// More bytes than the caller takes.
    #[error("{}: larger than the {limit} bytes such a file may have", path.display())]
    TooLarge {
        /// What was asked for.
        path: PathBuf,
        /// The bound given.
        limit: u64,
    },
    /// No answer within the deadline.
    #[error(
        "{}: shared storage did not answer within {} s; check that it is mounted and reachable",
        path.display(), after.as_secs_f32()
    )]
    TimedOut {
        /// What was asked for.
        path: PathBuf,
        /// The deadline in force.
        after: Duration,
    },
    /// It has not answered others for a while: this was not asked, or with little patience.
    #[error(
        "{}: shared storage does not answer, and is asked again every few seconds; \
         check that it is mounted and reachable",
        path.display()
    )]
    Silent {
        /// What was asked for.
        path: PathBuf,
    },
    /// The worker process died twice while it served this.
    #[error("{}: the process that reads shared storage died; the log tells how", path.display())]
    WorkerLost {
        /// What was asked for.
        path: PathBuf,
    },
    /// No worker process can be had for now.
    #[error(
        "{}: {left_behind} processes hang in shared storage, no more are started; \
         check the storage, or unmount it with `umount -f`",
        path.display()
    )]
    Unavailable {
        /// What was asked for.
        path: PathBuf,
        /// Workers that hang in the kernel.
        left_behind: usize,
    },
    /// The worker process could not be started.
    #[error("cannot start {program} to read shared storage: {reason}")]
    Start {
        /// What was run.
        program: String,
        /// The system's words.
        reason: String,
    },
    /// The local file that should take the bytes failed.
    #[error("cannot write the local copy of {}: {}", path.display(), io::Error::from_raw_os_error(*errno))]
    Destination {
        /// What was being copied.
        path: PathBuf,
        /// The system's error number.
        errno: i32,
    },
    /// Shared storage failed in another way.
    #[error("{}: shared storage failed: {}", path.display(), io::Error::from_raw_os_error(*errno))]
    Io {
        /// What was asked for.
        path: PathBuf,
        /// The system's error number.
        errno: i32,
    },
    /// The origin was stopped, or nobody waits for this any more.
    #[error("{}: not read, since pkgfs is stopping", path.display())]
    Stopped {
        /// What was asked for.
        path: PathBuf,
    },
}

impl OriginError {
    pub(crate) fn from_failure(failure: Failure, limit: u64) -> Self {
        let Failure { path, cause } = failure;
        match cause {
            Cause::NotFound => Self::NotFound { path },
            Cause::Denied => Self::Denied { path },
            Cause::NotADirectory => Self::NotADirectory { path },
            Cause::IsADirectory => Self::IsADirectory { path },
            Cause::Changed => Self::Changed { path },
            Cause::TooLarge => Self::TooLarge { path, limit },
            Cause::Cancelled => Self::Stopped { path },
            Cause::Destination(errno) => Self::Destination { path, errno },
            Cause::Io(errno) => Self::Io { path, errno },
        }
    }
}
