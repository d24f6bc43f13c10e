//! Names as Windows takes them: 16-bit units, and a zero at the end.

use std::{
    ffi::{OsStr, OsString},
    io, iter,
    os::windows::ffi::OsStrExt,
    path::{Component, Path, Prefix},
};

/// Longer paths are taken only in their verbatim form: a directory's must leave room for a short
/// name ("Maximum Path Length Limitation").
const LONG: usize = 247;

/// The units of a name, with the zero. One that has a zero itself means something else to Windows.
pub(crate) fn wide(name: impl AsRef<OsStr>) -> io::Result<Vec<u16>> {
    let mut units: Vec<u16> = name.as_ref().encode_wide().collect();
    if units.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a name holds a zero"));
    }
    units.extend(iter::once(0));
    Ok(units)
}

/// The units of a path, in its verbatim form where that is needed.
pub(crate) fn wide_path(path: &Path) -> io::Result<Vec<u16>> {
    let units = wide(path)?;
    if units.len() <= LONG {
        return Ok(units);
    }
    let absolute = std::path::absolute(path)?;
    let Some(Component::Prefix(prefix)) = absolute.components().next() else { return Ok(units) };
    let (start, plain) = match prefix.kind() {
        Prefix::Disk(_) => (r"\\?\", 0),
        Prefix::UNC(..) => (r"\\?\UNC\", 2),
        _ => return Ok(units),
    };
    let mut verbatim: Vec<u16> = OsString::from(start).encode_wide().collect();
    verbatim.extend(absolute.as_os_str().encode_wide().skip(plain));
    verbatim.push(0);
    Ok(verbatim)
}

/// What a call says that gives zero where it failed.
pub(crate) fn checked(answer: i32) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
