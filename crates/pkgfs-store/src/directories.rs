//! What the directories of a variant held when they were read.
//!
//! A directory is recorded once and never changes. When it is read again and differs,
//! another takes its place and the former is retired: no look-up by path finds it, but
//! whoever holds its id still gets it, until the store is next opened.
//!
//! Invariant: of a registration and a path, at most one directory is current.

use std::path::PathBuf;

use pkgfs_manifest::{BlobDigest, Kind, Listing};
use rusqlite::{OptionalExtension, Row, params};

use crate::{
    RegistrationId, RegistrationState, Store, StoreError, blobs,
    columns::{Digest, path, path_bytes, undecodable},
    seals::{self, OF_LISTING},
};

/// Names one recorded directory for good: a number is never given twice in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId(pub u64);

/// A directory to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDirectory {
    /// The variant it belongs to.
    pub registration: RegistrationId,
    /// Where it is shown: relative to the variant, parts joined by `/`, empty for the
    /// root.
    pub path: Box<[u8]>,
    /// Where it was read.
    pub source: PathBuf,
    /// The directory at origin that links inside it must not leave.
    pub anchor: PathBuf,
    /// What it held.
    pub listing: Listing,
    /// Entries whose bytes are known to be those of a blob: unchanged since the former
    /// listing, or adopted. A blob that is gone meanwhile is passed over.
    pub carried: Vec<(u32, BlobDigest)>,
}

/// A recorded directory; see [`NewDirectory`] for the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Directory {
    pub id: DirectoryId,
    pub registration: RegistrationId,
    pub path: Box<[u8]>,
    pub source: PathBuf,
    pub anchor: PathBuf,
    pub listing: Listing,
}

const SELECT: &str = "SELECT id, registration, path, source, anchor, listing,
                          seal IS seal(id, registration, path, source, anchor, listing)
                      FROM directories JOIN listings ON directory = id";

impl Store {
    /// Records what a directory held; it becomes the current one of its registration
    /// and path. For a registration that was removed meanwhile it is recorded retired,
    /// so that those who are still inside can go on. Not synced.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn record_directory(&self, new: &NewDirectory) -> Result<DirectoryId, StoreError> {
        let listing = new.listing.encode();
        let files = new.listing.entries().iter().filter(|entry| {
            // An empty file has nothing that could be local or not.
            entry.kind == Kind::File && entry.attributes.size > 0
        });
        let (count, bytes) = files.fold((0_u64, 0_u64), |(count, bytes), file| {
            (count + 1, bytes.saturating_add(file.attributes.size))
        });
        let seal_listing = format!(
            "INSERT INTO listings SELECT id, ?2, {} FROM directories WHERE id = ?1",
            OF_LISTING.replace("listing", "?2")
        );
        self.database.write(|transaction| {
            let registered = transaction
                .prepare_cached("SELECT 1 FROM registrations WHERE id = ?1")?
                .exists([new.registration])?;
            transaction
                .prepare_cached(
                    "UPDATE directories SET retired = 1
                     WHERE registration = ?1 AND path = ?2 AND retired = 0",
                )?
                .execute(params![new.registration, new.path])?;
            let id: DirectoryId = transaction
                .prepare_cached(
                    "INSERT INTO directories
                         (registration, path, source, anchor, retired, files, bytes)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
                )?
                .query_row(
                    params![
                        new.registration,
                        new.path,
                        path_bytes(&new.source),
                        path_bytes(&new.anchor),
                        !registered,
                        count,
                        i64::try_from(bytes).unwrap_or(i64::MAX),
                    ],
                    |row| row.get(0),
                )?;
            transaction.prepare_cached(&seal_listing)?.execute(params![id, listing])?;
            let mut carry = transaction.prepare_cached(
                "INSERT INTO contents SELECT ?1, ?2, digest, seal(?1, ?2, digest) FROM blobs
                 WHERE digest = ?3 ON CONFLICT DO NOTHING",
            )?;
            let mut release = transaction.prepare_cached(
                "UPDATE unsettled SET holds = holds - 1 WHERE digest = ?1 AND holds > 0",
            )?;
            for (entry, digest) in &new.carried {
                if carry.execute(params![id, entry, Digest(*digest)])? == 1 {
                    release.execute([Digest(*digest)])?;
                    blobs::settle(transaction, [digest])?;
                }
            }
            Ok(id)
        })
    }

    /// The directory of this number, current or retired since the store was opened.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn directory(&self, id: DirectoryId) -> Result<Option<Directory>, StoreError> {
        let sql = format!("{SELECT} WHERE id = ?1");
        self.database.read(|connection| {
            connection.prepare_cached(&sql)?.query_row([id], directory).optional()
        })
    }

    /// The current directory at `path` of a registration.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn current_directory(
        &self,
        registration: RegistrationId,
        path: &[u8],
    ) -> Result<Option<Directory>, StoreError> {
        let sql = format!("{SELECT} WHERE registration = ?1 AND path = ?2 AND retired = 0");
        self.database.read(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_row(params![registration, path], directory)
                .optional()
        })
    }

    /// The numbers of all current directories of a registration, parents first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn current_directories(
        &self,
        registration: RegistrationId,
    ) -> Result<Vec<DirectoryId>, StoreError> {
        let sql = "SELECT id FROM directories WHERE registration = ?1 AND retired = 0
                   ORDER BY path";
        self.database.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map([registration], |row| row.get(0))?
                .collect::<Result<Vec<DirectoryId>, _>>()
        })
    }

    /// Registrations that rez has copied in and of which files have no bytes any more.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn incomplete_copies(&self) -> Result<Vec<RegistrationId>, StoreError> {
        let sql = "SELECT DISTINCT registration FROM directories
                   WHERE retired = 0 AND hydrated_files < files
                     AND registration IN (SELECT id FROM registrations WHERE state = ?1)";
        self.database.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map([RegistrationState::Sealed], |row| row.get(0))?
                .collect()
        })
    }

    /// Retires all directories of a registration and forgets their contents. Blobs
    /// that nothing else refers to are removed; whoever has one open goes on reading.
    ///
    /// # Errors
    /// When the database or a blob's directory cannot be written.
    pub fn retire_directories(&self, registration: RegistrationId) -> Result<(), StoreError> {
        self.release(registration, |_| Ok(()))
    }
}

fn directory(row: &Row<'_>) -> rusqlite::Result<Directory> {
    seals::hold(row, 6)?;
    let listing = row.get_ref(5)?.as_blob()?;
    Ok(Directory {
        id: row.get(0)?,
        registration: row.get(1)?,
        path: row.get(2)?,
        source: path(row, 3)?,
        anchor: path(row, 4)?,
        listing: Listing::decode(listing).map_err(|error| undecodable(5, error))?,
    })
}
