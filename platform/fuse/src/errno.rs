//! The one place where the view's errors become `errno`s.

use fuser::Errno;
use pkgfs_view::ViewError;

/// The `errno` that a program sees.
pub(crate) fn errno(error: &ViewError) -> Errno {
    match error {
        ViewError::NotFound => Errno::ENOENT,
        ViewError::ReadOnly => Errno::EROFS,
        ViewError::Denied => Errno::EACCES,
        ViewError::Exists => Errno::EEXIST,
        ViewError::NotEmpty => Errno::ENOTEMPTY,
        ViewError::IsADirectory => Errno::EISDIR,
        ViewError::NotADirectory => Errno::ENOTDIR,
        ViewError::NameTooLong => Errno::ENAMETOOLONG,
        ViewError::Stale => Errno::ESTALE,
        ViewError::NoAttribute => Errno::NO_XATTR,
        ViewError::Unsupported => Errno::EOPNOTSUPP,
        ViewError::Invalid => Errno::EINVAL,
        ViewError::NoSpace => Errno::ENOSPC,
        ViewError::TooLarge => Errno::EFBIG,
        ViewError::TimedOut => Errno::ETIMEDOUT,
        ViewError::Failed | ViewError::NotKept => Errno::EIO,
    }
}
