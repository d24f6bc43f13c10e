//! The bytes themselves: files named by the digest of what they hold.
//!
//! A file below `blobs/` and the row that makes it visible come and go under the lock
//! `placing`. Coming: the file is durable at its place first, then the row is written.
//! Going: the removal of the row is durable first, then the file is unlinked, unless
//! there is a row again. A commit that finds its blob already there keeps the lock until
//! its own row refers to it, so a removal cannot come between.
//!
//! Invariant: while a file may be there without a content that refers to it, its digest
//! is in the table `unsettled`, and the next open settles it.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use pkgfs_manifest::{BlobDigest, Timestamp};
use rusqlite::{Connection, Transaction, params};

use crate::{Partial, RegistrationId, Store, StoreError, columns::Digest, database::lock, sys};

/// From so many directories on, the whole file system is synced.
const MANY_DIRECTORIES: usize = 8;
/// How many files are unlinked before others get their turn.
const UNLINKING: usize = 64;

/// How a file comes to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placing {
    /// It leaves where it was.
    Move,
    /// It keeps its former name, too.
    Link,
}

impl Store {
    /// Opens a blob for reading. Nothing if its file is not there: it was lost behind
    /// our back, and [`condemn`](Self::condemn) lets it be fetched anew.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn open_blob(&self, digest: &BlobDigest) -> Result<Option<File>, StoreError> {
        let path = self.layout.blob(digest);
        match sys::open_read_only(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("open", &path, error)),
        }
    }

    /// The error of who could not read a blob.
    #[must_use]
    pub fn unreadable(&self, digest: &BlobDigest, source: io::Error) -> StoreError {
        StoreError::io("read", &self.layout.blob(digest), source)
    }

    /// Makes a blob of a finished file of a staging tree: hashes it, syncs it and gives it its place,
    /// or keeps the equal blob that is there. Gives its digest and size. Nobody may have it open
    /// for writing. It keeps its name in the tree, so that a copy whose sealing was cut short is
    /// whole; until the tree is discarded, whoever lets it be changed must give it bytes of its own
    /// first. Its mode stays, too, until [`protect`](Self::protect). The blob stays until the store is next opened, and longer once a directory
    /// is recorded that carries it.
    ///
    /// # Errors
    /// When it is no regular file, or cannot be read, synced or linked.
    pub fn adopt(&self, path: &Path) -> Result<(BlobDigest, u64), StoreError> {
        let file = sys::open_read_only(path).map_err(|e| StoreError::io("open", path, e))?;
        let metadata = file.metadata().map_err(|e| StoreError::io("stat", path, e))?;
        if !metadata.is_file() {
            let reason = io::Error::other("it is no regular file");
            return Err(StoreError::io("adopt", path, reason));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&file).map_err(|e| StoreError::io("read", path, e))?;
        let digest = BlobDigest::from_bytes(hasher.finalize().into());
        let size = hasher.count();
        let is_alone =
            sys::is_alone(&file, &metadata).map_err(|e| StoreError::io("stat", path, e))?;
        if is_alone {
            sys::sync_file(&file, path).map_err(|e| StoreError::io("sync", path, e))?;
        }

        let _placing = lock(&self.placing);
        if self.is_known(&digest)? && self.is_placed(&digest)? {
            // Held for the directory to come, whatever is released until then.
            self.database.write(|transaction| hold(transaction, &digest))?;
            return Ok((digest, size));
        }
        if is_alone {
            self.place(&[(digest, path)], Placing::Link)?;
        } else {
            // Under another name it could still be written to.
            let copy = self.copied(path)?;
            self.place(&[(digest, copy.path())], Placing::Move)?;
        }
        self.database.write(|transaction| {
            insert(transaction, &digest, size, Timestamp::now())?;
            hold(transaction, &digest)
        })?;
        Ok((digest, size))
    }

    /// Takes the write bits from adopted blobs, once the modes of their tree are recorded.
    ///
    /// # Errors
    /// When a mode cannot be changed.
    pub fn protect(&self, adopted: &BTreeSet<BlobDigest>) -> Result<(), StoreError> {
        for digest in adopted {
            let path = self.layout.blob(digest);
            match sys::protect(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("chmod", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A private copy, synced.
    fn copied(&self, path: &Path) -> Result<Partial, StoreError> {
        let copy = self.partial()?;
        let from = sys::open_read_only(path).map_err(|e| StoreError::io("open", path, e))?;
        let copied = sys::copy(&from, copy.file()).and_then(|()| copy.file().sync_all());
        copied.map_err(|e| StoreError::io("copy", path, e))?;
        Ok(copy)
    }

    /// Sets when blobs were last read, where that is later than what is known. Not
    /// synced; those that are gone are passed over.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn touch_blobs(&self, used: &[(BlobDigest, Timestamp)]) -> Result<(), StoreError> {
        let sql = "UPDATE blobs SET used_secs = ?2, used_nanos = ?3
                   WHERE digest = ?1 AND (used_secs, used_nanos) < (?2, ?3)";
        self.database.write(|transaction| {
            let mut update = transaction.prepare_cached(sql)?;
            for (digest, at) in used {
                update.execute(params![Digest(*digest), at.secs, at.nanos])?;
            }
            Ok(())
        })
    }

    /// Whether the database names the blob. Under `placing` it stays so.
    pub(crate) fn is_known(&self, digest: &BlobDigest) -> Result<bool, StoreError> {
        self.database.read(|connection| {
            connection
                .prepare_cached("SELECT 1 FROM blobs WHERE digest = ?1")?
                .exists([Digest(*digest)])
        })
    }

    /// Whether the blob's file is there. Under `placing` it stays so.
    pub(crate) fn is_placed(&self, digest: &BlobDigest) -> Result<bool, StoreError> {
        let path = self.layout.blob(digest);
        path.try_exists().map_err(|e| StoreError::io("stat", &path, e))
    }

    /// Gives synced files their places, durably. Under `placing`.
    pub(crate) fn place(
        &self,
        files: &[(BlobDigest, &Path)],
        how: Placing,
    ) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        self.database
            .write(|transaction| mark(transaction, files.iter().map(|(digest, _)| digest)))?;
        let mut changed = BTreeSet::new();
        for (digest, from) in files {
            let dir = self.layout.blob_dir(digest);
            if changed.insert(dir.clone()) && self.make_fan(&dir)? {
                changed.insert(self.layout.blobs());
            }
            let place = self.layout.blob(digest);
            match how {
                Placing::Move => sys::replace(from, &place, || self.aside()),
                Placing::Link => match fs::hard_link(from, &place) {
                    // A file without a row is nobody's.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        sys::remove_blob(&place, || self.aside())
                            .and_then(|()| fs::hard_link(from, &place))
                    }
                    linked => linked,
                },
            }
            .map_err(|e| StoreError::io("move", from, e))?;
        }
        match changed.len() {
            MANY_DIRECTORIES.. if self.sync_file_system()? => Ok(()),
            _ => changed.iter().try_for_each(|dir| sync_dir(dir)),
        }
    }

    /// Where a blob may be moved that goes while somebody reads it.
    fn aside(&self) -> PathBuf {
        self.layout.going(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a directory for blobs; false if it was there.
    fn make_fan(&self, dir: &Path) -> Result<bool, StoreError> {
        match make_dir(dir) {
            // Somebody removed all there were.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                make_dir(&self.layout.blobs())?;
                sync_dir(self.dir())?;
                make_dir(dir)
            }
            other => other,
        }
    }

    /// Retires the directories of a registration and forgets its contents, with what
    /// `also` does in the same transaction; then, durably, removes blobs that nothing
    /// refers to any more.
    pub(crate) fn release(
        &self,
        registration: RegistrationId,
        also: impl Fn(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let placing = lock(&self.placing);
        let unreferenced = self.database.write(|transaction| {
            also(transaction)?;
            let forgotten = transaction
                .prepare_cached(
                    "DELETE FROM contents
                     WHERE directory IN (SELECT id FROM directories WHERE registration = ?1)
                     RETURNING digest",
                )?
                .query_map([registration], |row| row.get(0).map(|Digest(digest)| digest))?
                .collect::<rusqlite::Result<BTreeSet<_>>>()?;
            transaction
                .prepare_cached(
                    "UPDATE directories SET retired = 1 WHERE registration = ?1 AND retired = 0",
                )?
                .execute([registration])?;
            let held = "NOT EXISTS (SELECT 1 FROM unsettled WHERE digest = ?1 AND holds > 0)";
            forget_unreferenced(transaction, forgotten, held)
        })?;
        drop(placing);
        self.unlink(&unreferenced)
    }

    /// Removes the files of blobs whose rows are gone and whose digests are marked, some
    /// at a time, so that commits need not wait for all. One that was committed again in
    /// between stays.
    pub(crate) fn unlink(&self, digests: &[BlobDigest]) -> Result<(), StoreError> {
        self.database.sync()?;
        for some in digests.chunks(UNLINKING) {
            let _placing = lock(&self.placing);
            for digest in some {
                if self.is_known(digest)? {
                    continue;
                }
                let path = self.layout.blob(digest);
                match sys::remove_blob(&path, || self.aside()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(StoreError::io("remove", &path, error));
                    }
                    _ => {}
                }
            }
            self.database.write(|transaction| settle(transaction, some))?;
        }
        Ok(())
    }
}

/// Names a blob in the database.
pub(crate) fn insert(
    transaction: &Connection,
    digest: &BlobDigest,
    size: u64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO blobs VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
        .execute(params![Digest(*digest), size, now.secs, now.nanos])?;
    Ok(())
}

/// Marks that files may lie there which no content refers to.
pub(crate) fn mark<'a>(
    transaction: &Connection,
    digests: impl IntoIterator<Item = &'a BlobDigest>,
) -> rusqlite::Result<()> {
    let mut insert = transaction
        .prepare_cached("INSERT INTO unsettled (digest) VALUES (?1) ON CONFLICT DO NOTHING")?;
    digests.into_iter().try_for_each(|digest| insert.execute([Digest(*digest)]).map(|_| ()))
}

