//! Handles for a kernel that opens nothing.
//!
//! In a stateless mount requests name an inode and no handle. Each inode that is read or written has
//! a handle of the view here, opened at the first such request; those of payloads are closed when
//! others were used since, or room is made in the store, all when the kernel forgets the inode.

use std::{collections::HashMap, num::NonZeroUsize};

use lru::LruCache;
use parking_lot::Mutex;
use pkgfs_view::HandleId;

/// Handles of payloads kept: each may hold a file of the store open.
const MOST_PAYLOADS: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// An inode, and whether it is to be written.
type Use = (u64, bool);

pub(crate) struct Implicit {
    payloads: Mutex<LruCache<u64, HandleId>>,
    others: Mutex<HashMap<Use, HandleId>>,
}

impl Default for Implicit {
    fn default() -> Self {
        Self { payloads: Mutex::new(LruCache::new(MOST_PAYLOADS)), others: Mutex::default() }
    }
}

impl Implicit {
    /// The handle of a payload's file.
    pub(crate) fn payload(&self, ino: u64) -> Option<HandleId> {
        self.payloads.lock().get(&ino).copied()
    }

    /// All handles of payloads, which are to be closed.
    pub(crate) fn let_go_of_payloads(&self) -> Vec<HandleId> {
        let kept = std::mem::replace(&mut *self.payloads.lock(), LruCache::new(MOST_PAYLOADS));
        kept.into_iter().map(|(_, handle)| handle).collect()
    }

    /// The handle of another file.
    pub(crate) fn other(&self, ino: u64, write: bool) -> Option<HandleId> {
        self.others.lock().get(&(ino, write)).copied()
    }

    /// Keeps the handle of a payload's file, and gives back those that are to be closed for it.
    pub(crate) fn keep_payload(&self, ino: u64, handle: HandleId) -> Option<HandleId> {
        let mut payloads = self.payloads.lock();
        match payloads.push(ino, handle) {
            Some((_, former)) if former != handle => Some(former),
            _ => None,
        }
    }

    /// Keeps the handle of another file, and gives back the one it replaces.
    pub(crate) fn keep_other(&self, ino: u64, write: bool, handle: HandleId) -> Option<HandleId> {
        self.others.lock().insert((ino, write), handle)
    }

    /// A handle was closed after all: until the first open has been refused, the kernel does tell.
    pub(crate) fn closed(&self, ino: u64, handle: HandleId) {
        self.others.lock().retain(|one, kept| one.0 != ino || *kept != handle);
    }

    /// The kernel has forgotten the inode: these are to be closed.
    pub(crate) fn forget(&self, ino: u64) -> Vec<HandleId> {
        let payload = self.payloads.lock().pop(&ino);
        let mut others = self.others.lock();
        let uses = [(ino, false), (ino, true)];
        payload.into_iter().chain(uses.iter().filter_map(|one| others.remove(one))).collect()
    }
}
