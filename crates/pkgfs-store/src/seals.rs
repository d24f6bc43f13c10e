//! Seals: short digests of rows, kept beside them.
//!
//! SQLite sees a damaged page when its structure does not hold, and not when a path in it has
//! another letter or a number another bit. What a wrong one of would have somebody read the wrong
//! bytes is sealed: which variant a registration is of, what a directory held, which blob holds a
//! file's bytes. A row whose seal does not match is damage like any other.
//!
//! In SQL, `seal(…)` is the seal of its arguments.

use rusqlite::{Connection, Row, functions::FunctionFlags, types::ValueRef};

use crate::columns::undecodable;

/// What a registration's seal covers: all but the moments, which change with each use.
pub(crate) const OF_REGISTRATION: &str =
    "seal(id, name, version_dir, h4, stem, handle_key, json, repository, root, state)";
/// What the seal of a listing covers, with the row of its directory.
pub(crate) const OF_LISTING: &str = "seal(id, registration, path, source, anchor, listing)";
/// What the seal of a content covers.
pub(crate) const OF_CONTENT: &str = "seal(directory, entry, digest)";

/// A row is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("a row's seal does not match")]
pub(crate) struct Broken;

/// Refuses a row of which this column says that its seal does not match.
pub(crate) fn hold(row: &Row<'_>, column: usize) -> rusqlite::Result<()> {
    if row.get(column)? { Ok(()) } else { Err(undecodable(column, Broken)) }
}

/// Makes `seal` known to a connection.
pub(crate) fn teach(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("seal", -1, flags, |context| {
        let mut hasher = blake3::Hasher::new();
        for n in 0..context.len() {
            // Each part says what it is and where it ends.
            let mut part = |kind: u8, bytes: &[u8]| {
                hasher.update(&[kind]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
            };
            match context.get_raw(n) {
                ValueRef::Null => part(0, &[]),
                ValueRef::Integer(number) => part(1, &number.to_le_bytes()),
                ValueRef::Real(number) => part(2, &number.to_le_bytes()),
                ValueRef::Text(text) => part(3, text),
                ValueRef::Blob(bytes) => part(4, bytes),
            }
        }
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        Ok(i64::from_le_bytes(first))
    })
}
