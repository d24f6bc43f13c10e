//! Names are bytes.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

pub(crate) fn bytes_of(name: &OsStr) -> &[u8] {
    name.as_bytes()
}

// All bytes are names.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn name_from(bytes: Vec<u8>) -> Option<OsString> {
    Some(OsString::from_vec(bytes))
}
