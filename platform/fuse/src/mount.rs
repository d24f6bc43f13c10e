//! Mounting and unmounting by ourselves.
//!
//! A process that may (CAP_SYS_ADMIN) opens `/dev/fuse` and calls mount(2); any other
//! asks `fusermount3`, which hands the opened device back over a socket. Either way
//! the caller gets the bare descriptor and no object whose end unmounts anything: an
//! old daemon that exits can never take away a new mount at the same path.
//!
//! Invariant: nothing here ever forces (`umount -f` kills the connection and still
//! says busy), and nothing follows a link at the mountpoint.

mod error;
mod fusermount;
mod kernel;
mod mountinfo;
mod path_state;

use std::{ffi::CString, os::fd::OwnedFd, path::Path};

use rustix::{
    io::Errno,
    mount::UnmountFlags,
    thread::{CapabilitySet, capabilities},
};

pub use error::MountError;
pub use mountinfo::{MountInfo, all_mounts, mount_at, mounts};
pub use path_state::{PathState, resolve, state_of};

/// The file system type of our mounts, as `/proc/self/mountinfo` shows it.
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
    if may_mount() { kernel::mount(request) } else { fusermount::mount(request) }
}

/// Unmounts what is mounted last at this path. `lazy` takes it out of the tree at once
/// and lets those who have files open finish.
///
/// # Errors
/// [`MountError::Busy`] without the names of the users (see [`users`](crate::users)),
/// [`MountError::NotMounted`], or what the kernel or fusermount3 refused.
pub fn unmount(mountpoint: &Path, lazy: bool) -> Result<(), MountError> {
    if !may_mount() {
        return fusermount::unmount(mountpoint, lazy);
    }
    let detach = if lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    rustix::mount::unmount(mountpoint, detach | UnmountFlags::NOFOLLOW).map_err(|errno| {
        let mountpoint = mountpoint.to_owned();
        match errno {
            Errno::BUSY => MountError::Busy { mountpoint },
            Errno::INVAL | Errno::NOENT => MountError::NotMounted { mountpoint },
            _ => {
                MountError::Refused { mountpoint, reason: std::io::Error::from(errno).to_string() }
            }
        }
    })
}

/// May this process call mount(2)? In a user namespace it may appear to; the kernel's
/// refusal is then told as it is.
pub(crate) fn may_mount() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

fn c_string(bytes: &[u8], of: &Path) -> Result<CString, MountError> {
    CString::new(bytes).map_err(|_| MountError::Refused {
        mountpoint: of.to_owned(),
        reason: "a path cannot hold a NUL byte".to_owned(),
    })
}
