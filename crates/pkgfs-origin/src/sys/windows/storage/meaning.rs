//! What the system's errors mean ("System Error Codes").
//!
//! The standard library has a server that was not found be a file that was not found. So the
//! numbers are looked at, and never its kinds.

use std::{io, path::Path};

use crate::{Cause, sys::storage::find};

const ERROR_FILE_NOT_FOUND: i32 = 2;
const ERROR_PATH_NOT_FOUND: i32 = 3;
const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_INVALID_HANDLE: i32 = 6;
const ERROR_INVALID_DATA: i32 = 13;
const ERROR_GEN_FAILURE: i32 = 31;
const ERROR_NETWORK_ACCESS_DENIED: i32 = 65;
const ERROR_INVALID_NAME: i32 = 123;
const ERROR_BAD_PATHNAME: i32 = 161;
const ERROR_FILENAME_EXCED_RANGE: i32 = 206;
const ERROR_DIRECTORY: i32 = 267;
const ERROR_DELETE_PENDING: i32 = 303;
const ERROR_FILE_INVALID: i32 = 1006;
const ERROR_LOGON_FAILURE: i32 = 1326;
const ERROR_CANT_RESOLVE_FILENAME: i32 = 1921;
const ERROR_NOT_A_REPARSE_POINT: i32 = 4390;

/// The error number of what failed in a way that has none.
pub(crate) const FAILED: i32 = ERROR_GEN_FAILURE;
/// That of a file which was not given.
pub(crate) const NO_FILE: i32 = ERROR_INVALID_HANDLE;
/// That of an answer to another question.
pub(crate) const NONSENSE: i32 = ERROR_INVALID_DATA;
/// That of something which should be a directory.
pub(super) const NO_DIRECTORY: i32 = ERROR_DIRECTORY;

/// What a failed call on a path at origin means. What is none of these is a failure of storage and
/// says nothing about the file: `ERROR_BAD_NETPATH`, `ERROR_BAD_NET_NAME`,
/// `ERROR_NETNAME_DELETED`, `ERROR_SEM_TIMEOUT`, `ERROR_NOT_READY`, `ERROR_SHARING_VIOLATION`,
/// `ERROR_CANT_ACCESS_FILE` and their like.
pub(crate) fn cause(error: &io::Error, path: &Path) -> Cause {
    match code(error) {
        ERROR_FILE_NOT_FOUND | ERROR_INVALID_NAME | ERROR_BAD_PATHNAME | ERROR_DELETE_PENDING => {
            Cause::NotFound
        }
        ERROR_PATH_NOT_FOUND => without_parent(path),
        ERROR_ACCESS_DENIED | ERROR_NETWORK_ACCESS_DENIED | ERROR_LOGON_FAILURE => Cause::Denied,
        ERROR_DIRECTORY => Cause::NotADirectory,
        // What was open is of a volume that has changed since.
        ERROR_FILE_INVALID => Cause::Changed,
        other => Cause::Io(other),
    }
}

/// Whether what a path leads through is missing, or no directory, or whether a drive or share is
/// not there that should be: Windows has one error for all three.
fn without_parent(path: &Path) -> Cause {
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        match find(above) {
            Ok(found) if found.is_dir() => return Cause::NotFound,
            Ok(_) => return Cause::NotADirectory,
            Err(error) if is_gone(&error) => {}
            Err(error) => return Cause::Io(code(&error)),
        }
    }
    Cause::Io(ERROR_PATH_NOT_FOUND)
}

/// Whether a name is no longer there.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(code(error), ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND | ERROR_DELETE_PENDING)
}

/// Whether a link dangles, to which this happened when it was followed.
pub(crate) fn leads_nowhere(error: &io::Error) -> bool {
    is_gone(error)
        || matches!(
            code(error),
            ERROR_DIRECTORY
                | ERROR_INVALID_NAME
                | ERROR_BAD_PATHNAME
                | ERROR_FILENAME_EXCED_RANGE
                | ERROR_CANT_RESOLVE_FILENAME
        )
}

/// Whether what was read as a link is none.
pub(crate) fn is_no_link(error: &io::Error) -> bool {
    code(error) == ERROR_NOT_A_REPARSE_POINT
}

/// Whether storage cannot read past the client's cache: it is never asked to.
pub(crate) fn refuses_direct(_: &io::Error) -> bool {
    false
}

fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(FAILED)
}
