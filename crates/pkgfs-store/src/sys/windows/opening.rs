//! Opening files, and telling which they are.
//!
//! The standard library shares what it opens for everything, deletion too: nobody who reads a blob
//! keeps it from being moved or deleted.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::windows::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use pkgfs_win32::{
    flags::{FILE_ATTRIBUTE_READONLY, FILE_FLAG_NO_BUFFERING, FILE_FLAG_OPEN_REPARSE_POINT},
    identity, locking, paths, sparse,
};

/// An open file, for whoever is to have it without the store's knowing.
pub(crate) type Descriptor = std::os::windows::io::OwnedHandle;

/// What tells a file from another that had its name before.
pub(crate) type FileId = identity::FileId;

/// Opens for reading what is no link.
pub(crate) fn open_read_only(path: &Path) -> io::Result<File> {
    open_with(path, 0)
}

/// The same, with reads that pass by the system's cache, and want memory and offsets to be multiples
/// of a sector's length. Where the file system has none such, like any other.
pub(crate) fn open_past_cache(path: &Path) -> io::Result<File> {
    match open_with(path, FILE_FLAG_NO_BUFFERING) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => open_read_only(path),
        opened => opened,
    }
}

fn open_with(path: &Path, flags: u32) -> io::Result<File> {
    let flags = flags | FILE_FLAG_OPEN_REPARSE_POINT;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_symlink() {
        return Err(io::Error::other("it is a link"));
    }
    Ok(file)
}

/// Makes a new file that is read-only for everyone but this handle, and takes room on the disk only
/// for what is written, where that can be had.
pub(crate) fn create_partial(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).attributes(FILE_ATTRIBUTE_READONLY);
    let file = options.open(path)?;
    // Without, it only takes more room while it is filled.
    let _ = sparse::make_sparse(&file);
    Ok(file)
}

/// Opens a file that others lock and read, making it if need be.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Locks a file until its last handle is closed; false if another has it. Others can still read it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    locking::try_lock(file)
}

/// Reads at an offset, perhaps less than was asked for.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(bytes, offset)
}

/// Writes all at an offset.
pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = file.seek_write(bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

/// The path without links, in the form that people and other programs write.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    paths::real(path)
}

/// Which file this is.
pub(crate) fn file_id(file: &File, _metadata: &Metadata) -> io::Result<FileId> {
    identity::id(file)
}

/// Which file has this name, if one has; a link itself, not where it leads.
pub(crate) fn file_id_at(path: &Path) -> Option<FileId> {
    identity::open_to_look(path).and_then(|file| identity::id(&file)).ok()
}
