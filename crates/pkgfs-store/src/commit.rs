//! Making finished files visible, many at a time.
//!
//! All data is synced first, several files at once so that the file system can write
//! them in one go; then the files are moved into place and the directories synced;
//! then one transaction names the blobs and the contents. Syncing the data, which
//! takes long, happens under no lock.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use pkgfs_manifest::{BlobDigest, Timestamp};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{
    FileKey, Partial, Store, StoreError,
    blobs::{self, Placing},
    columns::Digest,
    database::lock,
    sys,
};

/// How many files are synced at once.
const SYNCING: usize = 8;
/// From so many short files on, the whole file system is synced: one commit of its journal, and not
/// one for every few files.
const MANY: usize = 32;
/// A longer file is synced by itself however many there are. It may have been filled over many
/// commits, and that a write of it failed may have been told to one of those.
const SHORT: u64 = 256 << 10;

/// A filled file with the digest of its bytes, as computed by whoever filled it.
#[derive(Debug)]
pub struct Finished {
    /// The file. Nobody writes into it any more.
    pub partial: Partial,
    /// The digest of its bytes.
    pub digest: BlobDigest,
    /// Its size in bytes, checked here.
    pub size: u64,
    /// Whose bytes these are.
    pub file: FileKey,
}

/// What [`Store::commit`] made of one finished file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Whose bytes these are.
    pub file: FileKey,
    /// The blob that holds them: the one given, or the one that the file had already,
    /// which stays.
    pub digest: BlobDigest,
}

impl Store {
    /// Makes finished files visible and durable; what they hold is local when this
    /// returns. Of equal files one is kept. Takes as long as the disk takes to sync,
    /// so it is for a thread that may wait. All or nothing, but for files of directories that
    /// are not known any more, which are passed over.
    ///
    /// # Errors
    /// [`Incomplete`](StoreError::Incomplete) if a file has another size than told;
    /// otherwise when the disk or the database refuses. The files are dropped.
    pub fn commit(&self, finished: Vec<Finished>) -> Result<Vec<Committed>, StoreError> {
        if finished.is_empty() {
            return Ok(Vec::new());
        }
        finished.iter().try_for_each(check_size)?;
        self.sync_all(&finished)?;

        let placing = lock(&self.placing);
        let mut absent = BTreeMap::new();
        for one in &finished {
            if !self.is_known(&one.digest)? || !self.is_placed(&one.digest)? {
                absent.insert(one.digest, one.partial.path());
            }
        }
        self.place(&absent.into_iter().collect::<Vec<_>>(), Placing::Move)?;
        let committed = self.database.write(|transaction| {
            let now = Timestamp::now();
            finished.iter().filter_map(|one| record(transaction, one, now).transpose()).collect()
        })?;
        drop(placing);
        self.database.sync()?;
        Ok(committed)
    }

    fn sync_all(&self, finished: &[Finished]) -> Result<(), StoreError> {
        let (short, long): (Vec<_>, Vec<_>) = finished.iter().partition(|one| one.size <= SHORT);
        sync_each(&long)?;
        match short.len() {
            MANY.. if self.sync_file_system()? => Ok(()),
            _ => sync_each(&short),
        }
    }

    /// Makes durable all that was written to the store's file system, names included, if the system
    /// can do that. Always through the same file, of which it knows what was told of failures.
    pub(crate) fn sync_file_system(&self) -> Result<bool, StoreError> {
        sys::sync_file_system(&self.lock).map_err(|e| StoreError::io("sync", self.dir(), e))
    }
}

fn check_size(finished: &Finished) -> Result<(), StoreError> {
    let path = finished.partial.path();
    let metadata = finished.partial.file().metadata();
    let found = metadata.map_err(|e| StoreError::io("stat", path, e))?.len();
    if found == finished.size {
        return Ok(());
    }
    Err(StoreError::Incomplete { path: path.to_owned(), expected: finished.size, found })
}

/// Syncs files, some at a time: a file system writes what several wait for in one
/// go, which one after the other it would not.
fn sync_each(finished: &[&Finished]) -> Result<(), StoreError> {
    let next = AtomicUsize::new(0);
    let sync_some = || {
        while let Some(one) = finished.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = one.partial.path();
            one.partial.file().sync_all().map_err(|e| StoreError::io("sync", path, e))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others: Vec<_> =
            (1..SYNCING.min(finished.len())).map(|_| scope.spawn(sync_some)).collect();
        let own = sync_some();
        others
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .fold(own, Result::and)
    })
}

/// Names the blob and the content, unless the file has a content already. Nothing for a file of a
/// directory that is not known any more.
fn record(
    transaction: &Transaction<'_>,
    finished: &Finished,
    now: Timestamp,
) -> rusqlite::Result<Option<Committed>> {
    let FileKey { directory, entry } = finished.file;
    blobs::insert(transaction, &finished.digest, finished.size, now)?;
    transaction
        .prepare_cached(
            "INSERT INTO contents SELECT ?1, ?2, ?3, seal(?1, ?2, ?3)
             WHERE EXISTS (SELECT 1 FROM directories WHERE id = ?1) ON CONFLICT DO NOTHING",
        )?
        .execute(params![directory, entry, Digest(finished.digest)])?;
    let digest = transaction
        .prepare_cached("SELECT digest FROM contents WHERE directory = ?1 AND entry = ?2")?
        .query_row(params![directory, entry], |row| row.get(0).map(|Digest(digest)| digest))
        .optional()?;
    if digest == Some(finished.digest) {
        blobs::settle(transaction, [&finished.digest])?;
    } else {
        // Nothing refers to this one; the next open removes it.
        blobs::mark(transaction, [&finished.digest])?;
    }
    Ok(digest.map(|digest| Committed { file: finished.file, digest }))
}
