//! Drives and shares.
//!
//! What is looked at or read is opened so that nobody else is kept from anything (all of
//! `FILE_SHARE_READ`, `WRITE` and `DELETE`), directories with `FILE_FLAG_BACKUP_SEMANTICS`
//! ("CreateFileW"). A directory tells the attributes of its entries with their names; what another
//! has just written to a file, it may tell late ("FindFirstFileW"): the state of an open file is
//! what counts.

mod directory;
mod meaning;
mod status;

use std::{
    fs::{File, OpenOptions},
    io,
    os::windows::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use pkgfs_win32::file_security;

use super::paths::{plain, verbatim};
use crate::{
    ACL_XATTR,
    backend::{Found, Observer, Operation, Xattrs},
};
pub(crate) use directory::{Directory, Name, name_bytes, reach, reach_in_place};
pub(crate) use meaning::{
    FAILED, NO_FILE, NONSENSE, cause, is_gone, is_no_link, leads_nowhere, refuses_direct,
};
pub(crate) use status::state;

/// `FILE_FLAG_BACKUP_SEMANTICS`: directories are opened, too.
const DIRECTORIES_TOO: u32 = 0x0200_0000;
/// `FILE_FLAG_OPEN_REPARSE_POINT`: links themselves are opened.
const LINKS_THEMSELVES: u32 = 0x0020_0000;
/// `FILE_READ_ATTRIBUTES`: nothing is read, so nobody who shares with none minds.
const ATTRIBUTES: u32 = 0x80;
/// `READ_CONTROL`: the access list may be read.
const ACCESS_LIST: u32 = 0x2_0000;

fn open_to_look(path: &Path, flags: u32) -> io::Result<File> {
    let flags = flags | DIRECTORIES_TOO;
    OpenOptions::new().access_mode(ATTRIBUTES).custom_flags(flags).open(verbatim(path))
}

/// What the path leads to.
pub(crate) fn find(path: &Path) -> io::Result<Found> {
    status::found(&open_to_look(path, 0)?, path)
}

/// What the path itself is.
pub(crate) fn find_itself(path: &Path) -> io::Result<Found> {
    status::found(&open_to_look(path, LINKS_THEMSELVES)?, path)
}

/// The path with every link in it resolved, and each name as it is spelled there.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    Ok(plain(&std::fs::canonicalize(verbatim(path))?))
}

/// The same as rez spells it: where file systems pay no heed to case it has locations in lower case
/// (`canonical_path` in `rez/utils/filesystem.py`).
pub(crate) fn canonical(path: &Path) -> io::Result<PathBuf> {
    let path = resolve(path)?;
    Ok(path.to_str().map(|text| text.to_lowercase().into()).unwrap_or(path))
}

/// There are none but the access list: what other systems keep in such attributes, Windows keeps in
/// alternate data streams, which are not looked at.
pub(crate) fn xattrs(path: &Path, acls: bool, on: &dyn Observer) -> io::Result<Xattrs> {
    if !acls {
        return open_to_look(path, LINKS_THEMSELVES).map(|_| Xattrs::new());
    }
    on.count(Operation::Xattr);
    let flags = LINKS_THEMSELVES | DIRECTORIES_TOO;
    let access = ATTRIBUTES | ACCESS_LIST;
    let file = OpenOptions::new().access_mode(access).custom_flags(flags).open(verbatim(path))?;
    let descriptor = file_security::descriptor(&file)?;
    Ok(vec![(ACL_XATTR.as_bytes().into(), descriptor.into())])
}

pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    // What has become a directory is opened too, and found to be none.
    OpenOptions::new().read(true).custom_flags(DIRECTORIES_TOO).open(verbatim(path))
}

pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(bytes, offset)
}

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}

/// A file that was opened to be read through the cache stays so.
pub(crate) fn read_past_the_cache(_: &File) -> bool {
    false
}

pub(crate) fn read_through_the_cache(_: &File) -> io::Result<()> {
    Ok(())
}
