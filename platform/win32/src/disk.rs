//! What a disk has to spare, what a file takes of it, and where it is.

#![allow(unsafe_code)]

use std::{io, path::Path};

use windows_sys::Win32::{
    Foundation::{GetLastError, NO_ERROR, SetLastError},
    Storage::FileSystem::{
        GetCompressedFileSizeW, GetDiskFreeSpaceExW, GetDriveTypeW, GetVolumePathNameW,
        INVALID_FILE_SIZE,
    },
    System::WindowsProgramming::DRIVE_REMOTE,
};

use crate::wide::{checked, wide_path};

/// The room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// As large as it is for this user, whose quota may be less than the disk.
    pub total: u64,
    /// What this user may still fill.
    pub available: u64,
}

/// The room on the disk that holds a directory.
///
/// # Errors
/// When the disk does not tell.
pub fn room(dir: &Path) -> io::Result<Room> {
    let dir = wide_path(dir)?;
    let mut room = Room { total: 0, available: 0 };
    // SAFETY: `dir` ends with a zero, and the numbers are ours to be filled; the third is not asked.
    checked(unsafe {
        let free = std::ptr::null_mut();
        GetDiskFreeSpaceExW(dir.as_ptr(), &raw mut room.available, &raw mut room.total, free)
    })?;
    Ok(room)
}

/// The bytes of disk that a file takes: less than its size where it is sparse.
///
/// # Errors
/// When it is not there.
pub fn allocated(path: &Path) -> io::Result<u64> {
    let path = wide_path(path)?;
    let mut high = 0;
    // SAFETY: `path` ends with a zero, and `high` is ours to be filled. Half of a number may look
    // like the mark of a failure: only the thread's last error tells, which is cleared before.
    let (low, error) = unsafe {
        SetLastError(NO_ERROR);
        let low = GetCompressedFileSizeW(path.as_ptr(), &raw mut high);
        (low, GetLastError())
    };
    if low == INVALID_FILE_SIZE && error != NO_ERROR {
        return Err(io::Error::from_raw_os_error(error.cast_signed()));
    }
    Ok(u64::from(high) << 32 | u64::from(low))
}

/// Whether a directory lies on another machine's disk.
///
/// # Errors
/// When it is on no volume.
pub fn is_remote(dir: &Path) -> io::Result<bool> {
    let dir = wide_path(dir)?;
    // No root is longer than the path it is of, but for a backslash at its end.
    let mut root = vec![0; dir.len().max(64) + 1];
    // SAFETY: `dir` ends with a zero, `root` is as long as is told, and ends with one when filled.
    unsafe {
        checked(GetVolumePathNameW(dir.as_ptr(), root.as_mut_ptr(), root.len() as u32))?;
        Ok(GetDriveTypeW(root.as_ptr()) == DRIVE_REMOTE)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_tells_its_room_and_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let room = room(dir.path()).unwrap();
        assert!(0 < room.available && room.available <= room.total);
        assert!(!is_remote(dir.path()).unwrap());
    }

    #[test]
    fn a_file_takes_what_it_holds_and_one_that_is_not_there_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![1; 100_000]).unwrap();
        assert!(allocated(&path).unwrap() >= 100_000);
        assert!(allocated(&dir.path().join("none")).is_err());
    }
}
