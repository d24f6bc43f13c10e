//! Why a mount or an unmount did not happen: one line each, with what to do.

use std::path::PathBuf;

/// Why a mount or an unmount did not happen.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The kernel has no FUSE, or the container does not show it.
    #[error(
        "/dev/fuse does not exist: load the kernel module (modprobe fuse), or give the \
         container the device (--device /dev/fuse)"
    )]
    DeviceMissing,
    /// The device may not be opened.
    #[error(
        "/dev/fuse may not be opened ({reason}): ask for mode 0666 on it, or for access to it in the container"
    )]
    DeviceForbidden {
        /// What the system said.
        reason: String,
    },
    /// The set-user-id helper is not installed.
    #[error(
        "fusermount3 was not found on PATH, and mounting without being root needs it: \
         install the package fuse3 (apt install fuse3)"
    )]
    FusermountMissing,
    /// The administrator has not allowed ordinary users to let others in.
    #[error(
        "--allow-other is not permitted for ordinary users here: add the line \
         user_allow_other to /etc/fuse.conf, or mount without --allow-other"
    )]
    AllowOtherForbidden,
    /// There is nothing at the mountpoint.
    #[error("mountpoint {path} does not exist: make the directory first")]
    NoMountpoint {
        /// The mountpoint.
        path: PathBuf,
    },
    /// The mountpoint is no directory.
    #[error("mountpoint {path} is not a directory: choose another path")]
    NotADirectory {
        /// The mountpoint.
        path: PathBuf,
    },
    /// fusermount3 only mounts on what its caller may write.
    #[error("mountpoint {path} is not writable for you: choose a directory of your own")]
    MountpointForbidden {
        /// The mountpoint.
        path: PathBuf,
    },
    /// Files of the mount are in use.
    #[error("{mountpoint} is in use: end what uses it, or detach it with --lazy")]
    Busy {
        /// The mountpoint.
        mountpoint: PathBuf,
    },
    /// There is nothing to unmount.
    #[error("nothing is mounted at {mountpoint}: `pkgfs status` shows what is")]
    NotMounted {
        /// The mountpoint.
        mountpoint: PathBuf,
    },
    /// Somebody else's mount.
    #[error("{mountpoint} was mounted by another user: ask them, or root, to unmount it")]
    NotYours {
        /// The mountpoint.
        mountpoint: PathBuf,
    },
    /// Anything else, in the words of the kernel or of fusermount3.
    #[error(
        "the system refused to mount or unmount {mountpoint} ({reason}): see the kernel's log (dmesg)"
    )]
    Refused {
        /// The mountpoint.
        mountpoint: PathBuf,
        /// What was said.
        reason: String,
    },
}
