//! Checking blobs: is what lies there what its name says.
//!
//! A blob is read from the disk and not from the kernel's cache, where that can be had: what the
//! cache holds says nothing of the disk, and what programs use stays in it. One that is not what
//! its name says is taken out of use with all contents that refer to it, so that whoever reads
//! them next has them fetched anew.

use std::{
    fs::{File, Metadata},
    io,
    path::Path,
};

use pkgfs_manifest::{BlobDigest, Timestamp};
use rusqlite::params;

use crate::{DirectoryId, FileKey, Store, StoreError, blobs, columns::Digest, database::lock, sys};

/// Bytes read at a time.
const PART: usize = 1 << 20;
/// What reads past the cache want their memory to begin at a multiple of.
const ALIGNMENT: usize = 4096;

/// What a blob was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// What its name says.
    Sound,
    /// Something else.
    Bad(Suspect),
    /// It was removed meanwhile, or the check was called off.
    Unknown,
}

/// A blob that is not what its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Its name.
    pub digest: BlobDigest,
    /// What is wrong.
    pub reason: String,
    /// The file that was read; none if it is not there.
    which: Option<sys::FileId>,
}

/// How far the background check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scrub {
    /// The last blob of those that were checked in this pass.
    pub after: Option<BlobDigest>,
    /// When the last pass ended; the beginning of 1970 if there was none.
    pub ended: Timestamp,
}

impl Store {
    /// Some blobs with their sizes, in the order of their digests, after this one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn blobs_after(
        &self,
        after: Option<BlobDigest>,
        most: usize,
    ) -> Result<Vec<(BlobDigest, u64)>, StoreError> {
        let sql = "SELECT digest, size FROM blobs WHERE ?1 IS NULL OR digest > ?1
                   ORDER BY digest LIMIT ?2";
        self.database.read(|connection| {
            connection
                .prepare_cached(sql)?
                .query_map(params![after.map(Digest), most as u64], |row| {
                    Ok((row.get::<_, Digest>(0)?.0, row.get(1)?))
                })?
                .collect()
        })
    }

    /// Compares a blob with its name. `go_on` hears of each part that was read, may wait, and
    /// says whether to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn check_blob(
        &self,
        digest: &BlobDigest,
        size: u64,
        go_on: impl FnMut(u64) -> bool,
    ) -> Result<Verdict, StoreError> {
        let path = self.layout.blob(digest);
        let bad = |reason: String, which| Verdict::Bad(Suspect { digest: *digest, reason, which });
        let verdict = match opened(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bad("its file is gone".to_owned(), None)
            }
            Err(error) => bad(format!("it cannot be opened: {error}"), None),
            Ok((file, metadata, which)) => {
                let which = Some(which);
                if metadata.len() != size {
                    bad(format!("it has {} bytes and should have {size}", metadata.len()), which)
                } else {
                    match hash(&file, &path, go_on) {
                        Ok(None) => Verdict::Unknown,
                        Ok(Some(found)) if found == *digest => {
                            protect(&file, &metadata, &path);
                            Verdict::Sound
                        }
                        Ok(Some(_)) => bad("its bytes are not what they were".to_owned(), which),
                        Err(error) => bad(format!("it cannot be read: {error}"), which),
                    }
                }
            }
        };
        // Removed, in good order, while it was looked at.
        if matches!(verdict, Verdict::Bad(_)) && !self.is_known(digest)? {
            return Ok(Verdict::Unknown);
        }
        Ok(verdict)
    }

    /// Reads the whole database, which is made anew if it is found damaged.
    ///
    /// # Errors
    /// When it cannot be read, or not be made anew.
    pub fn check_database(&self) -> Result<(), StoreError> {
        self.database.check()
    }

    /// A blob of which somebody has found that it is not what its name says.
    #[must_use]
    pub fn suspect(&self, digest: &BlobDigest, reason: String) -> Suspect {
        Suspect { digest: *digest, reason, which: sys::file_id_at(&self.layout.blob(digest)) }
    }

    /// Takes a blob out of use, and tells whose bytes it was; nothing if it was replaced since it was
    /// looked at.
    ///
    /// # Errors
    /// When the database or the disk refuses.
    pub fn condemn(&self, suspect: &Suspect) -> Result<Option<Vec<FileKey>>, StoreError> {
        let digest = Digest(suspect.digest);
        let placing = lock(&self.placing);
        if sys::file_id_at(&self.layout.blob(&suspect.digest)) != suspect.which {
            return Ok(None);
        }
        let files = self.database.write(|transaction| {
            let files = transaction
                .prepare_cached(
                    "DELETE FROM contents WHERE digest = ?1 RETURNING directory, entry",
                )?
                .query_map([&digest], |row| {
                    Ok(FileKey { directory: DirectoryId(row.get(0)?), entry: row.get(1)? })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            transaction
                .prepare_cached("DELETE FROM blobs WHERE digest = ?1")?
                .execute([&digest])?;
            blobs::mark(transaction, [&suspect.digest])?;
            Ok(files)
        })?;
        drop(placing);
        self.unlink(&[suspect.digest])?;
        Ok(Some(files))
    }

    /// How far the background check is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn scrub(&self) -> Result<Scrub, StoreError> {
        let sql = "SELECT after, ended_secs, ended_nanos FROM scrub";
        self.database.read(|connection| {
            connection.prepare_cached(sql)?.query_row([], |row| {
                Ok(Scrub {
                    after: row.get::<_, Option<Digest>>(0)?.map(|Digest(digest)| digest),
                    ended: Timestamp { secs: row.get(1)?, nanos: row.get(2)? },
                })
            })
        })
    }

    /// Notes how far it is. Not synced.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn note_scrub(&self, scrub: &Scrub) -> Result<(), StoreError> {
        let sql = "UPDATE scrub SET after = ?1, ended_secs = ?2, ended_nanos = ?3";
        let Scrub { after, ended } = *scrub;
        self.database.write(|transaction| {
            let noted = params![after.map(Digest), ended.secs, ended.nanos];
            transaction.prepare_cached(sql)?.execute(noted).map(|_| ())
        })
    }
}

