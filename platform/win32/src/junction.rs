//! Junctions: directories that are names of other directories, which anybody may make.
//!
//! A symbolic link to a directory would do as well, but making one is a privilege. The layout is that of
//! a mount point ("REPARSE_DATA_BUFFER"); reading one and removing it are the standard library's
//! (`fs::read_link`, `fs::remove_dir`).
#![allow(unsafe_code)]

use std::{
    fs::{self, OpenOptions},
    io,
    os::windows::{ffi::OsStrExt, fs::OpenOptionsExt, io::AsRawHandle},
    path::Path,
};

use windows_sys::Win32::{
    Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT},
    System::{
        IO::DeviceIoControl, Ioctl::FSCTL_SET_REPARSE_POINT,
        SystemServices::IO_REPARSE_TAG_MOUNT_POINT,
    },
};

/// Makes a junction at `link` that leads to the absolute path `target`, which need not be there.
///
/// # Errors
/// Where something is there already, or the file system has no junctions; nothing is left then.
pub fn make(link: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir(link)?;
    lead(link, target).inspect_err(|_| {
        // Made just now, and empty.
        let _ = fs::remove_dir(link);
    })
}

/// Has a junction that is there lead elsewhere, at once: data of the same tag are replaced
/// (`FSCTL_SET_REPARSE_POINT`).
///
/// # Errors
/// Where there is none, or the file system has none.
pub fn lead(link: &Path, target: &Path) -> io::Result<()> {
    let buffer = buffer(target)?;
    let directory = OpenOptions::new()
        .write(true)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(link)?;
    let mut returned = 0;
    // SAFETY: the handle is open, the buffer is as long as is said, and nothing is written to it; the
    // call is not overlapped.
    let set = unsafe {
        DeviceIoControl(
            directory.as_raw_handle(),
            FSCTL_SET_REPARSE_POINT,
            buffer.as_ptr().cast(),
            buffer.len() as u32,
            std::ptr::null_mut(),
            0,
            &mut returned,
            std::ptr::null_mut(),
        )
    };
    if set == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Tag, length, the places of both names in what follows, and both, each ended by NUL: the one that the
/// kernel follows, and the one that people are shown.
fn buffer(target: &Path) -> io::Result<Vec<u8>> {
    let shown: Vec<u16> = target.as_os_str().encode_wide().collect();
    // What Windows calls a verbatim path differs in one character from what the kernel follows.
    let verbatim: Vec<u16> = r"\\?\".encode_utf16().collect();
    let bare = shown.strip_prefix(verbatim.as_slice()).unwrap_or(&shown);
    let followed: Vec<u16> = r"\??\".encode_utf16().chain(bare.iter().copied()).collect();
    let length = |name: &[u16]| u16::try_from(name.len() * 2).map_err(|_| too_long());
    let (first, second) = (length(&followed)?, length(bare)?);
    let places = [0, first, first.checked_add(2).ok_or_else(too_long)?, second];
    let names = usize::from(first) + usize::from(second) + 4;
    let data = u16::try_from(8 + names).map_err(|_| too_long())?;
    let mut bytes = Vec::with_capacity(16 + names);
    bytes.extend(IO_REPARSE_TAG_MOUNT_POINT.to_le_bytes());
    bytes.extend(data.to_le_bytes());
    bytes.extend([0, 0]);
    places.iter().for_each(|place| bytes.extend(place.to_le_bytes()));
    for unit in followed.iter().chain([&0]).chain(bare).chain([&0]) {
        bytes.extend(unit.to_le_bytes());
    }
    Ok(bytes)
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidFilename, "the target of a junction is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_junction_leads_to_its_target_or_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (target, link) = (place.path().join("target"), place.path().join("link"));
        fs::create_dir(&target).unwrap();
        match make(&link, &target) {
            Ok(()) => {
                fs::write(target.join("x"), b"here").unwrap();
                assert_eq!(fs::read(link.join("x")).unwrap(), b"here");
                let other = place.path().join("other");
                fs::create_dir(&other).unwrap();
                lead(&link, &other).unwrap();
                assert!(!link.join("x").exists());
                fs::remove_dir(&link).unwrap();
                assert!(target.join("x").exists());
            }
            // Wine 8 has none (ERROR_NOT_SUPPORTED).
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(50));
                assert!(!link.exists());
            }
        }
    }

    #[test]
    fn the_buffer_says_where_both_names_are() {
        let bytes = buffer(Path::new(r"\\?\C:\t")).unwrap();
        assert_eq!(bytes[..4], 0xA000_0003_u32.to_le_bytes());
        assert_eq!(usize::from(u16::from_le_bytes([bytes[4], bytes[5]])), bytes.len() - 8);
        let units: Vec<u16> =
            bytes[16..].chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        assert_eq!(String::from_utf16(&units).unwrap(), "\\??\\C:\\t\0C:\\t\0");
    }
}
