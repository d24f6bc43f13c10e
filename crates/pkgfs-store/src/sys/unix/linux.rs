//! Linux: `O_DIRECT`, `syncfs`, and file systems by their numbers.

mod network;

use std::{fs::File, io, path::Path};

use rustix::fs::OFlags;

use super::opening::open_with;
pub(crate) use network::network_file_system;

/// Opens for reading what is no link, with reads that pass by the system's cache, and want memory
/// and offsets to be multiples of a block's length. Where the file system has none such, like any
/// other.
pub(crate) fn open_past_cache(path: &Path) -> io::Result<File> {
    match open_with(path, OFlags::DIRECT) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            open_with(path, OFlags::empty())
        }
        opened => opened,
    }
}

/// Makes durable all that was written to the file system of a file, names included, if that can be
/// done at once. Since Linux 5.8 it tells of a write that failed since the last call through the
/// same file.
pub(crate) fn sync_file_system(file: &File) -> io::Result<bool> {
    rustix::fs::syncfs(file)?;
    Ok(true)
}
