//! The system calls: listing a directory, and looking at a name in one.
//!
//! A look answers `None` for what is not there, as `os.path.isdir` and `os.path.isfile` answer False;
//! any other failure is told, since "did not answer" is not "does not exist".

use std::{
    ffi::{CStr, CString, OsStr},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use pkgfs_rez::repository::Kind;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, openat, statat},
    io::Errno,
};

/// Bytes of entries asked for at a time: each time is a round trip to storage.
const AT_ONCE: usize = 256 << 10;

/// Room for listings, one for each thread.
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(AT_ONCE))
    }
}

/// A name in a directory and what the listing says of it.
pub(crate) struct Entry {
    pub(crate) name: CString,
    pub(crate) listed: FileType,
}

/// A name as the system's own string.
pub(crate) fn os_str(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

/// Opens a directory for listing and for looking at names in it; links are followed.
pub(crate) fn open(at: BorrowedFd<'_>, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens a directory by its path.
pub(crate) fn open_path(path: &Path) -> Result<OwnedFd, Errno> {
    open(rustix::fs::CWD, path)
}

/// The entries of a directory, in its order, without `.` and `..`.
pub(crate) fn list(fd: &OwnedFd, buffer: &mut Buffer) -> Result<Vec<Entry>, Errno> {
    let mut entries = Vec::new();
    let mut directory = RawDir::new(fd.as_fd(), buffer.0.spare_capacity_mut());
    while let Some(entry) = directory.next() {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            entries.push(Entry { name: name.to_owned(), listed: entry.file_type() });
        }
    }
    Ok(entries)
}

/// Finds out what an entry is, links not followed, where the listing does not say.
pub(crate) fn resolve(at: BorrowedFd<'_>, entry: &mut Entry) -> Result<(), Errno> {
    if entry.listed == FileType::Unknown {
        match statat(at, &*entry.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => entry.listed = FileType::from_raw_mode(stat.st_mode),
            // It is gone: a look will say so again.
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// What a name leads to; `None` if to nothing.
pub(crate) fn look(at: BorrowedFd<'_>, name: &CStr) -> Result<Option<Stat>, Errno> {
    match statat(at, name, AtFlags::empty()) {
        Ok(stat) => Ok(Some(stat)),
        // A loop of links leads nowhere, and a name that is too long is nobody's.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What an entry is, links followed; a look is taken only where the listing does not say.
pub(crate) fn kind(at: BorrowedFd<'_>, entry: &Entry) -> Result<Kind, Errno> {
    Ok(match entry.listed {
        FileType::Symlink | FileType::Unknown => match look(at, &entry.name)? {
            Some(stat) => kind_of(FileType::from_raw_mode(stat.st_mode)),
            None => Kind::Other,
        },
        listed => kind_of(listed),
    })
}

/// Whether what an entry is may change without a change of its directory.
pub(crate) fn is_settled(entry: &Entry) -> bool {
    !matches!(entry.listed, FileType::Symlink | FileType::Unknown)
}

/// What a mode is to rez.
pub(crate) fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::Directory => Kind::Directory,
        FileType::RegularFile => Kind::File,
        _ => Kind::Other,
    }
}
