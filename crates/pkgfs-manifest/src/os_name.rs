//! The names of the system as bytes, which is what listings and the store keep.
//!
//! On Unix they are the bytes that the system uses. On Windows they are WTF-8: UTF-8 in which a
//! lone half of a surrogate pair, which a name there may hold, has the three bytes that UTF-8 would
//! give its number. So each name has exactly one form in bytes, and the other way round.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::sys;

/// The bytes of a name.
#[must_use]
pub fn bytes_of(name: &OsStr) -> &[u8] {
    sys::bytes_of(name)
}

/// The bytes of a path.
#[must_use]
pub fn path_bytes(path: &Path) -> &[u8] {
    bytes_of(path.as_os_str())
}

/// The name that has these bytes; none if the system knows no such name.
#[must_use]
pub fn name_from(bytes: Vec<u8>) -> Option<OsString> {
    sys::name_from(bytes)
}

/// The path that has these bytes; none if the system knows no such path.
#[must_use]
pub fn path_from(bytes: Vec<u8>) -> Option<PathBuf> {
    name_from(bytes).map(PathBuf::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_from_its_bytes() {
        for name in ["plain", "Grüße", "日本", "🦀"] {
            assert_eq!(bytes_of(name.as_ref()), name.as_bytes());
            assert_eq!(name_from(name.into()).unwrap(), name);
        }
    }
}
