//! Open directories: listed once, answered in parts.
//!
//! The names are taken at the first READDIR of a handle (and again after a rewind) and kept
//! with it, and each part looks up only the entries that fit in its answer: reading a directory
//! of any size stays linear.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuser::{Errno, Generation, INodeNo, ReplyDirectoryPlus};

use crate::source::{Found, Source};

/// The names of one open directory, once they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Listing(Mutex<Option<Arc<[OsString]>>>);

impl Listing {
    /// Whether nothing is left from `offset` on, as far as the names are known.
    pub(crate) fn ends_before(&self, offset: u64) -> bool {
        offset > 0 && self.lock().as_ref().is_some_and(|names| offset >= names.len() as u64)
    }

    /// Adds to `reply` the entries from `offset` on that fit. What vanished since the listing
    /// is left out.
    pub(crate) fn fill(
        &self,
        source: &Source,
        ino: INodeNo,
        path: &Path,
        offset: u64,
        ttl: Duration,
        reply: &mut ReplyDirectoryPlus,
    ) -> Result<(), Errno> {
        let names = self.names(source, ino, path, offset)?;
        for (name, next) in names.iter().zip(1u64..).skip(offset as usize) {
            let is_dot = name == "." || name == "..";
            let at = match name.to_str() {
                Some(".") => path.to_owned(),
                Some("..") => path.parent().unwrap_or(path).to_owned(),
                _ => path.join(name),
            };
            let Ok(Found { attr, identity }) = source.entry(&at) else {
                continue;
            };
            if reply.add(identity.ino, next, name, &ttl, &attr, Generation(identity.generation)) {
                break;
            }
            // The kernel takes no reference on `.` and `..`, so it never forgets them.
            if !is_dot {
                source.nodes.remember(identity, Arc::from(at));
            }
        }
        Ok(())
    }

    fn names(
        &self,
        source: &Source,
        ino: INodeNo,
        path: &Path,
        offset: u64,
    ) -> Result<Arc<[OsString]>, Errno> {
        let mut listing = self.lock();
        match &*listing {
            Some(names) if offset > 0 => Ok(Arc::clone(names)),
            _ => {
                let names: Arc<[OsString]> = source.list(ino, path)?.into();
                *listing = Some(Arc::clone(&names));
                Ok(names)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<[OsString]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
