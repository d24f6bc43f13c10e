//! What is mounted, as the system remembers it. Reading that never touches a mount, so a
//! dead or hung one cannot stop it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::FSTYPE;
use crate::sys;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// The mount's number; on Linux in this mount namespace, and `/proc/<pid>/fdinfo` names it.
    pub id: u64,
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// Type, with its subtype: `ext4`, `fuse.pkgfs`.
    pub fstype: String,
    /// What is mounted; for ours, the path of the store.
    pub source: PathBuf,
    /// Device, major and minor.
    pub device: (u32, u32),
    /// Options of the mount and of the file system, comma separated.
    pub options: String,
}

impl MountInfo {
    /// Is this one of ours?
    #[must_use]
    pub fn is_pkgfs(&self) -> bool {
        self.fstype == FSTYPE
    }

    /// The user that mounted it, for a FUSE mount.
    #[must_use]
    pub fn user_id(&self) -> Option<u32> {
        self.options.split(',').find_map(|option| option.strip_prefix("user_id=")?.parse().ok())
    }
}

/// The pkgfs mounts of this mount namespace, in the order they were made.
///
/// # Errors
/// When the system does not tell.
pub fn mounts() -> io::Result<Vec<MountInfo>> {
    Ok(all_mounts()?.into_iter().filter(MountInfo::is_pkgfs).collect())
}

/// What is mounted at exactly this (resolved) path: the last mount, which hides those
/// below it.
///
/// # Errors
/// When the system does not tell.
pub fn mount_at(mountpoint: &Path) -> io::Result<Option<MountInfo>> {
    Ok(all_mounts()?.into_iter().rfind(|mount| mount.mountpoint == mountpoint))
}

/// Every mount of this mount namespace.
///
/// # Errors
/// When the system does not tell.
pub fn all_mounts() -> io::Result<Vec<MountInfo>> {
    sys::mounted()
}
