//! Registrations found by place, handle or number: a store with very many need not be read
//! before it is used.

use rusqlite::{OptionalExtension, Params, Row, params};

use super::{Registration, RegistrationId, SELECT, registration};
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
    pub ready: u64,
    /// rez's own copy is under way.
    pub copying: u64,
    /// Of all, those that are pinned.
    pub pinned: u64,
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

    /// The next registrations in the order of packages, versions and handles, of one package or of all,
    /// at most `count`: those that follow `after`, from the first one without it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn registrations_after(
        &self,
        package: Option<&str>,
        after: Option<&Registration>,
        count: usize,
    ) -> Result<Vec<Registration>, StoreError> {
        let of = if package.is_some() { "name = ?5" } else { "?5 IS NULL" };
        let sql = format!(
            "{SELECT} WHERE {of} AND (name, version_dir, handle_key) > (?1, ?2, ?3)
             ORDER BY name, version_dir, handle_key LIMIT ?4"
        );
        let last = |of: fn(&Registration) -> &String| after.map_or("", |known| of(known));
        let (name, version) = (last(|known| &known.name), last(|known| &known.version_dir));
        let handle = last(|known| &known.handle_key);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.all(&sql, params![name, version, handle, count, package], registration)
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
