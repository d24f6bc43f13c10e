//! Which file a handle is of, and how many names it has.

#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io, mem,
    os::windows::{
        fs::OpenOptionsExt,
        io::{AsHandle, AsRawHandle},
    },
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_BASIC_INFO, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_ID_INFO, FILE_READ_ATTRIBUTES, FileBasicInfo, FileIdInfo,
    GetFileInformationByHandle, GetFileInformationByHandleEx,
};

use crate::wide::checked;

/// What tells one file from all others, for as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The volume's serial number.
    pub volume: u64,
    /// The file's number on it.
    pub number: u128,
}

/// Which file a handle is of. ReFS numbers with 128 bits, which the older call does not tell.
///
/// # Errors
/// When the file system does not tell.
pub fn id(file: &impl AsHandle) -> io::Result<FileId> {
    let handle = file.as_handle().as_raw_handle();
    let mut info = FILE_ID_INFO::default();
    let size = mem::size_of::<FILE_ID_INFO>() as u32;
    // SAFETY: the handle is open while `file` is borrowed, and the class fills a `FILE_ID_INFO`,
    // whose size is told.
    let told = checked(unsafe {
        GetFileInformationByHandleEx(handle, FileIdInfo, (&raw mut info).cast(), size)
    });
    if told.is_ok() {
        return Ok(FileId {
            volume: info.VolumeSerialNumber,
            number: u128::from_le_bytes(info.FileId.Identifier),
        });
    }
    // Not every file system knows that class.
    let info = information(file)?;
    let number = u64::from(info.nFileIndexHigh) << 32 | u64::from(info.nFileIndexLow);
    Ok(FileId { volume: info.dwVolumeSerialNumber.into(), number: number.into() })
}

/// How many names the file has.
///
/// # Errors
/// When the file system does not tell.
pub fn links(file: &impl AsHandle) -> io::Result<u32> {
    information(file).map(|info| info.nNumberOfLinks)
}

/// Opens what lies at a path, a link itself and not where it leads, for nothing but looking at it:
/// whoever has it open and shares it with nobody does not mind.
///
/// # Errors
/// When it is not there, or cannot be looked at.
pub fn open_to_look(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(FILE_READ_ATTRIBUTES)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// The same of what a path leads to, links followed.
///
/// # Errors
/// When it is not there, or cannot be looked at.
pub fn open_to_look_beyond(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(FILE_READ_ATTRIBUTES)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

/// When anything of a file last changed, its attributes included.
///
/// # Errors
/// When the file system does not tell.
pub fn changed(file: &impl AsHandle) -> io::Result<SystemTime> {
    /// From 1601, where Windows begins to count, to 1970, in steps of 100 ns.
    const UNTIL_1970: i64 = 116_444_736_000_000_000;
    let mut info = FILE_BASIC_INFO::default();
    let (handle, size) = (file.as_handle().as_raw_handle(), mem::size_of_val(&info) as u32);
    // SAFETY: the handle is open while `file` is borrowed, and the class fills a `FILE_BASIC_INFO`,
    // whose size is told.
    checked(unsafe {
        GetFileInformationByHandleEx(handle, FileBasicInfo, (&raw mut info).cast(), size)
    })?;
    let since = u64::try_from(info.ChangeTime - UNTIL_1970).unwrap_or(0);
    let (seconds, steps) = (since / 10_000_000, since % 10_000_000);
    Ok(UNIX_EPOCH + Duration::new(seconds, steps as u32 * 100))
}

fn information(file: &impl AsHandle) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut info = BY_HANDLE_FILE_INFORMATION::default();
    let handle = file.as_handle().as_raw_handle();
    // SAFETY: the handle is open while `file` is borrowed, and `info` is ours to be filled.
    checked(unsafe { GetFileInformationByHandle(handle, &raw mut info) })?;
    Ok(info)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn two_names_are_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        std::fs::write(&a, "a").unwrap();
        std::fs::hard_link(&a, &b).unwrap();
        std::fs::write(&c, "c").unwrap();
        let of = |path: &Path| id(&open_to_look(path).unwrap()).unwrap();
        assert_eq!(of(&a), of(&b));
        assert_ne!(of(&a), of(&c));
        assert_eq!(links(&open_to_look(&b).unwrap()).unwrap(), 2);
        assert_eq!(links(&open_to_look(&c).unwrap()).unwrap(), 1);
        assert_eq!(of(dir.path()).volume, of(&c).volume);
    }
}
