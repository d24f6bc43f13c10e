//! Files whose bytes the store has.

use std::{
    fs::File,
    sync::{Arc, atomic::Ordering},
};

use pkgfs_manifest::BlobDigest;
use pkgfs_store::FileKey;

use crate::{
    HandleId, View, ViewError,
    handles::{Handle, OpenPayload},
    hydration::Local,
};

impl View {
    pub(crate) fn digest_of(&self, key: FileKey) -> Result<Option<BlobDigest>, ViewError> {
        match self.open_blobs.digest_of(key) {
            Some(digest) => Ok(Some(digest)),
            None => Ok(self.store.content(key)?),
        }
    }

    /// The bytes of a payload file if they are in the store.
    pub(super) fn local_file(&self, key: FileKey) -> Result<Option<Arc<File>>, ViewError> {
        let Some(digest) = self.digest_of(key)? else { return Ok(None) };
        if let Some(file) = self.open_blobs.of(key) {
            self.recency.blob_used(digest);
            return Ok(Some(file));
        }
        let Some(file) = self.store.open_blob(&digest)? else {
            self.open_blobs.forget(key);
            // Room was made meanwhile.
            if self.store.content(key)? != Some(digest) {
                return Ok(None);
            }
            self.problems.tell(format!("blob {digest} was lost from the store; fetched again"));
            self.store.forget_blob(&digest)?;
            return Ok(None);
        };
        self.recency.blob_used(digest);
        let file = Arc::new(file);
        self.open_blobs.keep(key, digest, &file);
        Ok(Some(file))
    }

    /// The store's own file of an open payload, if it is local and whole. A platform that reads it
    /// by itself must not write to it; it is counted as a hit.
    #[must_use]
    pub fn whole_file(self: &Arc<Self>, handle: HandleId) -> Option<Arc<File>> {
        let Ok(Handle::Payload(open)) = self.handles.get(handle) else { return None };
        let Some(Local::File(file)) = open.local.get() else { return None };
        self.read_elsewhere(&open);
        Some(Arc::clone(file))
    }

    /// The platform reads it by itself: a hit.
    pub(super) fn read_elsewhere(self: &Arc<Self>, open: &OpenPayload) {
        if !open.counted.swap(true, Ordering::Relaxed) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            self.first_read(open.registration, &open.wanted);
        }
    }
}
