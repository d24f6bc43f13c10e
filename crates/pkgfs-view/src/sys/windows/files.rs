//! Reading, writing and telling apart files.

use std::{
    fs::{self, File, Metadata},
    io,
    ops::Range,
    os::windows::fs::FileExt,
    path::Path,
    time::SystemTime,
};

use pkgfs_manifest::{Special, Timestamp};
use pkgfs_win32::{identity, sparse};

use super::super::Status;

/// Reads at an offset, perhaps less than was asked for.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(bytes, offset)
}

/// Fills all of `bytes` from an offset.
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.seek_read(&mut bytes[filled..], offset + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => filled += more,
        }
    }
    Ok(())
}

/// Writes all at an offset.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match file.seek_write(&bytes[written..], offset + written as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            more => written += more,
        }
    }
    Ok(())
}

/// Gives the room of a part of a file back, which is zeros then. The file becomes a sparse one, of
/// which whole blocks of 64 KiB go.
pub(crate) fn punch(file: &File, bytes: Range<u64>) -> io::Result<()> {
    sparse::make_sparse(file)?;
    sparse::punch(file, bytes)
}

/// The number of the volume that a directory lies on, as origin tells it of its own.
pub(crate) fn device(dir: &Path) -> io::Result<u64> {
    Ok(identity::id(&identity::open_to_look(dir)?)?.volume)
}

/// What tells a file from all others on its volume; a link's own.
pub(crate) fn file_id(path: &Path) -> io::Result<u128> {
    Ok(identity::id(&identity::open_to_look(path)?)?.number)
}

/// Of what is neither file nor directory nor link in a copy under way: a reparse point of a kind
/// that is nobody's business here.
pub(crate) fn special(_kind: fs::FileType) -> Special {
    Special::Socket
}

/// What lies at a path; a link itself, not where it leads.
pub(crate) fn status_at(path: &Path) -> io::Result<Status> {
    status_of(&identity::open_to_look(path)?)
}

/// What an open file shows.
pub(crate) fn status_of(file: &File) -> io::Result<Status> {
    let data = file.metadata()?;
    Ok(Status {
        directory: data.is_dir(),
        size: data.len(),
        mode: mode(&data),
        links: identity::links(file)?,
        owner: None,
        mtime: Timestamp::from(data.modified().unwrap_or(SystemTime::UNIX_EPOCH)),
    })
}

/// The read-only attribute says the same of a file as the absence of write bits; of a directory it
/// says nothing.
fn mode(data: &Metadata) -> u16 {
    match (data.is_dir(), data.permissions().readonly()) {
        (true, _) => 0o777,
        (false, true) => 0o444,
        (false, false) => 0o666,
    }
}
