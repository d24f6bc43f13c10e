//! What is on the disk, and what the disk has to spare.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    path::Path,
};

use pkgfs_win32::{cloning, deletion, disk};

/// Total and available bytes of the disk that holds a directory.
pub(crate) fn disk_room(dir: &Path) -> io::Result<(u64, u64)> {
    disk::room(dir).map(|room| (room.total, room.available))
}

/// The bytes of disk that a file takes.
pub(crate) fn allocated(path: &Path, metadata: &Metadata) -> u64 {
    disk::allocated(path).unwrap_or(metadata.len())
}

/// Has a file take so many bytes of the disk: one that is not sparse takes all of its length.
pub(crate) fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    file.set_len(bytes)
}

/// Copies all of a file into an empty one, sharing bytes where the file system does.
pub(crate) fn copy(mut from: &File, mut to: &File) -> io::Result<()> {
    if cloning::clone(from, to)? {
        return Ok(());
    }
    io::copy(&mut from, &mut to).map(|_| ())
}

/// A handle that what others write to a file can be synced through: it must be one that may write.
pub(crate) fn open_to_sync(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// Makes durable what a file that was opened for reading holds. That a read-only one is opened for
/// writing, it is not for a moment.
pub(crate) fn sync_file(_file: &File, path: &Path) -> io::Result<()> {
    let opened = match open_to_sync(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            deletion::set_read_only(path, false)?;
            let opened = open_to_sync(path);
            deletion::set_read_only(path, true)?;
            opened
        }
        opened => opened,
    };
    opened?.sync_all()
}

/// Names need no syncing here: the file system's log is written in order, and what is synced after
/// they were changed, the database's log, takes them along.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// A whole file system can be synced by administrators only: each file is to be.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn sync_file_system(_file: &File) -> io::Result<bool> {
    Ok(false)
}
