//! How values are put into columns and read back. A value that cannot be read is an
//! error of conversion, which [`StoreError::database`](crate::StoreError) calls damage.

use std::path::PathBuf;

pub(crate) use pkgfs_manifest::os_name::path_bytes;
use pkgfs_manifest::{BlobDigest, Timestamp, os_name};
use rusqlite::{
    Row,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef},
};

use crate::{DirectoryId, RegistrationId, RegistrationState};

macro_rules! id_columns {
    ($($id:ident),*) => {$(
        impl ToSql for $id {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $id {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                u64::column_result(value).map(Self)
            }
        }
    )*};
}
id_columns!(RegistrationId, DirectoryId);

impl ToSql for RegistrationState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Copying => 0,
            Self::Served => 1,
            Self::Sealed => 2,
        }
        .into())
    }
}

impl FromSql for RegistrationState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self::Copying),
            1 => Ok(Self::Served),
            2 => Ok(Self::Sealed),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

/// A digest as its 32 bytes.
pub(crate) struct Digest(pub(crate) BlobDigest);

impl ToSql for Digest {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Digest {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        BlobDigest::try_from(value.as_blob()?).map(Self).map_err(FromSqlError::other)
    }
}

/// A path from its bytes in a column.
pub(crate) fn path(row: &Row<'_>, column: usize) -> rusqlite::Result<PathBuf> {
    os_name::path_from(row.get(column)?).ok_or_else(|| undecodable(column, NoPath))
}

/// The same, where there may be none.
pub(crate) fn optional_path(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<PathBuf>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => path(row, column).map(Some),
    }
}

/// Bytes that are no path of this system.
#[derive(Debug, thiserror::Error)]
#[error("it is no path")]
struct NoPath;

/// A moment from its two columns, seconds and the nanoseconds beside them.
pub(crate) fn timestamp(row: &Row<'_>, secs: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp { secs: row.get(secs)?, nanos: row.get(secs + 1)? })
}

/// The error for a column whose bytes are not what they should be.
pub(crate) fn undecodable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
}
