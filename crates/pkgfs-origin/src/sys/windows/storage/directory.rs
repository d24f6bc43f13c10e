//! A directory, which tells what its entries are with their names.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use pkgfs_manifest::{Attributes, os_name};

use super::{
    super::paths::{plain, verbatim},
    find, find_itself, status,
};
use crate::backend::{Found, Named, Observer, Operation};

/// A name in a directory.
pub(crate) type Name = OsString;

/// The bytes of a name.
pub(crate) fn name_bytes(name: &Name) -> &[u8] {
    os_name::bytes_of(name)
}

/// A directory that is there.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    found: Found,
}

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let found = find(path)?;
        if !found.is_dir() {
            return Err(io::Error::from_raw_os_error(super::meaning::NO_DIRECTORY));
        }
        Ok(Self { path: verbatim(path), found })
    }

    /// Its own attributes, from before its names were read.
    pub(crate) fn attributes(&self) -> io::Result<Attributes> {
        Ok(self.found.attributes)
    }

    /// Names in it and what they are. `more` is told how many there are so far.
    pub(crate) fn names(&self, more: impl Fn(usize)) -> io::Result<Vec<Named<Name>>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            // Part of what the directory said: nobody is asked.
            let meta = entry.metadata()?;
            let name = entry.file_name();
            let found = status::found_in(&meta, Path::new(&name), self.found.device)?;
            names.push(Named { kind: Some(status::name_kind(&meta)), found: Some(found), name });
            more(names.len());
        }
        Ok(names)
    }

    /// What has this name.
    pub(crate) fn look_at(&self, name: &Name) -> io::Result<Found> {
        find_itself(&self.path.join(name))
    }

    /// The text of a link, without the `\??\` of the system's own names.
    pub(crate) fn link(&self, name: &Name) -> io::Result<OsString> {
        Ok(plain(&std::fs::read_link(self.path.join(name))?).into())
    }

    /// Its attributes, as those find it who come through all directories above: who gets through
    /// a directory of Windows does not depend on those above it ("bypass traverse checking").
    pub(crate) fn reached(&self, own: Attributes, _: &dyn Observer) -> io::Result<Attributes> {
        Ok(own)
    }
}

/// Attributes of what the path leads to.
pub(crate) fn reach(path: &Path, on: &dyn Observer) -> io::Result<Found> {
    on.count(Operation::Stat);
    find(path)
}

/// The attributes of what lies at a canonical path.
pub(crate) fn reach_in_place(_: &Path, found: &Found, _: &dyn Observer) -> io::Result<Attributes> {
    Ok(found.attributes)
}
