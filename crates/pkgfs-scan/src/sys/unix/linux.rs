//! Linux: `getdents`, `statx`, and file systems by their numbers.

use std::{
    ffi::CStr,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{AtFlags, FileType, RawDir, StatxFlags, fstatfs, statx},
    io::Errno,
};

use crate::observation::{Identity, Moment};

/// Bytes of entries asked for at a time: each time is a round trip to storage.
const AT_ONCE: usize = 256 << 10;

/// Room for listings, one for each thread.
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(AT_ONCE))
    }
}

/// Tells each entry of a directory, in its order, `.` and `..` too.
pub(super) fn entries(
    dir: &OwnedFd,
    buffer: &mut Buffer,
    mut on: impl FnMut(&CStr, FileType),
) -> Result<(), Errno> {
    let mut directory = RawDir::new(dir.as_fd(), buffer.0.spare_capacity_mut());
    while let Some(entry) = directory.next() {
        let entry = entry?;
        on(entry.file_name(), entry.file_type());
    }
    Ok(())
}

/// What a directory is, as far as the system knows without asking storage.
pub(crate) fn at_hand(at: &OwnedFd, name: &CStr) -> Option<Identity> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_DONT_SYNC;
    let stat = statx(at, name, flags, StatxFlags::BASIC_STATS).ok()?;
    Some(Identity {
        device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
        inode: stat.stx_ino,
        size: i64::try_from(stat.stx_size).unwrap_or(i64::MAX),
        modified: Moment(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
        changed: Moment(stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
    })
}

/// Whether a directory lies on a file system of this machine, where a look costs next to nothing. One
/// that is not known here counts as remote.
pub(crate) fn is_local(dir: &OwnedFd) -> bool {
    // From statfs(2): ext4, XFS, Btrfs, tmpfs, OverlayFS, ZFS, F2FS, SquashFS, EROFS, bcachefs.
    const LOCAL: [i64; 10] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x0102_1994,
        0x794c_7630,
        0x2fc1_2fc1,
        0xf2f5_2010,
        0x7371_7368,
        0xe0f5_e1e2,
        0xca45_1a4e,
    ];
    // Its type differs between architectures.
    #[allow(clippy::unnecessary_cast)]
    fstatfs(dir).is_ok_and(|space| LOCAL.contains(&(space.f_type as i64)))
}
