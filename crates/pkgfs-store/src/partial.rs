//! A file that is being filled, and is nobody's to read yet.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::Ordering},
};

use pkgfs_manifest::BlobDigest;

use crate::{FileKey, Finished, Store, StoreError, database::lock, sys};

/// The partial files that somebody has, from before each is made until it is gone.
pub(crate) type Live = Arc<Mutex<BTreeSet<PathBuf>>>;

/// A new file below `partial/`. Dropped before it was committed, it is deleted; those
/// who have a descriptor of it then write into a file that nobody will see.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    live: Live,
}

impl Partial {
    /// The file, open for reading and writing.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same file once more, to be filled by another thread or process. It must be done
    /// with it when the file is committed.
    ///
    /// # Errors
    /// When the process has no descriptors, or handles, left.
    pub fn try_clone(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Partial {
    /// Once placed among the blobs, the file has no such name any more.
    fn drop(&mut self) {
        match sys::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("cannot remove {}: {error}", self.path.display());
            }
            _ => {}
        }
        lock(&self.live).remove(&self.path);
    }
}

impl Store {
    /// Whether the disk takes anything: a file, and a change of the database, durably.
    ///
    /// # Errors
    /// Why it does not.
    pub fn probe(&self) -> Result<(), StoreError> {
        let partial = self.partial()?;
        sys::write_all_at(partial.file(), &[0], 0)
            .map_err(|error| StoreError::io("write", partial.path(), error))?;
        let as_it_is = "UPDATE scrub SET ended_secs = ended_secs";
        self.database.write(|transaction| transaction.execute(as_it_is, []))?;
        self.database.sync()
    }

    /// A small file that is at hand whole, ready to be committed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&self, file: FileKey, bytes: &[u8]) -> Result<Finished, StoreError> {
        let partial = self.partial()?;
        sys::write_all_at(partial.file(), bytes, 0)
            .map_err(|error| StoreError::io("write", partial.path(), error))?;
        let digest = BlobDigest::from_bytes(*blake3::hash(bytes).as_bytes());
        Ok(Finished { partial, digest, size: bytes.len() as u64, file })
    }

    /// A new empty file, for one file's bytes on their way from origin.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn partial(&self) -> Result<Partial, StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.layout.partial().join(number.to_string());
        lock(&self.live).insert(path.clone());
        // Read-only as a blob is, from the start; that does not bind this descriptor.
        let open = || sys::create_partial(&path);
        let opened = match open() {
            // Somebody removed the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(self.layout.partial()).and_then(|()| open())
            }
            other => other,
        };
        opened
            .inspect_err(|_| {
                lock(&self.live).remove(&path);
            })
            .map_err(|e| StoreError::io("create", &path, e))
            .map(|file| Partial { file, path, live: Arc::clone(&self.live) })
    }
}
