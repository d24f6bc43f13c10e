//! A lock on a file that leaves its bytes to be read.
//!
//! Windows' locks are of bytes, and nobody else can read what is locked. The standard library locks
//! all of a file; this locks one byte far behind any that is ever written.

#![allow(unsafe_code)]

use std::{fs::File, io, os::windows::io::AsRawHandle};

use windows_sys::Win32::{
    Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION},
    Storage::FileSystem::{LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx},
    System::IO::OVERLAPPED,
};

use crate::wide::checked;

/// The upper half of the offset of the byte that is locked.
const FAR: u32 = 0x7fff_ffff;

/// Takes the lock unless somebody has it, which is told as false. It goes with the last handle of
/// this opening of the file, however that comes.
///
/// # Errors
/// When the file system keeps no locks.
pub fn try_lock(file: &File) -> io::Result<bool> {
    let mut at = OVERLAPPED::default();
    at.Anonymous.Anonymous.OffsetHigh = FAR;
    let how = LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: the handle is open while `file` is borrowed, and `at` outlives the call, which does
    // not go on behind our back: the handle is not an overlapped one.
    match checked(unsafe { LockFileEx(file.as_raw_handle(), how, 0, 1, 0, &raw mut at) }) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn one_has_it_and_the_other_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let open = || {
            let mut how = File::options();
            how.read(true).write(true).create(true).truncate(false).open(&path).unwrap()
        };
        let mut first = open();
        assert!(try_lock(&first).unwrap());
        first.write_all(b"me").unwrap();
        let second = open();
        assert!(!try_lock(&second).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"me");
        drop(first);
        assert!(try_lock(&second).unwrap());
    }
}
