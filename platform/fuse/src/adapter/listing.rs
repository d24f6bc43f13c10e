//! Directory entries, with and without attributes.
//!
//! The kernel opens no directory here, it asks for names from some offset on: 1 and 2 follow `.` and
//! `..`, then one a place of the view's listing. What was listed last is kept a while, so that who
//! goes on somewhere in it finds each name where it was.

use std::{
    ffi::OsStr,
    num::NonZeroUsize,
    os::unix::ffi::OsStrExt,
    sync::Arc,
    time::{Duration, Instant},
};

use fuser::{FileType, Generation, INodeNo, ReplyDirectory, ReplyDirectoryPlus};
use lru::LruCache;
use parking_lot::Mutex;
use pkgfs_view::{Caller, DirectoryEntry, Found, Keep, Listed, Lookup, Place, View, ViewError};

use crate::shape::{attributes, file_type, ino, node, ttl};

/// Entries before the first name.
const DOTS: [&str; 2] = [".", ".."];

/// Shown for an entry whose number only a look-up tells.
const NOT_TOLD: INodeNo = INodeNo(u64::MAX >> 1);

/// Directories whose listings are kept.
const MOST: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// What was listed last, by directory.
pub(crate) struct Listings(Mutex<LruCache<u64, Kept>>);

struct Kept {
    listed: Listed,
    /// When the kernel asked last.
    asked: Instant,
}

impl Default for Listings {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Listings {
    /// A directory, for who reads it from this offset on: at the begin as it is now.
    pub(super) async fn at(
        &self,
        view: &Arc<View>,
        directory: INodeNo,
        offset: u64,
    ) -> Result<Listed, ViewError> {
        let former = self.0.lock().get_mut(&directory.0).map(|kept| {
            kept.asked = Instant::now();
            kept.listed.clone()
        });
        if let (Some(former), 1..) = (&former, offset) {
            return Ok(former.clone());
        }
        let listed = view.list_directory(node(directory), former.as_ref()).await?;
        let kept = Kept { listed: listed.clone(), asked: Instant::now() };
        self.0.lock().put(directory.0, kept);
        Ok(listed)
    }

    /// Whether the kernel may not have taken in yet what it was told of a directory last.
    pub(crate) fn asked_within(&self, directory: INodeNo, time: Duration) -> bool {
        self.0.lock().peek(&directory.0).is_some_and(|kept| kept.asked.elapsed() < time)
    }
}

/// Answers `readdir`.
pub(super) fn names(listed: &Listed, directory: INodeNo, offset: u64, mut reply: ReplyDirectory) {
    for place in offset.. {
        let full = match DOTS.get(place as usize) {
            Some(dots) => reply.add(directory, place + 1, FileType::Directory, dots),
            None => match listed.place(place as usize - DOTS.len()) {
                Place::Entry(DirectoryEntry { name, kind, node }, _) => {
                    let number = node.map_or(NOT_TOLD, ino);
                    reply.add(number, place + 1, file_type(kind), OsStr::from_bytes(&name))
                }
                Place::Gone => false,
                Place::End => break,
            },
        };
        if full {
            break;
        }
    }
    reply.ok();
}

/// Answers `readdirplus`.
pub(super) async fn entries(
    view: Arc<View>,
    listed: &Listed,
    directory: INodeNo,
    offset: u64,
    caller: Caller,
    mut reply: ReplyDirectoryPlus,
) {
    let own = match view.attributes(node(directory)).await {
        Ok(own) => own,
        Err(error) => return reply.error(crate::errno::errno(&error)),
    };
    let mut add = |place: u64, name: &[u8], found: &Found| {
        let shown = attributes(&found.attributes);
        // One time serves for the name and its attributes: the shorter.
        let keep = if found.name == Keep::Lasting { found.values } else { Keep::Never };
        let name = OsStr::from_bytes(name);
        reply.add(shown.ino, place + 1, name, &ttl(keep), &shown, Generation(0))
    };
    for place in offset.. {
        if let Some(dots) = DOTS.get(place as usize) {
            if add(place, dots.as_bytes(), &own) {
                break;
            }
            continue;
        }
        let (entry, found) = match listed.place(place as usize - DOTS.len()) {
            Place::Entry(entry, found) => (entry, found),
            Place::Gone => continue,
            Place::End => break,
        };
        let found = match (found, entry.node) {
            (Some(found), _) => Some(found),
            (None, Some(node)) => view.attributes(node).await.ok(),
            (None, None) => match view.lookup(node(directory), &entry.name, caller).await {
                Ok(Lookup::Found(found)) => Some(found),
                Ok(Lookup::Absent(_)) | Err(_) => None,
            },
        };
        // Gone since the directory was listed.
        let Some(found) = found else { continue };
        if add(place, &entry.name, &found) {
            // The kernel never hears of it, so it will not forget it either.
            if entry.node.is_none() {
                view.forget(found.attributes.node, 1);
            }
            break;
        }
    }
    reply.ok();
}
