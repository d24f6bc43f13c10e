//! What Windows says of files, in the manifest's words.
//!
//! There are no mode bits. All may read (0444), and whoever the origin keeps out is kept out by it:
//! what its access lists say is not translated. Directories may be entered, and files run whose
//! names end as those of programs do (0555).

use std::{
    fs::{File, Metadata},
    io,
    path::Path,
};

use pkgfs_manifest::{Attributes, FileState, Kind};
use pkgfs_win32::identity;

use crate::{
    NameKind,
    backend::{Ask, Found},
};

/// Endings of programs: what `PATHEXT` names by default and can be run without another program
/// being chosen for it.
const PROGRAMS: [&str; 4] = ["exe", "com", "bat", "cmd"];

/// What an open file is that has this path.
pub(super) fn found(file: &File, path: &Path) -> io::Result<Found> {
    let meta = file.metadata()?;
    // Some file systems number nothing, and all is on one device then.
    let device = identity::id(file).map_or(0, |id| id.volume);
    found_in(&meta, path, device)
}

/// What has this name and these attributes.
pub(super) fn found_in(meta: &Metadata, name: &Path, device: u64) -> io::Result<Found> {
    let kind = match name_kind(meta) {
        NameKind::Link => None,
        NameKind::Directory => Some(Kind::Directory),
        NameKind::File | NameKind::Special => Some(Kind::File),
    };
    let runs = kind == Some(Kind::File)
        && name.extension().is_some_and(|ending| {
            PROGRAMS.iter().any(|program| ending.eq_ignore_ascii_case(program))
        });
    let mode = match kind {
        None => 0o777,
        Some(Kind::Directory) => 0o555,
        _ if runs => 0o555,
        _ => 0o444,
    };
    let size = if kind == Some(Kind::File) { meta.len() } else { 0 };
    let mtime = meta.modified()?.into();
    Ok(Found { kind, attributes: Attributes { size, mode, uid: 0, gid: 0, mtime }, device })
}

/// What a name is. Links are symbolic links and junctions: reparse points that stand for another
/// name. Other reparse points (of a file that lies elsewhere until it is read) are files and
/// directories.
pub(super) fn name_kind(meta: &Metadata) -> NameKind {
    match () {
        () if meta.is_symlink() => NameKind::Link,
        () if meta.is_dir() => NameKind::Directory,
        () => NameKind::File,
    }
}

/// What an open file is, and its state. Windows has no way to ask past what the redirector
/// remembers of an open file; for how long it may, its settings say (`FileInfoCacheLifetime`).
pub(crate) fn state(file: &File, _: Ask) -> io::Result<(NameKind, FileState)> {
    let meta = file.metadata()?;
    let mtime = meta.modified()?.into();
    Ok((name_kind(&meta), FileState { size: meta.len(), mtime }))
}
