//! Reading, writing and telling apart files.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt},
    path::Path,
};

use pkgfs_manifest::{Special, Timestamp};

use super::super::Status;

/// Reads at an offset, perhaps less than was asked for.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(bytes, offset)
}

/// Fills all of `bytes` from an offset.
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

/// Writes all at an offset.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// The number of the disk that a directory lies on, as origin tells it of its own.
pub(crate) fn device(dir: &Path) -> io::Result<u64> {
    Ok(fs::metadata(dir)?.dev())
}

/// What tells a file from all others on its disk; a link's own.
pub(crate) fn file_id(path: &Path) -> io::Result<u64> {
    Ok(fs::symlink_metadata(path)?.ino())
}

/// Of what is neither file nor directory nor link in a copy under way.
pub(crate) fn special(kind: fs::FileType) -> Special {
    if kind.is_fifo() { Special::Fifo } else { Special::Socket }
}

/// What lies at a path; a link itself, not where it leads.
pub(crate) fn status_at(path: &Path) -> io::Result<Status> {
    fs::symlink_metadata(path).map(|data| status(&data))
}

/// What an open file shows.
pub(crate) fn status_of(file: &File) -> io::Result<Status> {
    file.metadata().map(|data| status(&data))
}

fn status(data: &fs::Metadata) -> Status {
    Status {
        directory: data.is_dir(),
        size: data.size(),
        mode: (data.mode() & 0o7777) as u16,
        links: data.nlink().try_into().unwrap_or(u32::MAX),
        owner: Some((data.uid(), data.gid())),
        mtime: Timestamp { secs: data.mtime(), nanos: data.mtime_nsec() as u32 },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::punch, *};

    #[test]
    fn what_is_punched_takes_no_room() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 1 << 20], 0).unwrap();
        punch(&file, 4096..1 << 20).unwrap();
        assert!(file.metadata().unwrap().blocks() * 512 < 1 << 16);
        assert_eq!(file.metadata().unwrap().len(), 1 << 20);
    }
}