/// Takes write bits from a sound blob: of one that rez copied in they may have outlived a loss of
/// power. While it has another name its mode is that of a copy which is still being sealed.
fn protect(file: &File, metadata: &Metadata, path: &Path) {
    if let Err(error) = sys::protect_if_alone(file, metadata, path) {
        tracing::warn!("cannot protect {}: {error}", path.display());
    }
}

/// Opens a blob past the cache, and tells which file that is.
fn opened(path: &Path) -> io::Result<(File, Metadata, sys::FileId)> {
    let file = sys::open_past_cache(path)?;
    let metadata = file.metadata()?;
    let which = sys::file_id(&file, &metadata)?;
    Ok((file, metadata, which))
}

/// The digest of what a file holds; nothing if it was called off.
fn hash(
    file: &File,
    path: &Path,
    mut go_on: impl FnMut(u64) -> bool,
) -> io::Result<Option<BlobDigest>> {
    let mut memory = vec![0; PART + ALIGNMENT];
    let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    let part = &mut memory[start..start + PART];
    let mut hasher = blake3::Hasher::new();
    let mut through_the_cache = None;
    loop {
        let from = through_the_cache.as_ref().unwrap_or(file);
        match sys::read_at(from, part, hasher.count()) {
            Ok(0) => return Ok(Some(BlobDigest::from_bytes(hasher.finalize().into()))),
            Ok(read) => {
                hasher.update(&part[..read]);
                if !go_on(read as u64) {
                    return Ok(None);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if error.kind() == io::ErrorKind::InvalidInput && through_the_cache.is_none() =>
            {
                through_the_cache = Some(sys::open_read_only(path)?);
            }
            Err(error) => return Err(error),
        }
    }
}
