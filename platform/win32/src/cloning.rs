//! Copies that share their bytes on the disk, which ReFS makes.

#![allow(unsafe_code)]

use std::{fs::File, io, os::windows::io::AsRawHandle, ptr};

use windows_sys::Win32::{
    Storage::FileSystem::GetVolumeInformationByHandleW,
    System::{
        IO::DeviceIoControl,
        Ioctl::{DUPLICATE_EXTENTS_DATA, FSCTL_DUPLICATE_EXTENTS_TO_FILE},
        SystemServices::FILE_SUPPORTS_BLOCK_REFCOUNTING,
    },
};

use crate::wide::checked;

/// Bytes at a time: less than 4 GiB, and whole clusters of any size ("Block Cloning").
const AT_ONCE: u64 = 1 << 30;

/// Makes an empty file on the same volume hold what another holds, without copying. False where
/// the file system does not do that; the file is as it was then.
///
/// # Errors
/// When it does, and failed.
pub fn clone(from: &File, to: &File) -> io::Result<bool> {
    if !shares_blocks(to)? {
        return Ok(false);
    }
    let size = from.metadata()?.len();
    to.set_len(size)?;
    let mut at = 0;
    while at < size {
        let length = AT_ONCE.min(size - at);
        let part = DUPLICATE_EXTENTS_DATA {
            FileHandle: from.as_raw_handle(),
            SourceFileOffset: at.cast_signed(),
            TargetFileOffset: at.cast_signed(),
            // Up to the end, all of the last cluster goes.
            ByteCount: length.cast_signed(),
        };
        let mut given = 0;
        // SAFETY: both handles are open while the files are borrowed; this control reads the part,
        // whose size is told, and gives no bytes.
        let done = checked(unsafe {
            DeviceIoControl(
                to.as_raw_handle(),
                FSCTL_DUPLICATE_EXTENTS_TO_FILE,
                (&raw const part).cast(),
                size_of_val(&part) as u32,
                ptr::null_mut(),
                0,
                &raw mut given,
                ptr::null_mut(),
            )
        });
        if let Err(error) = done {
            to.set_len(0)?;
            // Of another volume, say: a copy does as well.
            return if at == 0 { Ok(false) } else { Err(error) };
        }
        at += length;
    }
    Ok(true)
}

fn shares_blocks(file: &File) -> io::Result<bool> {
    let mut flags = 0;
    // SAFETY: the handle is open while `file` is borrowed, `flags` is ours to be filled, and
    // nothing else is asked.
    checked(unsafe {
        GetVolumeInformationByHandleW(
            file.as_raw_handle(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut flags,
            ptr::null_mut(),
            0,
        )
    })?;
    Ok(flags & FILE_SUPPORTS_BLOCK_REFCOUNTING != 0)
}
