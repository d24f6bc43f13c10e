//! What is known of files that were opened lately: which blob each has, and the blob, open.
//!
//! Programs open the same files over and over; finding out which blob a file has and opening that
//! takes longer than all else that an open does. What a file's bytes are never changes under its
//! key, so a kept blob cannot be the wrong one. It does keep its space on the disk: whoever removes
//! blobs lets go of them here, too, and what was found before that is not kept after it.

use std::{collections::HashSet, fs::File, num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use parking_lot::Mutex;
use pkgfs_manifest::BlobDigest;
use pkgfs_store::FileKey;

use crate::sync::atomic::{AtomicU64, Ordering};

/// Blobs kept open.
const MOST_OPEN: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");
/// Files whose blob is kept in mind.
const MOST_KNOWN: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

pub(crate) struct OpenBlobs {
    open: Mutex<LruCache<FileKey, Arc<File>>>,
    digests: Mutex<LruCache<FileKey, BlobDigest>>,
    /// How often blobs went. Changes with `digests` locked.
    removals: AtomicU64,
}

/// What the store says from here on may be kept, unless blobs go meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Since(u64);

impl Default for OpenBlobs {
    fn default() -> Self {
        Self {
            open: Mutex::new(LruCache::new(MOST_OPEN)),
            digests: Mutex::new(LruCache::new(MOST_KNOWN)),
            removals: AtomicU64::new(0),
        }
    }
}

impl OpenBlobs {
    pub(crate) fn digest_of(&self, file: FileKey) -> Option<BlobDigest> {
        self.digests.lock().get(&file).copied()
    }

    pub(crate) fn of(&self, file: FileKey) -> Option<Arc<File>> {
        self.open.lock().get(&file).cloned()
    }

    /// To be asked for before the store is asked what is to be kept.
    pub(crate) fn since(&self) -> Since {
        Since(self.removals.load(Ordering::Relaxed))
    }

    pub(crate) fn keep(
        &self,
        file: FileKey,
        digest: BlobDigest,
        blob: &Arc<File>,
        Since(removals): Since,
    ) {
        let mut digests = self.digests.lock();
        if self.removals.load(Ordering::Relaxed) != removals {
            return;
        }
        digests.put(file, digest);
        let former = self.open.lock().push(file, Arc::clone(blob));
        drop(digests);
        // Closed outside the locks.
        drop(former);
    }

    /// The blob of this file is gone.
    pub(crate) fn forget(&self, file: FileKey) {
        self.digests.lock().pop(&file);
        let _former = self.open.lock().pop(&file);
    }

    /// These blobs are gone.
    pub(crate) fn forget_blobs(&self, blobs: &HashSet<BlobDigest>) {
        let files: Vec<_> = {
            let digests = self.digests.lock();
            self.removals.fetch_add(1, Ordering::Relaxed);
            let gone = digests.iter().filter(|(_, digest)| blobs.contains(*digest));
            gone.map(|(file, _)| *file).collect()
        };
        files.into_iter().for_each(|file| self.forget(file));
    }

    /// Lets go of all.
    pub(crate) fn close(&self) {
        let mut digests = self.digests.lock();
        self.removals.fetch_add(1, Ordering::Relaxed);
        *digests = LruCache::new(MOST_KNOWN);
        let _former = std::mem::replace(&mut *self.open.lock(), LruCache::new(MOST_OPEN));
    }
}
