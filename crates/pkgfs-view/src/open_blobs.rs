//! Blobs that were opened lately, and are kept open for whoever opens their files again.
//!
//! Programs open the same files over and over; finding out which blob a file has and opening that
//! takes longer than all else that an open does. What a file's bytes are never changes under its
//! key, so a kept blob cannot be the wrong one. It does keep its space on the disk: whoever removes
//! blobs lets go of them here first.

use std::{fs::File, num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use parking_lot::Mutex;
use pkgfs_manifest::BlobDigest;
use pkgfs_store::FileKey;

/// Blobs kept open.
const MOST: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

pub(crate) struct OpenBlobs(Mutex<LruCache<FileKey, (BlobDigest, Arc<File>)>>);

impl Default for OpenBlobs {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl OpenBlobs {
    pub(crate) fn of(&self, file: FileKey) -> Option<(BlobDigest, Arc<File>)> {
        self.0.lock().get(&file).cloned()
    }

    pub(crate) fn keep(&self, file: FileKey, digest: BlobDigest, blob: &Arc<File>) {
        // Closed outside the lock.
        let _former = self.0.lock().push(file, (digest, Arc::clone(blob)));
    }

    /// Lets go of all.
    pub(crate) fn close(&self) {
        let _former = std::mem::replace(&mut *self.0.lock(), LruCache::new(MOST));
    }
}
