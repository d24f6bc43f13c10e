//! Pins: registrations that are kept, with their bytes, however long nobody uses them.
//!
//! A pin goes with its registration. Invariant: pinning and unpinning are durable when they
//! return.

use pkgfs_manifest::Timestamp;
use rusqlite::params;

use crate::{RegistrationId, Store, StoreError};

impl Store {
    /// Pins a registration; one that is pinned stays so.
    ///
    /// # Errors
    /// [`NotRegistered`](StoreError::NotRegistered) when it was removed meanwhile.
    pub fn pin(&self, id: RegistrationId) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let there = self.database.write(|transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO pins SELECT id, ?2, ?3 FROM registrations WHERE id = ?1
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![id, now.secs, now.nanos])?;
            transaction.prepare_cached("SELECT 1 FROM pins WHERE registration = ?1")?.exists([id])
        })?;
        if !there {
            return Err(StoreError::NotRegistered { id });
        }
        self.database.sync()
    }

    /// Takes a pin back; without one there is nothing to do.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn unpin(&self, id: RegistrationId) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.prepare_cached("DELETE FROM pins WHERE registration = ?1")?.execute([id])
        })?;
        self.database.sync()
    }
}
