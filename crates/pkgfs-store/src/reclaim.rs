//! Taking back what nothing refers to, while the store is in use: blobs without contents,
//! files that a loss of power left without a row, and partial files that nobody fills.
//!
//! Opening does as much for what it finds by index ([`sweep`](crate::sweep)); this walks
//! `blobs/`, which opening never does.

use std::{fs, io};

use pkgfs_manifest::BlobDigest;
use rusqlite::Transaction;

use crate::{
    RegistrationId, Store, StoreError, blobs::forget_unreferenced, columns::Digest, database::lock,
    layout, sys,
};

/// Blobs that no content refers to and nobody holds for a directory to come.
const UNREFERENCED: &str = "SELECT digest, size FROM blobs
     WHERE NOT EXISTS (SELECT 1 FROM contents WHERE digest = blobs.digest)
       AND NOT EXISTS (SELECT 1 FROM unsettled WHERE digest = blobs.digest AND holds > 0)";

/// What was taken back, or could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Reclaimed {
    /// Blobs that nothing referred to.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Partial files that nobody filled.
    pub partial_files: u64,
    /// Their bytes.
    pub partial_bytes: u64,
}

impl Store {
    /// Removes what nothing refers to; only counts it if `dry`.
    ///
    /// # Errors
    /// When the database or a directory cannot be read or written.
    pub fn reclaim(&self, dry: bool) -> Result<Reclaimed, StoreError> {
        let mut reclaimed = Reclaimed::default();
        let strays = self.strays(&mut reclaimed)?;
        let unreferenced = self.unreferenced(dry, &mut reclaimed)?;
        if !dry {
            self.unlink(&unreferenced)?;
            self.unlink(&strays)?;
        }
        self.reclaim_partial(dry, &mut reclaimed)?;
        Ok(reclaimed)
    }

    /// Number and bytes of the blobs that only these registrations refer to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn owned_alone(&self, ids: &[RegistrationId]) -> Result<(u64, u64), StoreError> {
        let ids = ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(",");
        let own = format!("SELECT id FROM directories WHERE registration IN ({ids})");
        let sql = format!(
            "SELECT count(*), coalesce(sum(size), 0) FROM blobs
             WHERE digest IN (SELECT digest FROM contents WHERE directory IN ({own}))
               AND NOT EXISTS (SELECT 1 FROM contents
                               WHERE digest = blobs.digest AND directory NOT IN ({own}))"
        );
        self.database
            .read(|connection| connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))))
    }

    fn unreferenced(
        &self,
        dry: bool,
        reclaimed: &mut Reclaimed,
    ) -> Result<Vec<BlobDigest>, StoreError> {
        let found = |connection: &rusqlite::Connection| {
            connection
                .prepare_cached(UNREFERENCED)?
                .query_map([], |row| Ok((row.get::<_, Digest>(0)?.0, row.get::<_, u64>(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        let count = |found: &[(BlobDigest, u64)], reclaimed: &mut Reclaimed| {
            reclaimed.blobs += found.len() as u64;
            reclaimed.blob_bytes += found.iter().map(|(_, size)| size).sum::<u64>();
        };
        if dry {
            count(&self.database.read(found)?, reclaimed);
            return Ok(Vec::new());
        }
        let _placing = lock(&self.placing);
        self.database.write(|transaction: &Transaction<'_>| {
            let found = found(transaction)?;
            count(&found, reclaimed);
            forget_unreferenced(transaction, found.into_iter().map(|(digest, _)| digest), "TRUE")
        })
    }

    /// Files below `blobs/` that the database does not name.
    fn strays(&self, reclaimed: &mut Reclaimed) -> Result<Vec<BlobDigest>, StoreError> {
        let mut strays = Vec::new();
        let blobs = self.layout.blobs();
        let failed = |error| StoreError::io("list", &blobs, error);
        let fans = match fs::read_dir(&blobs) {
            // Somebody removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(strays),
            other => other.map_err(failed)?,
        };
        for fan in fans {
            for file in fs::read_dir(fan.map_err(failed)?.path()).map_err(failed)? {
                let file = file.map_err(failed)?;
                let Some(digest) = file.file_name().to_str().and_then(|name| name.parse().ok())
                else {
                    continue;
                };
                // Between its move into place and its row a blob is nobody's stray.
                let _placing = lock(&self.placing);
                if !self.is_known(&digest)? {
                    reclaimed.blobs += 1;
                    reclaimed.blob_bytes += file.metadata().map_or(0, |data| data.len());
                    strays.push(digest);
                }
            }
        }
        Ok(strays)
    }

    fn reclaim_partial(&self, dry: bool, reclaimed: &mut Reclaimed) -> Result<(), StoreError> {
        let dir = self.layout.partial();
        let listed = |error| StoreError::io("list", &dir, error);
        for entry in fs::read_dir(&dir).map_err(listed)? {
            let entry = entry.map_err(listed)?;
            let path = entry.path();
            let is_going = entry.file_name().to_str().is_some_and(|n| n.starts_with(layout::GOING));
            if is_going || lock(&self.live).contains(&path) {
                continue;
            }
            match entry.metadata() {
                // Placed among the blobs since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::io("stat", &path, error)),
                Ok(data) => {
                    reclaimed.partial_files += 1;
                    reclaimed.partial_bytes += data.len();
                }
            }
            if !dry {
                sys::remove_file(&path).map_err(|e| StoreError::io("remove", &path, e))?;
            }
        }
        Ok(())
    }
}
