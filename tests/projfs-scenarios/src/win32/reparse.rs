//! Where links lead.
#![allow(unsafe_code)]

use std::ptr::{null, null_mut};

use pkgfs_projfs_engine::Wide;
use windows_sys::Win32::{
    Foundation::HANDLE,
    System::{
        IO::DeviceIoControl, Ioctl::FSCTL_GET_REPARSE_POINT, SystemServices::IO_REPARSE_TAG_SYMLINK,
    },
};

/// Where the link behind a handle leads: the substitute or print name of its reparse data.
pub(super) fn target(handle: HANDLE) -> Option<Wide> {
    let mut data = vec![0_u16; 8192];
    let mut length = 0;
    // SAFETY: the buffer is as long as is said.
    let got = unsafe {
        DeviceIoControl(
            handle,
            FSCTL_GET_REPARSE_POINT,
            null(),
            0,
            data.as_mut_ptr().cast(),
            (data.len() * 2) as u32,
            &mut length,
            null_mut(),
        )
    };
    if got == 0 {
        return None;
    }
    // "REPARSE_DATA_BUFFER": tag (4), length (2), reserved (2), then offsets and lengths of the two
    // names, and for symbolic links four bytes of flags.
    let tag = u32::from(data[0]) | u32::from(data[1]) << 16;
    let names = if tag == IO_REPARSE_TAG_SYMLINK { 10 } else { 8 };
    let (offset, bytes) = (usize::from(data[6]) / 2, usize::from(data[7]) / 2);
    Some(Wide(data.get(names + offset..names + offset + bytes)?.to_vec()))
}
