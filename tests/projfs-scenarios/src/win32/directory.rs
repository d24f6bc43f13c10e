//! Listing a directory as programs below Win32 do, with a pattern and a place to go on from.
#![allow(unsafe_code)]

use std::ptr::{null, null_mut};

use pkgfs_projfs_engine::{Code, Wide, codes::attribute, listing::Entry, records::Times};
use windows_sys::{
    Wdk::Storage::FileSystem::{
        FILE_DIRECTORY_INFORMATION, FileDirectoryInformation, NtQueryDirectoryFile,
    },
    Win32::{
        Foundation::{
            HANDLE, RtlNtStatusToDosError, STATUS_NO_MORE_FILES, STATUS_NO_SUCH_FILE,
            UNICODE_STRING,
        },
        System::IO::IO_STATUS_BLOCK,
    },
};

/// Up to `most` more entries.
pub(super) fn list(
    handle: HANDLE,
    pattern: Option<&Wide>,
    restart: bool,
    most: usize,
) -> Result<Vec<Entry>, Code> {
    let mut entries = Vec::new();
    // An entry a call, so that none is read that was not asked for.
    let mut restart = restart;
    while entries.len() < most {
        let mut buffer = vec![0_u64; 100];
        let mut status = IO_STATUS_BLOCK::default();
        let mut name = pattern.map(|pattern| pattern.0.clone());
        let expression = name.as_mut().map(|name| UNICODE_STRING {
            Length: (name.len() * 2) as u16,
            MaximumLength: (name.len() * 2) as u16,
            Buffer: name.as_mut_ptr(),
        });
        // SAFETY: everything pointed to is as long as is said and lives through the call.
        let result = unsafe {
            NtQueryDirectoryFile(
                handle,
                null_mut(),
                None,
                null(),
                &mut status,
                buffer.as_mut_ptr().cast(),
                (buffer.len() * 8) as u32,
                FileDirectoryInformation,
                true,
                expression.as_ref().map_or(null(), std::ptr::from_ref),
                restart,
            )
        };
        restart = false;
        if result == STATUS_NO_MORE_FILES || result == STATUS_NO_SUCH_FILE {
            break;
        }
        if result < 0 {
            // SAFETY: a number for a number.
            return Err(Code(unsafe { RtlNtStatusToDosError(result) }));
        }
        // SAFETY: the call has put one entry there, whose name lies behind its fixed part.
        let entry = unsafe {
            let info = &*buffer.as_ptr().cast::<FILE_DIRECTORY_INFORMATION>();
            let units = info.FileNameLength as usize / 2;
            Entry {
                name: Wide(std::slice::from_raw_parts(info.FileName.as_ptr(), units).to_vec()),
                directory: info.FileAttributes & attribute::DIRECTORY != 0,
                size: info.EndOfFile as u64,
                attributes: info.FileAttributes,
                times: Times {
                    creation: info.CreationTime,
                    access: info.LastAccessTime,
                    write: info.LastWriteTime,
                    change: info.ChangeTime,
                },
                target: None,
            }
        };
        if entry.name != Wide::from(".") && entry.name != Wide::from("..") {
            entries.push(entry);
        }
    }
    Ok(entries)
}
