//! Which variants are shown, under which names, and which were removed on purpose.
//!
//! Invariant: registering, removing and changing the state are durable before they
//! return; the time of last use is not, and may be lost with the machine.

mod finding;

use std::path::{Path, PathBuf};

use pkgfs_manifest::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::{
    Store, StoreError,
    columns::{optional_path, path, path_bytes, timestamp},
    seals::{self, OF_REGISTRATION},
};

pub use finding::{Registered, RegisteredVersion};

/// Names one registration for good: a number is never given twice in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationId(pub u64);

/// Where the payload of a registration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegistrationState {
    /// rez's own copy is under way; the tree grows in staging.
    Copying,
    /// At origin; fetched on demand.
    Served,
    /// In the store, from rez's finished copy.
    Sealed,
}

/// The record that a variant is present in the view, at
/// `<name>/<version_dir>/<h4>/<stem>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its number.
    pub id: RegistrationId,
    /// The package's name.
    pub name: String,
    /// The version's directory (`_NO_VERSION` without one).
    pub version_dir: String,
    /// The first four digits of the handle's hash, rez's directory for it.
    pub h4: String,
    /// rez's sequence letters: `a`, `b`, …
    pub stem: String,
    /// The canonical text of the handle.
    pub handle_key: String,
    /// The text of `<stem>.json`.
    pub json: String,
    /// The repository the variant is from.
    pub repository: PathBuf,
    /// The variant's root at origin, where known.
    pub root: Option<PathBuf>,
    /// Where its payload is.
    pub state: RegistrationState,
    /// When it was last used, as shown by the json's modification time.
    pub touched: Timestamp,
    /// When it was registered.
    pub created: Timestamp,
    /// Whether it is kept however long nobody uses it.
    pub pinned: bool,
}

/// A registration to be made; see [`Registration`] for the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NewRegistration {
    pub name: String,
    pub version_dir: String,
    pub h4: String,
    pub stem: String,
    pub handle_key: String,
    pub json: String,
    pub repository: PathBuf,
    pub root: Option<PathBuf>,
    pub state: RegistrationState,
}

const SELECT: &str = "SELECT id, name, version_dir, h4, stem, handle_key, json, repository, root,
                             state, touched_secs, touched_nanos, created_secs, created_nanos,
                             EXISTS (SELECT 1 FROM pins WHERE registration = id),
                             seal IS seal(id, name, version_dir, h4, stem, handle_key, json,
                                          repository, root, state)
                      FROM registrations";

impl Store {
    /// All registrations, in the order they were made, by one statement.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn registrations(&self) -> Result<Vec<Registration>, StoreError> {
        let sql = format!("{SELECT} ORDER BY id");
        self.database.read(|connection| {
            connection.prepare_cached(&sql)?.query_map([], registration)?.collect()
        })
    }

    /// Registers a variant, touched and created now, and takes back its tombstone.
    /// Durable when it returns.
    ///
    /// # Errors
    /// [`AlreadyRegistered`](StoreError::AlreadyRegistered) when the handle, or the
    /// name, version, hash and stem together, are taken.
    pub fn register(&self, new: NewRegistration) -> Result<Registration, StoreError> {
        let now = Timestamp::now();
        let id = self.database.write(|transaction| {
            let id = insert(transaction, &new, now)?;
            if id.is_some() {
                transaction
                    .prepare_cached("DELETE FROM tombstones WHERE handle_key = ?1")?
                    .execute([&new.handle_key])?;
            }
            Ok(id)
        })?;
        let NewRegistration { name, version_dir, h4, stem, handle_key, json, .. } = new;
        let Some(id) = id else {
            return Err(StoreError::AlreadyRegistered { name, version_dir, h4, stem });
        };
        self.database.sync()?;
        Ok(Registration {
            id,
            name,
            version_dir,
            h4,
            stem,
            handle_key,
            json,
            repository: new.repository,
            root: new.root,
            state: new.state,
            touched: now,
            created: now,
            pinned: false,
        })
    }

    /// Removes a registration, and lays a tombstone for its handle if asked to. Its
    /// directories are retired, its contents forgotten, and blobs that nothing else
    /// refers to removed. Durable when it returns; one that is not there is no error.
    ///
    /// # Errors
    /// When the database or a blob's directory cannot be written.
    pub fn unregister(&self, id: RegistrationId, tombstone: bool) -> Result<(), StoreError> {
        let now = Timestamp::now();
        self.release(id, |transaction| {
            let removed: Option<String> = transaction
                .prepare_cached("DELETE FROM registrations WHERE id = ?1 RETURNING handle_key")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            if let (Some(handle_key), true) = (removed, tombstone) {
                transaction
                    .prepare_cached(
                        "INSERT INTO tombstones VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
                         SET laid_secs = excluded.laid_secs, laid_nanos = excluded.laid_nanos",
                    )?
                    .execute(params![handle_key, now.secs, now.nanos])?;
            }
            Ok(())
        })
    }

    /// Changes where a registration's payload is. Durable when it returns.
    ///
    /// # Errors
    /// [`NotRegistered`](StoreError::NotRegistered) when it was removed meanwhile.
    pub fn set_state(
        &self,
        id: RegistrationId,
        state: RegistrationState,
    ) -> Result<(), StoreError> {
        let changed = self.database.write(|transaction| {
            transaction
                .prepare_cached("UPDATE registrations SET state = ?2 WHERE id = ?1")?
                .execute(params![id, state])?;
            seal(transaction, id)
        })?;
        if changed == 0 {
            return Err(StoreError::NotRegistered { id });
        }
        self.database.sync()
    }

    /// Sets where a registration's payload lies at origin. Not synced by itself: a
    /// [`set_state`](Self::set_state) after it makes both durable.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_root(&self, id: RegistrationId, root: &Path) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction
                .prepare_cached("UPDATE registrations SET root = ?2 WHERE id = ?1")?
                .execute(params![id, path_bytes(root)])?;
            seal(transaction, id)
        })?;
        Ok(())
    }

    /// Sets times of last use. Not synced; those that were removed are passed over.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn touch(&self, touched: &[(RegistrationId, Timestamp)]) -> Result<(), StoreError> {
        let sql = "UPDATE registrations SET touched_secs = ?2, touched_nanos = ?3 WHERE id = ?1";
        self.database.write(|transaction| {
            let mut update = transaction.prepare_cached(sql)?;
            for (id, at) in touched {
                update.execute(params![id, at.secs, at.nanos])?;
            }
            Ok(())
        })
    }

    /// Handles of variants that were removed on purpose, and when.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tombstones(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let sql = "SELECT handle_key, laid_secs, laid_nanos FROM tombstones";
        self.database.read(|connection| {
            let row = |row: &Row<'_>| Ok((row.get(0)?, timestamp(row, 1)?));
            connection.prepare_cached(sql)?.query_map([], row)?.collect()
        })
    }

    /// Forgets tombstones laid before `older_than`. Not synced.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn clear_tombstones(&self, older_than: Timestamp) -> Result<(), StoreError> {
        let sql = "DELETE FROM tombstones WHERE (laid_secs, laid_nanos) < (?1, ?2)";
        self.database.write(|transaction| {
            transaction.prepare_cached(sql)?.execute(params![older_than.secs, older_than.nanos])
        })?;
        Ok(())
    }
}

