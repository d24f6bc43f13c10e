//! Whether the way to a place that is written to can be turned by others: whether a link on it
//! (a symbolic link or a junction) is anybody's but the system's, its administrators' or our own.
//!
//! Directories are not asked who may exchange what lies in them. Who runs pkgfs as an administrator
//! or as a service has its store below `%ProgramData%` or a profile, where others may not.

use std::{fs, io, path::Path};

use pkgfs_win32::ownership;

use crate::Turnable;

/// Links that a path may hold; the system's own bound.
const MOST_LINKS: usize = 63;

/// Looks at the way to an absolute path, as far as it is there; not at what it leads to.
pub(crate) fn turnable(path: &Path) -> io::Result<Option<Turnable>> {
    turned(path, &ownership::own_user()?, MOST_LINKS)
}

fn turned(path: &Path, own: &str, links: usize) -> io::Result<Option<Turnable>> {
    let mut steps: Vec<&Path> = path.ancestors().collect();
    steps.reverse();
    for step in steps {
        let data = match fs::symlink_metadata(step) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            data => data?,
        };
        if !data.is_symlink() {
            continue;
        }
        let owner = ownership::owner(step)?;
        if links == 0 || owner != own && !ownership::is_system(&owner) {
            return Ok(Some(Turnable::Link { path: step.to_owned(), owner }));
        }
        // Where it leads, and by what ways of its own.
        let target = step.parent().unwrap_or(step).join(fs::read_link(step)?);
        if let Some(turnable) = turned(&target, own, links - 1)? {
            return Ok(Some(turnable));
        }
    }
    Ok(None)
}
