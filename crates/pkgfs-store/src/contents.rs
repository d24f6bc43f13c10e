//! Which blob holds the bytes of a file, and the extended attributes it has.

use pkgfs_manifest::BlobDigest;
use rusqlite::{OptionalExtension, params};

use crate::{
    DirectoryId, Store, StoreError,
    columns::{Digest, undecodable},
    seals,
};

/// Names one state of one file for good: a listing never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// The recorded directory.
    pub directory: DirectoryId,
    /// The index of the entry in its listing.
    pub entry: u32,
}

/// An extended attribute: its name and its value.
pub type Xattr = (Box<[u8]>, Box<[u8]>);

/// Version of the encoding of extended attributes, its first byte.
const XATTRS_VERSION: u8 = 1;

impl Store {
    /// The blob that holds a file's bytes, if they are local.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn content(&self, file: FileKey) -> Result<Option<BlobDigest>, StoreError> {
        let sql = "SELECT digest, seal IS seal(directory, entry, digest)
                   FROM contents WHERE directory = ?1 AND entry = ?2";
        self.database.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_row(params![file.directory, file.entry], |row| {
                    seals::hold(row, 1)?;
                    row.get(0).map(|Digest(digest)| digest)
                })
                .optional()
        })
    }

    /// The blobs of all files of a directory that are local, by index.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn contents(&self, directory: DirectoryId) -> Result<Vec<(u32, BlobDigest)>, StoreError> {
        let sql = "SELECT entry, digest, seal IS seal(directory, entry, digest)
                   FROM contents WHERE directory = ?1 ORDER BY entry";
        self.database.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map([directory], |row| {
                    seals::hold(row, 2)?;
                    Ok((row.get(0)?, row.get::<_, Digest>(1)?.0))
                })?
                .collect()
        })
    }

    /// The extended attributes recorded for an entry; nothing if none were recorded,
    /// an empty list if it has none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn xattrs(&self, file: FileKey) -> Result<Option<Vec<Xattr>>, StoreError> {
        let sql = "SELECT attributes FROM xattrs WHERE directory = ?1 AND entry = ?2";
        self.database.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_row(params![file.directory, file.entry], |row| {
                    decode(row.get_ref(0)?.as_blob()?).map_err(|error| undecodable(0, error))
                })
                .optional()
        })
    }

    /// Records the extended attributes of an entry. Not synced.
    ///
    /// # Errors
    /// When the database cannot be written, or has no such directory.
    pub fn record_xattrs(&self, file: FileKey, xattrs: &[Xattr]) -> Result<(), StoreError> {
        let encoded = postcard::to_extend(xattrs, vec![XATTRS_VERSION])
            .expect("writing to a vector does not fail and every part has a known length");
        let sql = "INSERT INTO xattrs VALUES (?1, ?2, ?3)
                   ON CONFLICT DO UPDATE SET attributes = excluded.attributes";
        self.database.write(|transaction| {
            transaction.prepare_cached(sql)?.execute(params![file.directory, file.entry, encoded])
        })?;
        Ok(())
    }
}

fn decode(bytes: &[u8]) -> Result<Vec<Xattr>, postcard::Error> {
    let [XATTRS_VERSION, body @ ..] = bytes else {
        return Err(postcard::Error::DeserializeBadEncoding);
    };
    postcard::from_bytes(body)
}
