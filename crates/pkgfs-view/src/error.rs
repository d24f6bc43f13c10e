//! Why an operation on the view did not succeed, in words of no platform.
//!
//! A platform maps each to its own code in one place (`errno`, `NTSTATUS`).

use pkgfs_origin::OriginError;
use pkgfs_store::StoreError;

/// Why an operation on the view did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The name does not exist.
    #[error("no such file or directory")]
    NotFound,
    /// Payloads, and the names that rez has no business with, are never changed.
    #[error("packages are read-only here")]
    ReadOnly,
    /// The caller may not do this.
    #[error("permission denied")]
    Denied,
    /// The name exists already.
    #[error("it exists already")]
    Exists,
    /// The directory still has entries.
    #[error("the directory is not empty")]
    NotEmpty,
    /// A directory was named where a file is wanted.
    #[error("it is a directory")]
    IsADirectory,
    /// A file was named where a directory is wanted.
    #[error("it is not a directory")]
    NotADirectory,
    /// The name is longer than 255 bytes.
    #[error("the name is too long")]
    NameTooLong,
    /// The node or handle is not known, or what it stood for is gone.
    #[error("it is no longer what it was")]
    Stale,
    /// The file has no such attribute.
    #[error("no such attribute")]
    NoAttribute,
    /// Not an operation of this file system.
    #[error("not supported")]
    Unsupported,
    /// The arguments make no sense.
    #[error("invalid argument")]
    Invalid,
    /// The store's disk is full.
    #[error("the store's disk is full")]
    NoSpace,
    /// The file would be larger than the store's disk can hold one.
    #[error("the file is too large")]
    TooLarge,
    /// The store does not take what was fetched. Whoever reads a file has it from shared storage.
    #[error("the store takes no more, or its disk refuses")]
    NotKept,
    /// Shared storage did not answer within the deadline.
    #[error("shared storage did not answer in time")]
    TimedOut,
    /// Shared storage or the store failed.
    #[error("input/output error")]
    Failed,
}

impl From<StoreError> for ViewError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::NoSpace { .. } => Self::NoSpace,
            _ => Self::Failed,
        }
    }
}

impl From<&OriginError> for ViewError {
    fn from(error: &OriginError) -> Self {
        match error {
            OriginError::NotFound { .. } => Self::NotFound,
            OriginError::Denied { .. } => Self::Denied,
            OriginError::NotADirectory { .. } => Self::NotADirectory,
            OriginError::IsADirectory { .. } => Self::IsADirectory,
            OriginError::Changed { .. } => Self::Stale,
            OriginError::TimedOut { .. } | OriginError::Silent { .. } => Self::TimedOut,
            OriginError::Destination { .. } => Self::NotKept,
            _ => Self::Failed,
        }
    }
}

impl From<OriginError> for ViewError {
    fn from(error: OriginError) -> Self {
        Self::from(&error)
    }
}

/// A failure of a file of our own, below the store.
pub(crate) fn local(error: &std::io::Error) -> ViewError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => ViewError::NotFound,
        ErrorKind::AlreadyExists => ViewError::Exists,
        ErrorKind::DirectoryNotEmpty => ViewError::NotEmpty,
        ErrorKind::NotADirectory => ViewError::NotADirectory,
        ErrorKind::IsADirectory => ViewError::IsADirectory,
        ErrorKind::PermissionDenied => ViewError::Denied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ViewError::NoSpace,
        ErrorKind::FileTooLarge => ViewError::TooLarge,
        ErrorKind::InvalidFilename => ViewError::NameTooLong,
        ErrorKind::InvalidInput => ViewError::Invalid,
        _ => ViewError::Failed,
    }
}
