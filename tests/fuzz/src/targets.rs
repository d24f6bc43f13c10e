//! The parsers, by who speaks to them.

pub(crate) mod rez;
pub(crate) mod said;
pub(crate) mod stored;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

/// A file and, after a NUL each, variables over it.
pub(crate) fn configuration(input: &[u8]) -> bool {
    let mut parts = input.split(|byte| *byte == 0);
    let file = parts.next().unwrap_or_default();
    let Ok(file) = std::str::from_utf8(file) else { return false };
    let variable = |part: &[u8]| -> Option<(OsString, OsString)> {
        let end = part.iter().position(|byte| *byte == b'=')?;
        let text = |bytes| OsStr::from_bytes(bytes).to_owned();
        Some((text(&part[..end]), text(&part[end + 1..])))
    };
    pkgfs::fuzzing::configuration(file, parts.filter_map(variable).collect())
}