/// Seals a registration as it is now; tells how many there are of it.
fn seal(transaction: &Transaction<'_>, id: RegistrationId) -> rusqlite::Result<usize> {
    let sql = format!("UPDATE registrations SET seal = {OF_REGISTRATION} WHERE id = ?1");
    transaction.prepare_cached(&sql)?.execute([id])
}

/// Nothing when a name or handle is taken.
fn insert(
    transaction: &Transaction<'_>,
    new: &NewRegistration,
    now: Timestamp,
) -> rusqlite::Result<Option<RegistrationId>> {
    let id = transaction
        .prepare_cached(
            "INSERT INTO registrations (name, version_dir, h4, stem, handle_key, json, repository,
                 root, state, touched_secs, touched_nanos, created_secs, created_nanos)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?10, ?11)
             ON CONFLICT DO NOTHING RETURNING id",
        )?
        .query_row(
            params![
                new.name,
                new.version_dir,
                new.h4,
                new.stem,
                new.handle_key,
                new.json,
                path_bytes(&new.repository),
                new.root.as_deref().map(path_bytes),
                new.state,
                now.secs,
                now.nanos,
            ],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(id) = id {
        seal(transaction, id)?;
    }
    Ok(id)
}

fn registration(row: &Row<'_>) -> rusqlite::Result<Registration> {
    seals::hold(row, 15)?;
    Ok(Registration {
        id: row.get(0)?,
        name: row.get(1)?,
        version_dir: row.get(2)?,
        h4: row.get(3)?,
        stem: row.get(4)?,
        handle_key: row.get(5)?,
        json: row.get(6)?,
        repository: path(row, 7)?,
        root: optional_path(row, 8)?,
        state: row.get(9)?,
        touched: timestamp(row, 10)?,
        created: timestamp(row, 12)?,
        pinned: row.get(14)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::database::tests::STATEMENTS;

    fn registered(count: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let fill = |transaction: &Transaction<'_>| {
            for n in 0..count {
                let new = NewRegistration {
                    name: format!("package{n}"),
                    version_dir: "1.0.0".into(),
                    h4: "8418".into(),
                    stem: "a".into(),
                    handle_key: format!("handle {n}"),
                    json: "{}".into(),
                    repository: "/sw/pkg".into(),
                    root: None,
                    state: RegistrationState::Served,
                };
                insert(transaction, &new, Timestamp::now())?.unwrap();
            }
            Ok(())
        };
        store.database.write(fill).unwrap();
        dir
    }

    #[test]
    fn opening_takes_as_many_statements_for_a_hundred_thousand_registrations_as_for_one() {
        let [one, many] = [1, 100_000].map(|count| {
            let dir = registered(count);
            let before = STATEMENTS.load(Ordering::Relaxed);
            let store = Store::open(dir.path()).unwrap();
            assert_eq!(store.registrations().unwrap().len(), count as usize);
            STATEMENTS.load(Ordering::Relaxed) - before
        });
        assert_eq!(one, many);
    }

    #[test]
    fn readers_do_not_wait_for_a_writer() {
        let dir = registered(3);
        let store = Store::open(dir.path()).unwrap();
        let seen = store.database.write(|transaction| {
            transaction.execute("DELETE FROM registrations", [])?;
            Ok(store.registrations().unwrap().len())
        });
        assert_eq!(seen.unwrap(), 3);
        assert!(store.registrations().unwrap().is_empty());
    }
}
