//! What rez does with the files that it writes.

use std::{
    borrow::Cow,
    ffi::OsStr,
    fs::{self, File, FileTimes, OpenOptions},
    io,
    os::windows::fs::OpenOptionsExt,
    path::Path,
};

use pkgfs_manifest::{Timestamp, os_name};
use pkgfs_win32::{
    deletion,
    flags::{
        FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES,
        FILE_WRITE_ATTRIBUTES,
    },
};

/// Whether a name is longer than any file's: 255 units of 16 bits ("Maximum Path Length
/// Limitation").
pub(crate) fn is_too_long(name: &[u8]) -> bool {
    // Each byte but those in the middle of a character begins a unit, four of them two.
    let units = |byte: &u8| match byte {
        0x80..=0xbf => 0,
        0xf0.. => 2,
        _ => 1,
    };
    name.len() > 255 && name.iter().map(units).sum::<usize>() > 255
}

/// The name of one file in a directory; none if these bytes are no such name: it would lead
/// elsewhere, to a stream of a file, or be taken for another name ("Naming Files, Paths, and
/// Namespaces").
pub(crate) fn file_name(name: &[u8]) -> Option<Cow<'_, OsStr>> {
    let misleads = |byte: &u8| {
        *byte < b' '
            || matches!(byte, b'/' | b'\\' | b':' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|')
    };
    if name.iter().any(misleads) || matches!(name.last(), Some(b'.' | b' ')) {
        return None;
    }
    os_name::name_from(name.to_vec()).map(Cow::Owned)
}

/// How files are opened that rez writes: links are not followed. Modes are not told here.
pub(crate) fn options(_mode: u16) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    options
}

/// Makes a directory.
pub(crate) fn make_dir(path: &Path, _mode: u16) -> io::Result<()> {
    fs::create_dir(path)
}

/// What was just made may be written by its owner, whatever was asked for: so it is.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn set_mode_of_new(_path: &Path, _mode: u16, _directory: bool) -> io::Result<()> {
    Ok(())
}

/// Users have no numbers here: who made a file is remembered by the view.
pub(crate) fn give_away(_path: &Path, _to: (u32, u32)) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Deletes a file or a link, read-only or not: the name is free at once where the file system can
/// do that, also while the file is open.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    deletion::delete(path)
}

/// Changes the length of a file: by its path, or through the handle that keeps one without.
pub(crate) fn set_len(path: &Path, kept: Option<&File>, size: u64) -> io::Result<()> {
    match kept {
        Some(file) => file.set_len(size),
        None => options(0).write(true).open(path)?.set_len(size),
    }
}

/// Makes a file read-only where its owner may not write, or the other way round. One without a name
/// is nobody's to open: there is nothing to say of it.
pub(crate) fn set_mode(path: &Path, kept: Option<&File>, mode: u16) -> io::Result<()> {
    match kept {
        Some(_) => Ok(()),
        None if fs::symlink_metadata(path)?.is_dir() => Ok(()),
        None => deletion::set_read_only(path, mode & 0o200 == 0),
    }
}

/// Users have no numbers here.
pub(crate) fn set_owner(
    _path: &Path,
    _kept: Option<&File>,
    _uid: Option<u32>,
    _gid: Option<u32>,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Changes the times of last access and modification, as [`set_len`] does the length.
pub(crate) fn set_times(
    path: &Path,
    kept: Option<&File>,
    atime: Option<Timestamp>,
    mtime: Option<Timestamp>,
) -> io::Result<()> {
    let mut times = FileTimes::new();
    if let Some(at) = atime {
        times = times.set_accessed(at.to_system_time());
    }
    if let Some(at) = mtime {
        times = times.set_modified(at.to_system_time());
    }
    match kept {
        Some(file) => file.set_times(times),
        None => OpenOptions::new()
            .access_mode(FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(path)?
            .set_times(times),
    }
}

/// Gives a file bytes of its own in the place of those that it shares with another name.
pub(crate) fn separate(path: &Path, copy: &Path) -> io::Result<()> {
    fs::copy(path, copy)?;
    deletion::set_read_only(copy, false)?;
    // The other name, a blob's, stays read-only.
    deletion::delete(path)?;
    fs::rename(copy, path)
}
