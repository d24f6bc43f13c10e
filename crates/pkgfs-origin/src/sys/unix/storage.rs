//! A mounted file system: local, NFS, SMB, FUSE.
//!
//! Files are opened without blocking, since a name may have become a fifo.

mod directory;
mod meaning;
mod reach;
pub(super) mod status;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, lgetxattr, llistxattr, lstat, open},
    io::{Errno, pread, pwrite, retry_on_intr},
};

use super::system::NO_XATTR;
use crate::{
    ACL_XATTR,
    backend::{Found, Observer, Operation, Xattrs},
};
pub(crate) use directory::{Directory, Name, name_bytes, reach, reach_in_place};
pub(crate) use meaning::{
    FAILED, NO_FILE, NONSENSE, cause, is_gone, is_no_link, leads_nowhere, refuses_direct,
};

pub(crate) use super::system::{read_past_the_cache, read_through_the_cache, state};

/// Longest list of names, and longest value, that Linux gives (`XATTR_LIST_MAX`).
const LONGEST_XATTR: usize = 64 << 10;

/// What the path leads to.
pub(crate) fn find(path: &Path) -> io::Result<Found> {
    Ok(status::found(&rustix::fs::stat(path)?))
}

/// What the path itself is.
pub(crate) fn find_itself(path: &Path) -> io::Result<Found> {
    Ok(status::found(&lstat(path)?))
}

/// The path with every link in it resolved.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

/// The same as rez spells it.
pub(crate) fn canonical(path: &Path) -> io::Result<PathBuf> {
    resolve(path)
}

/// The `user.*` extended attributes of the path itself, and the access list that a driver of NTFS
/// tells.
pub(crate) fn xattrs(path: &Path, acls: bool, on: &dyn Observer) -> io::Result<Xattrs> {
    let mut names = vec![0; LONGEST_XATTR];
    on.count(Operation::Xattr);
    let length = match llistxattr(path, &mut names[..]) {
        Err(Errno::NOTSUP) => 0,
        length => length?,
    };
    let mut value = vec![0; LONGEST_XATTR];
    let mut pairs = Vec::new();
    let listed = names[..length].split(|byte| *byte == 0);
    let listed = listed.filter(|name| name.starts_with(b"user."));
    // Drivers do not list it.
    for name in listed.chain(acls.then_some(ACL_XATTR.as_bytes())) {
        on.count(Operation::Xattr);
        match lgetxattr(path, name, &mut value[..]) {
            Ok(length) => pairs.push((name.into(), value[..length].into())),
            // Removed meanwhile, or never there.
            Err(NO_XATTR) => {}
            Err(Errno::NOTSUP) if name == ACL_XATTR.as_bytes() => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(pairs)
}

pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?.into())
}

pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(retry_on_intr(|| pread(file, &mut *bytes, offset))?)
}

pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    Ok(retry_on_intr(|| pwrite(file, bytes, offset))?)
}
