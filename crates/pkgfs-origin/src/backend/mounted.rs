//! A mounted file system: local, NFS, SMB, FUSE; a drive or a share on Windows.
//!
//! Every call costs a round trip where the storage is remote, so each request makes
//! as few as it can.

mod copy;
mod directory;

use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
};

use pkgfs_manifest::{FileState, Listing};

use super::{Backend, Names, Observer, Operation, Xattrs};
use crate::{Failure, Fetched, LinkBounds, Rest, Stat, sys::storage};

/// A mounted file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mounted;

impl Backend for Mounted {
    fn list(&self, dir: &Path, bounds: &LinkBounds, on: &dyn Observer) -> Result<Listing, Failure> {
        directory::list(dir, bounds, on)
    }

    fn names(&self, dir: &Path, on: &dyn Observer) -> Result<Names, Failure> {
        directory::names(dir, on)
    }

    fn stat(&self, path: &Path, on: &dyn Observer) -> Result<Stat, Failure> {
        on.count(Operation::Stat);
        Ok(storage::find(path).map_err(Failure::at(path))?.stat())
    }

    fn reach(&self, path: &Path, on: &dyn Observer) -> Result<Stat, Failure> {
        Ok(storage::reach(path, on).map_err(Failure::at(path))?.stat())
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
        on.count(Operation::Resolve);
        storage::canonical(path).map_err(Failure::at(path))
    }

    fn xattrs(&self, path: &Path, acls: bool, on: &dyn Observer) -> Result<Xattrs, Failure> {
        storage::xattrs(path, acls, on).map_err(Failure::at(path))
    }

    fn fetch(
        &self,
        path: &Path,
        expected: FileState,
        into: &File,
        rest: Rest,
        on: &dyn Observer,
    ) -> Result<Fetched, Failure> {
        copy::fetch(path, expected, into, rest, on)
    }
}
