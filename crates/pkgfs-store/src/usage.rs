//! How much there is: counters kept with every transaction, and the room on the disk.

use std::fs;

use rusqlite::{Connection, params};

use crate::{Registered, RegistrationId, Store, StoreError, sys};

/// The counters the database keeps in its `totals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) registrations: u64,
    pub(crate) copying: u64,
    pub(crate) current: Recorded,
    pub(crate) blobs: u64,
    pub(crate) blob_bytes: u64,
}

impl Totals {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT registrations, copying, blobs, blob_bytes, directories, files, bytes,
                          hydrated_files, hydrated_bytes
                   FROM totals";
        connection.prepare_cached(sql)?.query_row([], |row| {
            Ok(Self {
                registrations: row.get(0)?,
                copying: row.get(1)?,
                blobs: row.get(2)?,
                blob_bytes: row.get(3)?,
                current: Recorded {
                    directories: row.get(4)?,
                    files: row.get(5)?,
                    bytes: row.get(6)?,
                    hydrated_files: row.get(7)?,
                    hydrated_bytes: row.get(8)?,
                },
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
        let (disk_total, disk_available) = sys::disk_room(self.dir()).unwrap_or((0, 0));
        Usage {
            registrations: totals.registrations,
            blobs: totals.blobs,
            blob_bytes: totals.blob_bytes,
            partial_bytes: self.partial_bytes(),
            hydrated_files: totals.current.hydrated_files,
            hydrated_bytes: totals.current.hydrated_bytes,
            disk_total,
            disk_available,
        }
    }

    /// The directory is read anew each time: a worker of another process fills the
    /// files, and they are few.
    fn partial_bytes(&self) -> u64 {
        let Ok(files) = fs::read_dir(self.layout.partial()) else { return 0 };
        files
            .flatten()
            .filter_map(|file| Some(sys::allocated(&file.path(), &file.metadata().ok()?)))
            .sum()
    }

    /// What is known of one registration; nothing for one that is not there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recorded(&self, registration: RegistrationId) -> Result<Recorded, StoreError> {
        let sql = "SELECT count(*), coalesce(sum(files), 0), coalesce(sum(bytes), 0),
                          coalesce(sum(hydrated_files), 0), coalesce(sum(hydrated_bytes), 0)
                   FROM directories WHERE registration = ?1 AND retired = 0";
        self.database.read(|connection| {
            connection.prepare_cached(sql)?.query_row(params![registration], |row| {
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

    /// What is known of all registrations together.
    #[must_use]
    pub fn recorded_of_all(&self) -> Recorded {
        self.database.totals().current
    }

    /// How many registrations there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn registered(&self) -> Result<Registered, StoreError> {
        let pins = "SELECT count(*) FROM pins";
        let pinned = self
            .database
            .read(|connection| connection.prepare_cached(pins)?.query_row([], |row| row.get(0)))?;
        let Totals { registrations, copying, .. } = self.database.totals();
        Ok(Registered { ready: registrations.saturating_sub(copying), copying, pinned })
    }
}
