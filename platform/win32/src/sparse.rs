//! Files with holes.

#![allow(unsafe_code)]

use std::{fs::File, io, ops::Range, os::windows::io::AsRawHandle, ptr};

use windows_sys::Win32::System::{
    IO::DeviceIoControl,
    Ioctl::{FILE_ZERO_DATA_INFORMATION, FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA},
};

use crate::wide::checked;

/// Has a file take room only for what is written into it. Needs a handle that may write.
///
/// # Errors
/// When the file system knows no such files.
pub fn make_sparse(file: &File) -> io::Result<()> {
    let mut given = 0;
    // SAFETY: the handle is open while `file` is borrowed; this control takes and gives no bytes.
    checked(unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            FSCTL_SET_SPARSE,
            ptr::null(),
            0,
            ptr::null_mut(),
            0,
            &raw mut given,
            ptr::null_mut(),
        )
    })
}

/// Makes a part of a file read as zeros; in a sparse one it takes no room any more.
///
/// # Errors
/// When the file system does not do that.
pub fn punch(file: &File, bytes: Range<u64>) -> io::Result<()> {
    let offset = |at: u64| i64::try_from(at).map_err(|_| io::ErrorKind::InvalidInput);
    let part = FILE_ZERO_DATA_INFORMATION {
        FileOffset: offset(bytes.start)?,
        BeyondFinalZero: offset(bytes.end)?,
    };
    let mut given = 0;
    // SAFETY: the handle is open while `file` is borrowed; this control reads the part, whose size
    // is told, and gives no bytes.
    checked(unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            FSCTL_SET_ZERO_DATA,
            (&raw const part).cast(),
            size_of_val(&part) as u32,
            ptr::null_mut(),
            0,
            &raw mut given,
            ptr::null_mut(),
        )
    })
}
