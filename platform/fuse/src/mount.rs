//! Mounting and unmounting by ourselves.
//!
//! How, differs between systems (`sys`). Everywhere the caller gets the bare descriptor and no object whose end unmounts anything: an
//! old daemon that exits can never take away a new mount at the same path.
//!
//! Invariant: nothing here ever forces (`umount -f` kills the connection and still
//! says busy), and nothing follows a link at the mountpoint.

mod error;
mod mountinfo;
mod path_state;

use std::{os::fd::OwnedFd, path::Path};

use crate::sys;

pub use error::MountError;
pub use mountinfo::{MountInfo, all_mounts, mount_at, mounts};
pub use path_state::{PathState, resolve, state_of};

/// The file system type of our mounts, as [`MountInfo`] shows it.
pub const FSTYPE: &str = "fuse.pkgfs";

/// What is to be mounted.
#[derive(Debug, Clone, Copy)]
pub struct MountRequest<'a> {
    /// An existing directory.
    pub mountpoint: &'a Path,
    /// Shown as the mount's source: the path of the store.
    pub source: &'a str,
    /// Let other users in; permission bits decide what each may do either way.
    pub allow_other: bool,
}

/// Mounts, and gives the descriptor that the kernel will send its requests through.
///
/// # Errors
/// Each variant of [`MountError`] says what stands in the way and what to do.
pub fn mount(request: &MountRequest<'_>) -> Result<OwnedFd, MountError> {
    match state_of(request.mountpoint) {
        PathState::Missing => {
            return Err(MountError::NoMountpoint { path: request.mountpoint.into() });
        }
        PathState::NotADirectory => {
            return Err(MountError::NotADirectory { path: request.mountpoint.into() });
        }
        _ => {}
    }
    sys::mount(request)
}

/// Unmounts what is mounted last at this path. `lazy` takes it out of the tree at once
/// and lets those who have files open finish.
///
/// # Errors
/// [`MountError::Busy`] without the names of the users (see [`users`](crate::users)),
/// [`MountError::NotMounted`], or what the system refused.
pub fn unmount(mountpoint: &Path, lazy: bool) -> Result<(), MountError> {
    sys::unmount(mountpoint, lazy)
}
