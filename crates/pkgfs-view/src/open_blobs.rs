//! What is known of files that were opened lately: which blob each has, and the blob, open.
//!
//! Programs open the same files over and over; finding out which blob a file has and opening that
//! takes longer than all else that an open does. What a file's bytes are never changes under its
//! key, so a kept blob cannot be the wrong one. It does keep its space on the disk: whoever removes
//! blobs lets go of them here first.

use std::{collections::HashSet, fs::File, num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use parking_lot::Mutex;
use pkgfs_manifest::BlobDigest;
use pkgfs_store::FileKey;

/// Blobs kept open.
const MOST_OPEN: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");
/// Files whose blob is kept in mind.
const MOST_KNOWN: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

pub(crate) struct OpenBlobs {
    open: Mutex<LruCache<FileKey, Arc<File>>>,
    digests: Mutex<LruCache<FileKey, BlobDigest>>,
}

impl Default for OpenBlobs {
    fn default() -> Self {
        Self {
            open: Mutex::new(LruCache::new(MOST_OPEN)),
            digests: Mutex::new(LruCache::new(MOST_KNOWN)),
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

    pub(crate) fn keep(&self, file: FileKey, digest: BlobDigest, blob: &Arc<File>) {
        self.digests.lock().put(file, digest);
        // Closed outside the lock.
        let _former = self.open.lock().push(file, Arc::clone(blob));
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
            let gone = digests.iter().filter(|(_, digest)| blobs.contains(*digest));
            gone.map(|(file, _)| *file).collect()
        };
        files.into_iter().for_each(|file| self.forget(file));
    }

    /// Lets go of all.
    pub(crate) fn close(&self) {
        *self.digests.lock() = LruCache::new(MOST_KNOWN);
        let _former = std::mem::replace(&mut *self.open.lock(), LruCache::new(MOST_OPEN));
    }
}
