//! Paths as the bytes they are: they need not be UTF-8.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

pub(crate) fn bytes(name: &OsStr) -> &[u8] {
    name.as_bytes()
}

/// `None` for what is no name on this system.
pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    Some(OsString::from_vec(bytes))
}

/// What of `path` lies below `root`; names are compared as the system does.
pub(crate) fn below<'a>(path: &'a Path, root: &Path) -> Option<&'a Path> {
    path.strip_prefix(root).ok()
}
