//! What is mounted, as the command asks after it: from the kernel's mount table.

pub use pkgfs_fuse::{
    MountError, MountInfo, PathState, User, all_mounts, mount_at, mounts, resolve, state_of,
    unmount, users,
};

/// Where it is read, for messages.
pub const NAME: &str = super::system::MOUNT_TABLE;

/// Whether [`users`] can tell.
pub const TELLS_USERS: bool = true;

/// Whether this user made the mount.
#[must_use]
pub fn is_own(mount: &MountInfo) -> bool {
    mount.user_id() == Some(rustix::process::geteuid().as_raw())
}
