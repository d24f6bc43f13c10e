//! Registrations found by place, handle or number: a store with very many need not be read
//! before it is used.

use rusqlite::{OptionalExtension, Params, Row, params};

use super::{Registration, RegistrationId, RegistrationState, SELECT, registration};
use crate::{Store, StoreError};

/// The two upper levels of where a registration is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegisteredVersion {
    /// The package's name.
    pub name: String,
    /// The version's directory.
    pub version_dir: String,
}

/// How many registrations there are, by where their payloads are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registered {
    /// At origin, or in the store from rez's finished copy.
    pub ready: usize,
    /// rez's own copy is under way.
    pub copying: usize,
    /// Of all, those that are pinned.
    pub pinned: usize,
}

impl Store {
    /// The registrations of one version of a package, in the order they were made.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn registrations_of(
        &self,
        name: &str,
        version_dir: &str,
    ) -> Result<Vec<Registration>, StoreError> {
        let sql = format!("{SELECT} WHERE name = ?1 AND version_dir = ?2 ORDER BY id");
        self.all(&sql, [name, version_dir], registration)
    }

    /// Whether anything is registered of a package.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_registered(&self, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM registrations WHERE name = ?1";
        self.database.read(|connection| connection.prepare_cached(sql)?.exists([name]))
    }

    /// The names of all packages of which something is registered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn registered_names(&self) -> Result<Vec<String>, StoreError> {
        self.all("SELECT DISTINCT name FROM registrations", [], |row| row.get(0))
    }

    /// The directories of all versions of a package of which something is registered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn registered_versions_of(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT version_dir FROM registrations WHERE name = ?1";
        self.all(sql, [name], |row| row.get(0))
    }

    /// All versions of which something is registered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn registered_versions(&self) -> Result<Vec<RegisteredVersion>, StoreError> {
        self.all("SELECT DISTINCT name, version_dir FROM registrations", [], version)
    }

    /// The version that the variant of this handle is registered in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn version_of_handle(
        &self,
        handle_key: &str,
    ) -> Result<Option<RegisteredVersion>, StoreError> {
        let sql = "SELECT name, version_dir FROM registrations WHERE handle_key = ?1";
        self.one(sql, [handle_key])
    }

    /// The version that a registration is of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn version_of_registration(
        &self,
        id: RegistrationId,
    ) -> Result<Option<RegisteredVersion>, StoreError> {
        self.one("SELECT name, version_dir FROM registrations WHERE id = ?1", params![id])
    }

    /// How many registrations there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn registered(&self) -> Result<Registered, StoreError> {
        let sql = "SELECT coalesce(sum(state <> ?1), 0), coalesce(sum(state = ?1), 0),
                          (SELECT count(*) FROM pins)
                   FROM registrations";
        self.database.read(|connection| {
            connection.prepare_cached(sql)?.query_row([RegistrationState::Copying], |row| {
                Ok(Registered { ready: row.get(0)?, copying: row.get(1)?, pinned: row.get(2)? })
            })
        })
    }

    fn all<T>(
        &self,
        sql: &str,
        parameters: impl Params + Copy,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.database.read(|connection| {
            connection.prepare_cached(sql)?.query_map(parameters, &read)?.collect()
        })
    }

    fn one(
        &self,
        sql: &str,
        parameters: impl Params + Copy,
    ) -> Result<Option<RegisteredVersion>, StoreError> {
        self.database.read(|connection| {
            connection.prepare_cached(sql)?.query_row(parameters, version).optional()
        })
    }
}

fn version(row: &Row<'_>) -> rusqlite::Result<RegisteredVersion> {
    Ok(RegisteredVersion { name: row.get(0)?, version_dir: row.get(1)? })
}
