//! Files whose bytes the store has.

use std::{fs::File, ops::Range, sync::Arc};

use pkgfs_manifest::BlobDigest;
use pkgfs_store::FileKey;

use crate::{
    HandleId, View, ViewError,
    handles::{Handle, OpenPayload},
    hydration::{Local, Wanted},
    sync::atomic::Ordering,
};

impl View {
    pub(crate) fn digest_of(&self, key: FileKey) -> Result<Option<BlobDigest>, ViewError> {
        if let Some(digest) = self.open_blobs.digest_of(key) {
            return Ok(Some(digest));
        }
        match self.store.content(key) {
            // Origin has the bytes, too.
            Err(error) if error.is_of_the_disk() => {
                self.room.refused(&error);
                Ok(None)
            }
            known => Ok(known?),
        }
    }

    /// The bytes of a payload file of this size if they are in the store.
    pub(crate) fn local_file(
        self: &Arc<Self>,
        key: FileKey,
        size: u64,
    ) -> Result<Option<Arc<File>>, ViewError> {
        let since = self.open_blobs.since();
        let Some(digest) = self.digest_of(key)? else { return Ok(None) };
        let has_all = |file: &Arc<File>| file.metadata().is_ok_and(|data| data.len() == size);
        if let Some(file) = self.open_blobs.of(key).filter(has_all) {
            self.recency.blob_used(digest);
            return Ok(Some(file));
        }
        let opened = self.store.open_blob(&digest).and_then(|file| {
            let found = file.as_ref().map(File::metadata).transpose();
            let found = found.map_err(|source| self.store.unreadable(&digest, source))?;
            Ok(file.zip(found.map(|data| data.len())))
        });
        let reason = match opened {
            Ok(Some((file, found))) if found == size => {
                self.recency.blob_used(digest);
                let file = Arc::new(file);
                self.open_blobs.keep(key, digest, &file, since);
                return Ok(Some(file));
            }
            Ok(Some((_, found))) => format!("it has {found} bytes and should have {size}"),
            Ok(None) => "its file is gone".to_owned(),
            // It may pass; the check of blobs finds what does not.
            Err(error) => {
                self.problems.tell(error.to_string());
                return Ok(None);
            }
        };
        self.open_blobs.forget(key);
        // Room was made meanwhile, or its file was listed anew.
        if self.digest_of(key)? == Some(digest) {
            self.give_up(digest, reason);
        }
        Ok(None)
    }

    /// Bytes that are local; from origin where the disk does not give all of them.
    pub(super) async fn read_local(
        self: &Arc<Self>,
        local: &Local,
        wanted: &Wanted,
        bytes: Range<u64>,
    ) -> Result<Vec<u8>, ViewError> {
        let size = usize::try_from(bytes.end - bytes.start).map_err(|_| ViewError::Invalid)?;
        match local.read(bytes.start, size) {
            Ok(read) if read.len() == size => return Ok(read),
            Ok(_) => {
                if let Some(digest) = self.digest_of(wanted.key)? {
                    self.give_up(digest, "it is shorter than it should be".to_owned());
                }
            }
            // It may pass; the check of blobs finds what does not.
            Err(error) => {
                let file = wanted.source.display();
                self.problems.tell(format!("the store's bytes of {file} cannot be read: {error}"));
            }
        }
        self.read_through(wanted, bytes).await
    }

    /// A blob turned out to be bad while somebody wanted to read it, who is served from origin.
    fn give_up(self: &Arc<Self>, digest: BlobDigest, reason: String) {
        let suspect = self.store.suspect(&digest, reason);
        match self.store.condemn(&suspect) {
            Ok(Some(files)) => {
                self.forget_bad(suspect, files);
                let view = Arc::clone(self);
                tokio::spawn(async move { view.notices.let_go_of_blobs().await });
            }
            Ok(None) => {}
            // What cannot be taken out of use is not used all the same.
            Err(error) => self.room.refused(&error),
        }
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
