//! What starts of a variant touched, as the view encodes it.
//!
//! A profile is of a handle, not of a registration: it outlives a removal, and may be there before
//! the variant is. Losing the last one in a crash costs a slower start, so they are written, not
//! synced.
//!
//! Invariant: of a handle there are at most [`MOST_OF_HANDLE`] profiles, of all together at most
//! [`MOST_BYTES`] of records; the one used longest ago goes first.

use pkgfs_manifest::Timestamp;
use rusqlite::{Connection, Params, Row, params};

use crate::{Store, StoreError, columns::timestamp};

/// Profiles of one handle.
const MOST_OF_HANDLE: u64 = 16;
/// Bytes of all records.
const MOST_BYTES: u64 = 64 << 20;

/// What starts of one variant in one context touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Canonical text of the variant's handle.
    pub handle_key: String,
    /// Which context; the empty one is that of processes outside any.
    pub context: String,
    /// When something was last learnt for it, or it was imported.
    pub used: Timestamp,
    /// What was touched, encoded by the view.
    pub record: Vec<u8>,
}

const SELECT: &str = "SELECT handle_key, context, used_secs, used_nanos, record FROM profiles";

impl Store {
    /// All profiles, by handle and context.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn profiles(&self) -> Result<Vec<Profile>, StoreError> {
        self.database.read(|connection| select(connection, "ORDER BY handle_key, context", []))
    }

    /// The profiles of a handle, the last used first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn profiles_of(&self, handle_key: &str) -> Result<Vec<Profile>, StoreError> {
        let of_handle = "WHERE handle_key = ?1 ORDER BY used_secs DESC, used_nanos DESC, context";
        self.database.read(|connection| select(connection, of_handle, [handle_key]))
    }

    /// The profiles of a context, by handle.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn profiles_in(&self, context: &str) -> Result<Vec<Profile>, StoreError> {
        let in_context = "WHERE context = ?1 ORDER BY handle_key";
        self.database.read(|connection| select(connection, in_context, [context]))
    }

    /// How many profiles there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn profile_count(&self) -> Result<u64, StoreError> {
        self.database.read(|connection| {
            connection
                .prepare_cached("SELECT count(*) FROM profiles")?
                .query_row([], |row| row.get(0))
        })
    }

    /// Records profiles in the place of those of the same handles and contexts, and drops those
    /// used longest ago where there are too many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn record_profiles(&self, profiles: &[Profile]) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            for profile in profiles {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO profiles VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![
                        profile.handle_key,
                        profile.context,
                        profile.used.secs,
                        profile.used.nanos,
                        profile.record,
                    ])?;
                transaction
                    .prepare_cached(
                        "DELETE FROM profiles WHERE handle_key = ?1 AND context IN (
                             SELECT context FROM profiles WHERE handle_key = ?1
                             ORDER BY used_secs DESC, used_nanos DESC, context
                             LIMIT -1 OFFSET ?2)",
                    )?
                    .execute(params![profile.handle_key, MOST_OF_HANDLE])?;
            }
            transaction
                .prepare_cached(
                    "DELETE FROM profiles WHERE (handle_key, context) IN (
                         SELECT handle_key, context FROM (
                             SELECT handle_key, context, sum(length(record)) OVER (
                                 ORDER BY used_secs DESC, used_nanos DESC, handle_key, context
                             ) AS bytes FROM profiles)
                         WHERE bytes > ?1)",
                )?
                .execute([MOST_BYTES])
        })?;
        Ok(())
    }

    /// Forgets the profiles of a handle; tells how many there were.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_profiles(&self, handle_key: &str) -> Result<usize, StoreError> {
        self.database.write(|transaction| {
            transaction
                .prepare_cached("DELETE FROM profiles WHERE handle_key = ?1")?
                .execute([handle_key])
        })
    }
}

fn select(
    connection: &Connection,
    which: &str,
    values: impl Params,
) -> rusqlite::Result<Vec<Profile>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} {which}"))?;
    statement.query_map(values, profile)?.collect()
}

fn profile(row: &Row<'_>) -> rusqlite::Result<Profile> {
    Ok(Profile {
        handle_key: row.get(0)?,
        context: row.get(1)?,
        used: timestamp(row, 2)?,
        record: row.get(4)?,
    })
}
