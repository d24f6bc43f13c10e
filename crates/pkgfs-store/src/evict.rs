//! Making room: blobs go, the one used longest ago first.
//!
//! A blob may go if origin can give its bytes again: each file that refers to it is of a current
//! listing, of a registration that is served from origin and not pinned. Whoever reads such a file
//! next has it fetched anew. A file of a blob that is gone, and open somewhere, lasts until it is
//! closed, and so does its room on the disk.

use std::collections::HashSet;

use pkgfs_manifest::{BlobDigest, Timestamp};
use rusqlite::{Transaction, params};

use crate::{Store, StoreError, blobs, columns::Digest, database::lock};

/// Of the table `blobs`: those that may go.
const MAY_GO: &str = "
    NOT EXISTS (SELECT 1 FROM unsettled WHERE unsettled.digest = blobs.digest AND holds > 0)
    AND NOT EXISTS (
        SELECT 1 FROM contents
        JOIN directories ON directories.id = contents.directory
        LEFT JOIN registrations ON registrations.id = directories.registration
        WHERE contents.digest = blobs.digest AND (
            directories.retired = 1
            OR registrations.state IS NOT 1
            OR EXISTS (SELECT 1 FROM pins WHERE pins.registration = registrations.id)))";

/// How many go in one transaction, so that others get their turn.
const AT_ONCE: usize = 256;

/// What went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evicted {
    /// The blobs.
    pub blobs: Vec<BlobDigest>,
    /// Their bytes.
    pub bytes: u64,
}

/// A blob that may go, and what was known of its use when it was chosen.
struct Candidate {
    digest: BlobDigest,
    used: Timestamp,
}

impl Store {
    /// Removes blobs until `bytes` are gone, or all that may go. Those in `spared` stay, and so
    /// does one that is used meanwhile.
    ///
    /// # Errors
    /// When the database or the disk refuses. What went until then is gone.
    pub fn evict(&self, bytes: u64, spared: &HashSet<BlobDigest>) -> Result<Evicted, StoreError> {
        self.use_reserve_if_needed();
        let mut evicted = Evicted::default();
        for some in self.oldest(bytes, spared)?.chunks(AT_ONCE) {
            let placing = lock(&self.placing);
            let gone = self.database.write(|transaction| {
                let gone = some.iter().filter_map(|one| forget(transaction, one).transpose());
                let gone = gone.collect::<rusqlite::Result<Vec<_>>>()?;
                blobs::mark(transaction, gone.iter().map(|(digest, _)| digest))?;
                Ok(gone)
            })?;
            drop(placing);
            evicted.bytes += gone.iter().map(|(_, size)| size).sum::<u64>();
            let gone: Vec<_> = gone.into_iter().map(|(digest, _)| digest).collect();
            self.unlink(&gone)?;
            evicted.blobs.extend(gone);
        }
        self.keep_reserve();
        Ok(evicted)
    }

    fn oldest(
        &self,
        bytes: u64,
        spared: &HashSet<BlobDigest>,
    ) -> Result<Vec<Candidate>, StoreError> {
        let sql = format!(
            "SELECT digest, size, used_secs, used_nanos FROM blobs WHERE {MAY_GO}
             ORDER BY used_secs, used_nanos"
        );
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let (mut chosen, mut total) = (Vec::new(), 0);
            while total < bytes
                && let Some(row) = rows.next()?
            {
                let Digest(digest) = row.get(0)?;
                if !spared.contains(&digest) {
                    total += row.get::<_, u64>(1)?;
                    let used = Timestamp { secs: row.get(2)?, nanos: row.get(3)? };
                    chosen.push(Candidate { digest, used });
                }
            }
            Ok(chosen)
        })
    }
}

/// Takes a blob out of the database, with its contents, if it may still go; tells its size.
fn forget(
    transaction: &Transaction<'_>,
    Candidate { digest, used }: &Candidate,
) -> rusqlite::Result<Option<(BlobDigest, u64)>> {
    let sql = format!(
        "SELECT size FROM blobs
         WHERE digest = ?1 AND used_secs = ?2 AND used_nanos = ?3 AND {MAY_GO}"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(params![Digest(*digest), used.secs, used.nanos])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let size = row.get(0)?;
    for table in ["contents", "blobs"] {
        transaction
            .prepare_cached(&format!("DELETE FROM {table} WHERE digest = ?1"))?
            .execute([Digest(*digest)])?;
    }
    Ok(Some((*digest, size)))
}
