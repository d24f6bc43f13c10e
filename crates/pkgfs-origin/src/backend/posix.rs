//! A mounted file system: local, NFS, SMB, FUSE.
//!
//! Every call costs a round trip where the storage is remote, so each request makes
//! as few as it can. Files are opened without blocking, since a name may have become
//! a fifo.

mod copy;
mod directory;
mod status;

use std::{
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use pkgfs_manifest::{Attributes, FileState, Listing};
use rustix::{
    fs::{Mode, OFlags, fstat, lgetxattr, llistxattr, open, openat, stat},
    io::Errno,
};

use super::{Backend, Names, Observer, Operation, Xattrs};
use crate::{Failure, Fetched, LinkBounds, NameKind, Rest, Stat, reach::through};

/// Longest list of names, and longest value, that Linux gives (`XATTR_LIST_MAX`).
const LONGEST_XATTR: usize = 64 << 10;

/// A directory of which nothing is read.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A mounted file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Posix;

impl Backend for Posix {
    fn list(&self, dir: &Path, bounds: &LinkBounds, on: &dyn Observer) -> Result<Listing, Failure> {
        directory::list(dir, bounds, on)
    }

    fn names(&self, dir: &Path, on: &dyn Observer) -> Result<Names, Failure> {
        directory::names(dir, on)
    }

    fn stat(&self, path: &Path, on: &dyn Observer) -> Result<Stat, Failure> {
        on.count(Operation::Stat);
        let found = stat(path).map_err(Failure::at(path))?;
        Ok(Stat {
            kind: status::name_kind(&found),
            attributes: status::attributes(&found),
            device: found.st_dev,
        })
    }

    fn reach(&self, path: &Path, on: &dyn Observer) -> Result<Stat, Failure> {
        let failure = Failure::at(path);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        on.count(Operation::Stat);
        let look = || {
            let place = open(path, flags, Mode::empty())?;
            let found = fstat(&place)?;
            let (kind, own) = (status::name_kind(&found), status::attributes(&found));
            let is_dir = kind == NameKind::Directory;
            let attributes = if is_dir { reached(place.as_fd(), own, on)? } else { own };
            Ok(Stat { kind, attributes, device: found.st_dev })
        };
        look().map_err(failure)
    }

    fn read(
        &self,
        path: &Path,
        limit: u64,
        on: &dyn Observer,
    ) -> Result<(Vec<u8>, FileState), Failure> {
        copy::read(path, limit, on)
    }

    fn read_at(
        &self,
        path: &Path,
        expected: FileState,
        bytes: Range<u64>,
        on: &dyn Observer,
    ) -> Result<Vec<u8>, Failure> {
        copy::read_at(path, expected, bytes, on)
    }

    fn canonical(&self, path: &Path, on: &dyn Observer) -> Result<PathBuf, Failure> {
        resolve(path, on).map_err(Failure::at(path))
    }

    fn xattrs(&self, path: &Path, on: &dyn Observer) -> Result<Xattrs, Failure> {
        let mut names = vec![0; LONGEST_XATTR];
        on.count(Operation::Xattr);
        let length = match llistxattr(path, &mut names[..]) {
            Err(Errno::NOTSUP) => 0,
            length => length.map_err(Failure::at(path))?,
        };
        let mut value = vec![0; LONGEST_XATTR];
        let mut pairs = Vec::new();
        for name in names[..length].split(|byte| *byte == 0) {
            if !name.starts_with(b"user.") {
                continue;
            }
            on.count(Operation::Xattr);
            match lgetxattr(path, name, &mut value[..]) {
                Ok(length) => pairs.push((name.into(), value[..length].into())),
                // Removed meanwhile.
                Err(Errno::NODATA) => {}
                Err(errno) => return Err(Failure::at(path)(errno)),
            }
        }
        Ok(pairs)
    }

    fn fetch(
        &self,
        path: &Path,
        expected: FileState,
        into: BorrowedFd<'_>,
        rest: Rest,
        on: &dyn Observer,
    ) -> Result<Fetched, Failure> {
        copy::fetch(path, expected, into, rest, on)
    }
}

fn open_with(path: &Path, flags: OFlags, on: &dyn Observer) -> Result<OwnedFd, Failure> {
    on.count(Operation::Open);
    open(path, flags | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(Failure::at(path))
}

/// What lies in `place`, or is it, and has these attributes, as those find it who come through all
/// directories above. Links on the way to it do not matter, and no name is looked up.
fn reached(place: BorrowedFd<'_>, own: Attributes, on: &dyn Observer) -> Result<Attributes, Errno> {
    let mut known = fstat(place)?;
    let mut shown = own;
    let mut below = None::<OwnedFd>;
    loop {
        let from = below.as_ref().map_or(place, AsFd::as_fd);
        let above = openat(from, c"..", PLACE, Mode::empty())?;
        on.count(Operation::Stat);
        let found = fstat(&above)?;
        if (found.st_dev, found.st_ino) == (known.st_dev, known.st_ino) {
            return Ok(shown);
        }
        shown = through(&status::attributes(&found), shown);
        (known, below) = (found, Some(above));
    }
}

/// The path with every link in it resolved.
fn resolve(path: &Path, on: &dyn Observer) -> Result<PathBuf, Errno> {
    on.count(Operation::Resolve);
    std::fs::canonicalize(path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}
