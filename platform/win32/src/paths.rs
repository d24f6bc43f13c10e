//! Paths in the form that people and other programs write.

use std::{
    io,
    path::{Component, Path, PathBuf, Prefix},
};

/// The path without links, and without the prefix (`\\\\?\\`) that it need not have.
///
/// # Errors
/// When it is not there.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    let mut components = real.components();
    let Some(Component::Prefix(prefix)) = components.next() else { return Ok(real) };
    let plain = match prefix.kind() {
        Prefix::VerbatimDisk(letter) => PathBuf::from(format!("{}:", char::from(letter))),
        Prefix::VerbatimUNC(server, share) => Path::new(r"\\").join(server).join(share),
        _ => return Ok(real),
    };
    let mut whole = plain.into_os_string();
    whole.push(components.as_path());
    // Some names mean something else without the prefix (`nul`, or a dot at the end).
    let whole = PathBuf::from(whole);
    Ok(if std::path::absolute(&whole)? == whole { whole } else { real })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_no_prefix_that_it_need_not_have() {
        let dir = tempfile::tempdir().unwrap();
        let real = real(dir.path()).unwrap();
        assert!(matches!(real.components().next(),
            Some(Component::Prefix(prefix)) if matches!(prefix.kind(), Prefix::Disk(_))));
        assert_eq!(real.canonicalize().unwrap(), dir.path().canonicalize().unwrap());
    }
}
