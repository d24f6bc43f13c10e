//! An open directory.

use std::{
    ffi::{CStr, OsString},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::Path,
};

use pkgfs_manifest::Attributes;
use rustix::fs::{AtFlags, Mode, OFlags, fstat, open, openat, readlinkat, statat};

use super::{
    super::system::{self, PLACE},
    reach::through,
    status,
};
use crate::backend::{Found, Named, Observer, Operation};

/// A name in a directory.
pub(crate) type Name = Box<CStr>;

/// The bytes of a name.
pub(crate) fn name_bytes(name: &Name) -> &[u8] {
    name.to_bytes()
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    /// Its own attributes.
    pub(crate) fn attributes(&self) -> io::Result<Attributes> {
        Ok(status::attributes(&fstat(&self.0)?))
    }

    /// Names in it and what it says they are. `more` is told how many there are so far.
    pub(crate) fn names(&self, more: impl Fn(usize)) -> io::Result<Vec<Named<Name>>> {
        let mut names = Vec::new();
        system::entries(&self.0, |name, kind| {
            if !matches!(name.to_bytes(), b"." | b"..") {
                let kind = status::name_kind(kind);
                names.push(Named { name: name.into(), kind, found: None });
                more(names.len());
            }
        })?;
        Ok(names)
    }

    /// What has this name.
    pub(crate) fn look_at(&self, name: &Name) -> io::Result<Found> {
        Ok(status::found(&statat(&self.0, &**name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// The text of a link.
    pub(crate) fn link(&self, name: &Name) -> io::Result<OsString> {
        Ok(OsString::from_vec(readlinkat(&self.0, &**name, Vec::new())?.into_bytes()))
    }

    /// Its attributes, as those find it who come through all directories above.
    pub(crate) fn reached(&self, own: Attributes, on: &dyn Observer) -> io::Result<Attributes> {
        reached(self.0.as_fd(), own, on)
    }
}

/// Attributes of what the path leads to; of a directory, as those find it who come through all
/// directories above.
pub(crate) fn reach(path: &Path, on: &dyn Observer) -> io::Result<Found> {
    on.count(Operation::Stat);
    let (stat, place) = system::look(path)?;
    let mut found = status::found(&stat);
    if let Some(place) = place.filter(|_| found.is_dir()) {
        found.attributes = reached(place.as_fd(), found.attributes, on)?;
    }
    Ok(found)
}

/// The attributes of what lies at a canonical path, for those who come through all that is above.
pub(crate) fn reach_in_place(
    target: &Path,
    found: &Found,
    on: &dyn Observer,
) -> io::Result<Attributes> {
    let own = found.attributes;
    if found.is_dir() {
        return reached(open(target, PLACE, Mode::empty())?.as_fd(), own, on);
    }
    let above = open(target.parent().unwrap_or(target), PLACE, Mode::empty())?;
    on.count(Operation::Stat);
    let own = through(&status::attributes(&fstat(&above)?), own);
    reached(above.as_fd(), own, on)
}

/// What lies in `place`, or is it, and has these attributes, as those find it who come through all
/// directories above. Links on the way to it do not matter, and no name is looked up.
fn reached(place: BorrowedFd<'_>, own: Attributes, on: &dyn Observer) -> io::Result<Attributes> {
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