/// Marks that a blob is kept for a directory that is to be recorded.
fn hold(transaction: &Transaction<'_>, digest: &BlobDigest) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO unsettled VALUES (?1, 1) ON CONFLICT DO UPDATE SET holds = holds + 1",
        )?
        .execute([Digest(*digest)])?;
    Ok(())
}

/// Takes the marks back, but for those that are held.
pub(crate) fn settle<'a>(
    transaction: &Transaction<'_>,
    digests: impl IntoIterator<Item = &'a BlobDigest>,
) -> rusqlite::Result<()> {
    let mut delete =
        transaction.prepare_cached("DELETE FROM unsettled WHERE digest = ?1 AND holds = 0")?;
    digests.into_iter().try_for_each(|digest| delete.execute([Digest(*digest)]).map(|_| ()))
}

/// Of these blobs, takes those that no content refers to (and for which `also` holds)
/// out of the database, marks them, and names them.
pub(crate) fn forget_unreferenced(
    transaction: &Transaction<'_>,
    digests: impl IntoIterator<Item = BlobDigest>,
    also: &str,
) -> rusqlite::Result<Vec<BlobDigest>> {
    let mut delete = transaction.prepare_cached(&format!(
        "DELETE FROM blobs
         WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM contents WHERE digest = ?1) AND {also}"
    ))?;
    let mut forgotten = Vec::new();
    for digest in digests {
        if delete.execute([Digest(digest)])? == 1 {
            forgotten.push(digest);
        }
    }
    mark(transaction, &forgotten)?;
    Ok(forgotten)
}

/// Makes a directory; false if it was there.
fn make_dir(path: &Path) -> Result<bool, StoreError> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::io("create", path, error)),
    }
}

/// Makes durable which names a directory holds.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    sys::sync_dir(path).map_err(|e| StoreError::io("sync", path, e))
}
