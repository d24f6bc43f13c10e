//! Directories are descriptors, and names are looked at below them; `system` is where Unix systems
//! differ.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::{
    env,
    ffi::CStr,
    fs::{self, DirBuilder},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

pub(crate) use rustix::io::Errno;
use rustix::{
    fs::{AtFlags, FileType as Type, Mode, OFlags, openat, statat},
    process::geteuid,
};

use crate::{
    directory::{Entry, FileType, Stat},
    observation::{Identity, Moment},
};

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;
pub(crate) use system::{Buffer, at_hand, is_local};

/// An open directory.
pub(crate) type Dir = OwnedFd;

/// Opens a directory of another for listing and for looking at names in it; links are followed.
pub(crate) fn open(at: &Dir, name: &CStr) -> Result<Dir, Errno> {
    openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// The same by its path.
pub(crate) fn open_path(path: &Path) -> Result<Dir, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(rustix::fs::CWD, path, flags, Mode::empty())
}

/// Whether two names are of one file.
pub(crate) fn is_same_name(one: &CStr, other: &CStr) -> bool {
    one == other
}

/// The location of a repository as rez has it: the path without links.
pub(crate) fn location(path: &Path) -> std::io::Result<PathBuf> {
    path.canonicalize()
}

/// The entries of a directory, in its order, without `.` and `..`.
pub(crate) fn list(dir: &Dir, buffer: &mut Buffer) -> Result<Vec<Entry>, Errno> {
    let mut entries = Vec::new();
    system::entries(dir, buffer, |name, kind| {
        if !matches!(name.to_bytes(), b"." | b"..") {
            entries.push(Entry { name: name.to_owned(), listed: file_type(kind) });
        }
    })?;
    Ok(entries)
}

/// Finds out what an entry is, links not followed, where the listing does not say.
pub(crate) fn resolve(at: &Dir, entry: &mut Entry) -> Result<(), Errno> {
    if entry.listed == FileType::Unknown {
        match statat(at, &*entry.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => entry.listed = file_type(Type::from_raw_mode(stat.st_mode)),
            // It is gone: a look will say so again.
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// What a name leads to; `None` if to nothing.
pub(crate) fn look(at: &Dir, name: &CStr) -> Result<Option<Stat>, Errno> {
    match statat(at, name, AtFlags::empty()) {
        Ok(stat) => Ok(Some(told(&stat))),
        // A loop of links leads nowhere, and a name that is too long is nobody's.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What an open directory is.
pub(crate) fn stat(dir: &Dir) -> Result<Stat, Errno> {
    rustix::fs::fstat(dir).map(|stat| told(&stat))
}

/// What a path leads to.
pub(crate) fn stat_path(path: &Path) -> Result<Stat, Errno> {
    rustix::fs::stat(path).map(|stat| told(&stat))
}

/// Whether this user may keep an index there: root only where nobody else could replace it.
pub(crate) fn may_keep_index(directory: &Path) -> bool {
    let mut existing = directory.ancestors().filter_map(|path| fs::metadata(path).ok());
    !geteuid().is_root() || existing.all(|metadata| metadata.uid() == 0)
}

/// Where this user keeps what can be made anew (XDG base directory specification).
pub(crate) fn cache_directory() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let set = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    set.or_else(|| Some(env::home_dir().filter(absolute)?.join(".cache")))
}

/// Makes a directory that is this user's alone, and those above it.
pub(crate) fn make_private_dir(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn file_type(kind: Type) -> FileType {
    match kind {
        Type::Directory => FileType::Directory,
        Type::RegularFile => FileType::File,
        Type::Symlink => FileType::Link,
        Type::Unknown => FileType::Unknown,
        _ => FileType::Other,
    }
}

// The types of these fields differ between architectures.
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn told(stat: &rustix::fs::Stat) -> Stat {
    Stat {
        kind: file_type(Type::from_raw_mode(stat.st_mode)),
        identity: Identity {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as i64,
            modified: Moment(stat.st_mtime as i64, stat.st_mtime_nsec as u32),
            changed: Moment(stat.st_ctime as i64, stat.st_ctime_nsec as u32),
        },
    }
}
