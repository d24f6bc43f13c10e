//! What is on the disk, and what the disk has to spare.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use rustix::fs::{FallocateFlags, fallocate};

/// Total and available bytes of the disk that holds a directory.
pub(crate) fn disk_room(dir: &Path) -> io::Result<(u64, u64)> {
    let disk = rustix::fs::statvfs(dir)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok((bytes(disk.f_blocks), bytes(disk.f_bavail)))
}

/// The bytes of disk that a file takes.
pub(crate) fn allocated(_path: &Path, metadata: &Metadata) -> u64 {
    metadata.blocks() * 512
}

/// Has a file take so many bytes of the disk.
pub(crate) fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    Ok(fallocate(file, FallocateFlags::empty(), 0, bytes)?)
}

/// Copies all of a file into an empty one, sharing bytes where the file system does.
pub(crate) fn copy(mut from: &File, mut to: &File) -> io::Result<()> {
    io::copy(&mut from, &mut to).map(|_| ())
}

/// A descriptor that what others write to a file can be synced through.
pub(crate) fn open_to_sync(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Makes durable what a file that was opened for reading holds.
pub(crate) fn sync_file(file: &File, _path: &Path) -> io::Result<()> {
    file.sync_all()
}

/// Makes durable which names a directory holds.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
