//! Whether the way to a place that is written to can be turned by others.
//!
//! The kernel's own guard (`fs.protected_symlinks`) covers only directories with the sticky bit, and
//! may be off. So a link on the way must be the system's or our own; and for root, whose files are worth a trap, each directory above must be one in which nobody
//! else can put anything in the place of what is there.
//!
//! The system is root, and whoever owns `/`: in a container that may be another number.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use crate::Turnable;

/// Links that a path may hold; the kernel's own bound.
const MOST_LINKS: usize = 40;

/// Looks at the way to an absolute path, as far as it is there; not at what it leads to.
pub(crate) fn turnable(path: &Path) -> io::Result<Option<Turnable>> {
    let own = rustix::process::geteuid().as_raw();
    let system = [0, own, fs::metadata("/")?.uid()];
    let mut here = PathBuf::from("/");
    let mut ahead: VecDeque<OsString> = parts(path);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let above = fs::metadata(&here)?;
        if own == 0 && !is_guarded(&above, &system) {
            return Ok(Some(Turnable::Directory { path: here, owner: above.uid() }));
        }
        let next = here.join(&name);
        let data = match fs::symlink_metadata(&next) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            data => data?,
        };
        if !data.is_symlink() {
            here = next;
            continue;
        }
        links += 1;
        if !system.contains(&data.uid()) || links > MOST_LINKS {
            return Ok(Some(Turnable::Link { path: next, owner: data.uid() }));
        }
        let target = fs::read_link(&next)?;
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        parts(&target).into_iter().rev().for_each(|part| ahead.push_front(part));
    }
    Ok(None)
}

/// The names in a path, from the first.
fn parts(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

/// Whether nobody but the system can take away what lies in a directory.
fn is_guarded(directory: &fs::Metadata, system: &[u32]) -> bool {
    let mode = directory.mode();
    let others_write = mode & 0o002 != 0 || mode & 0o020 != 0 && directory.gid() != 0;
    system.contains(&directory.uid()) && (!others_write || mode & 0o1000 != 0)
}
