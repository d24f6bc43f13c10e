//! Directory entries, with and without attributes.
//!
//! Offsets: 1 and 2 follow `.` and `..`, then one a name. A listing is what it was when
//! the directory was opened, so an offset always means the same name.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, sync::Arc};

use fuser::{FileType, Generation, INodeNo, ReplyDirectory, ReplyDirectoryPlus};
use pkgfs_view::{Caller, DirectoryEntry, Found, HandleId, Keep, Lookup, NodeId, View};

use crate::{
    errno::errno,
    shape::{attributes, file_type, ino, ttl},
};

/// Entries before the first name.
const DOTS: [&str; 2] = [".", ".."];

/// Shown for an entry whose number only a look-up tells.
const NOT_TOLD: INodeNo = INodeNo(u64::MAX >> 1);

/// Answers `readdir`.
pub(super) fn names(
    view: &View,
    directory: NodeId,
    handle: HandleId,
    offset: u64,
    mut reply: ReplyDirectory,
) {
    let listing = match view.directory_handle(handle) {
        Ok(listing) => listing,
        Err(error) => return reply.error(errno(&error)),
    };
    for place in offset.. {
        let full = match DOTS.get(place as usize) {
            Some(dots) => reply.add(ino(directory), place + 1, FileType::Directory, dots),
            None => match view.directory_entry(&listing, place as usize - DOTS.len()) {
                Some((DirectoryEntry { name, kind, node }, _)) => {
                    let number = node.map_or(NOT_TOLD, ino);
                    reply.add(number, place + 1, file_type(kind), OsStr::from_bytes(&name))
                }
                None => break,
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
    directory: NodeId,
    handle: HandleId,
    offset: u64,
    caller: Caller,
    mut reply: ReplyDirectoryPlus,
) {
    let (listing, own) = match (view.directory_handle(handle), view.attributes(directory).await) {
        (Ok(listing), Ok(own)) => (listing, own),
        (Err(error), _) | (_, Err(error)) => return reply.error(errno(&error)),
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
        let Some((entry, found)) = view.directory_entry(&listing, place as usize - DOTS.len())
        else {
            break;
        };
        let found = match (found, entry.node) {
            (Some(found), _) => Some(found),
            (None, Some(node)) => view.attributes(node).await.ok(),
            (None, None) => match view.lookup(directory, &entry.name, caller).await {
                Ok(Lookup::Found(found)) => Some(found),
                Ok(Lookup::Absent(_)) | Err(_) => None,
            },
        };
        // Gone since the directory was opened.
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
