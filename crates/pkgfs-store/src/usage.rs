//! How much there is: counters kept with every transaction, and the room on the disk.

use std::{fs, os::unix::fs::MetadataExt};

use rusqlite::{Connection, Params, params};

use crate::{RegistrationId, Store, StoreError};

/// The counters the database keeps in its `totals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) registrations: u64,
    pub(crate) blobs: u64,
    pub(crate) blob_bytes: u64,
    pub(crate) hydrated_files: u64,
    pub(crate) hydrated_bytes: u64,
}

impl Totals {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql =
            "SELECT registrations, blobs, blob_bytes, hydrated_files, hydrated_bytes FROM totals";
        connection.prepare_cached(sql)?.query_row([], |row| {
            Ok(Self {
                registrations: row.get(0)?,
                blobs: row.get(1)?,
                blob_bytes: row.get(2)?,
                hydrated_files: row.get(3)?,
                hydrated_bytes: row.get(4)?,
            })
        })
    }
}

/// What the whole store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Usage {
    /// Variants registered.
    pub registrations: u64,
    /// Blobs, each counted once however many files have its bytes.
    pub blobs: u64,
    /// The sum of their sizes.
    pub blob_bytes: u64,
    /// Bytes on disk of files still being fetched.
    pub partial_bytes: u64,
    /// Files of current listings whose bytes are local.
    pub hydrated_files: u64,
    /// The sum of their sizes.
    pub hydrated_bytes: u64,
    /// Bytes of the disk that holds the store; 0 if it does not tell.
    pub disk_total: u64,
    /// Bytes of it that this user may still fill; 0 if it does not tell.
    pub disk_available: u64,
}

/// What is known of registrations, from the directories listed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Directories listed.
    pub directories: u64,
    /// Regular files in them.
    pub files: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// Those of them whose bytes are local.
    pub hydrated_files: u64,
    /// The sum of their sizes.
    pub hydrated_bytes: u64,
}

impl Store {
    /// What the whole store holds, and the room on its disk.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let totals = self.database.totals();
        let disk = rustix::fs::statvfs(self.dir()).ok();
        Usage {
            registrations: totals.registrations,
            blobs: totals.blobs,
            blob_bytes: totals.blob_bytes,
            partial_bytes: self.partial_bytes(),
            hydrated_files: totals.hydrated_files,
            hydrated_bytes: totals.hydrated_bytes,
            disk_total: disk.as_ref().map_or(0, |disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
            disk_available: disk
                .as_ref()
                .map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        }
    }

    /// The directory is read anew each time: a worker of another process fills the
    /// files, and they are few.
    fn partial_bytes(&self) -> u64 {
        let Ok(files) = fs::read_dir(self.layout.partial()) else { return 0 };
        files
            .flatten()
            .filter_map(|file| file.metadata().ok())
            .map(|file| file.blocks() * 512)
            .sum()
    }

    /// What is known of one registration; nothing for one that is not there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recorded(&self, registration: RegistrationId) -> Result<Recorded, StoreError> {
        self.summed("registration = ?1 AND retired = 0", params![registration])
    }

    /// What is known of all registrations together.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recorded_of_all(&self) -> Result<Recorded, StoreError> {
        self.summed("retired = 0", [])
    }

    fn summed(&self, of: &str, parameters: impl Params + Copy) -> Result<Recorded, StoreError> {
        let sql = format!(
            "SELECT count(*), coalesce(sum(files), 0), coalesce(sum(bytes), 0),
                    coalesce(sum(hydrated_files), 0), coalesce(sum(hydrated_bytes), 0)
             FROM directories WHERE {of}"
        );
        self.database.read(|connection| {
            connection.prepare_cached(&sql)?.query_row(parameters, |row| {
                Ok(Recorded {
                    directories: row.get(0)?,
                    files: row.get(1)?,
                    bytes: row.get(2)?,
                    hydrated_files: row.get(3)?,
                    hydrated_bytes: row.get(4)?,
                })
            })
        })
    }
}
