//! What differs between systems: files that rez writes, and the processes that ask.
//!
//! Both sides have the same functions and say what is different where it is.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

use std::path::Path;

use pkgfs_manifest::Timestamp;

/// What a file of the store shows of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    pub(crate) directory: bool,
    pub(crate) size: u64,
    /// The twelve permission bits; where the system has none, what comes closest.
    pub(crate) mode: u16,
    /// How many names it has.
    pub(crate) links: u32,
    /// User and group, where the system has numbers for them.
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) mtime: Timestamp,
}

/// A path below another as its bytes, parts joined by `/` whatever the system joins them by.
pub(crate) fn joined(below: &Path) -> Box<[u8]> {
    let parts: Vec<&[u8]> = below.iter().map(pkgfs_manifest::os_name::bytes_of).collect();
    parts.join(&b'/').into()
}
