//! Opening files, and telling which they are.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::{fs::FlockOperation, fs::OFlags};

/// An open file, for whoever is to have it without the store's knowing.
pub(crate) type Descriptor = std::os::fd::OwnedFd;

/// What tells a file from another that had its name before.
pub(crate) type FileId = u64;

/// Opens for reading what is no link, not waiting should a fifo stand there.
pub(crate) fn open_read_only(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::empty())
}

/// The same, with more flags.
pub(super) fn open_with(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = (flags | OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

/// Makes a new file that is read-only for everyone but this descriptor.
pub(crate) fn create_partial(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o400).open(path)
}

/// Opens a file that others lock and read, making it if need be.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Locks a file until its last descriptor is closed; false if another has it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads at an offset, perhaps less than was asked for.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(bytes, offset)
}

/// Writes all at an offset.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// The path without links.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// Which file this is.
pub(crate) fn file_id(_file: &File, metadata: &Metadata) -> io::Result<FileId> {
    Ok(metadata.ino())
}

/// Which file has this name, if one has; a link itself, not where it leads.
pub(crate) fn file_id_at(path: &Path) -> Option<FileId> {
    fs::symlink_metadata(path).ok().map(|data| data.ino())
}
