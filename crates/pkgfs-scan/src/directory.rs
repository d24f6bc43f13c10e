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
    fs::{
        AtFlags, FileType, Mode, OFlags, RawDir, Stat, StatxFlags, fstatfs, openat, statat, statx,
    },
    io::Errno,
};

use crate::observation::Identity;

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

/// What a directory is, as far as the system knows without asking storage.
pub(crate) fn at_hand(at: BorrowedFd<'_>, name: &CStr) -> Option<Identity> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_DONT_SYNC;
    let stat = statx(at, name, flags, StatxFlags::BASIC_STATS).ok()?;
    Some(Identity::at_hand(&stat))
}

/// Whether a directory lies on a file system of this machine, where a look costs next to nothing. One
/// that is not known here counts as remote.
pub(crate) fn is_local(fd: &OwnedFd) -> bool {
    // From statfs(2): ext4, XFS, Btrfs, tmpfs, OverlayFS, ZFS, F2FS, SquashFS, EROFS, bcachefs.
    const LOCAL: [i64; 10] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0x0102_1994,
        0x794c_7630,
        0x2fc1_2fc1,
        0xf2f5_2010,
        0x7371_7368,
        0xe0f5_e1e2,
        0xca45_1a4e,
    ];
    // Its type differs between architectures.
    #[allow(clippy::unnecessary_cast)]
    fstatfs(fd).is_ok_and(|space| LOCAL.contains(&(space.f_type as i64)))
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
