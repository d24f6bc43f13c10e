//! Who may do what with files: permission bits.

use std::{
    fs::{self, DirBuilder, File, Metadata, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// What a user is known by.
pub(crate) type UserId = u32;

const PRIVATE: u32 = 0o700;
const READ_ONLY: u32 = 0o400;

/// The owner of a directory, where that is another than this process's user.
pub(crate) fn other_owner(_path: &Path, metadata: &Metadata) -> io::Result<Option<UserId>> {
    let owner = metadata.uid();
    Ok((owner != rustix::process::geteuid().as_raw()).then_some(owner))
}

/// Makes a directory that is this user's alone.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(PRIVATE).create(path)
}

/// Makes a directory in a private one; it is no less so.
pub(crate) fn make_dir_inside(path: &Path) -> io::Result<()> {
    make_private_dir(path)
}

/// Keeps others out of a directory.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(PRIVATE))
}

/// Makes a directory with these permission bits; its owner always gets in.
pub(crate) fn make_dir_with(path: &Path, mode: u16) -> io::Result<()> {
    DirBuilder::new().mode(u32::from(mode) | PRIVATE).create(path)
}

/// Takes the write bits from a file.
pub(crate) fn protect(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(READ_ONLY))
}

/// The same, if this is its only name and it has more than it should.
pub(crate) fn protect_if_alone(file: &File, metadata: &Metadata, _path: &Path) -> io::Result<()> {
    if metadata.mode() & 0o7777 == READ_ONLY || metadata.nlink() != 1 {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(READ_ONLY))
}

/// Whether a file has no other name.
pub(crate) fn is_alone(_file: &File, metadata: &Metadata) -> io::Result<bool> {
    Ok(metadata.nlink() == 1)
}

/// The same of what was not opened.
pub(crate) fn is_alone_at(_path: &Path, metadata: &Metadata) -> io::Result<bool> {
    Ok(metadata.nlink() == 1)
}

/// Lets this user take away what lies in a directory, and the directory.
pub(crate) fn open_up(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(PRIVATE))
}

/// Deletes a file or a link.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Deletes an empty directory.
pub(crate) fn remove_dir(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}

/// Deletes a file that others may be reading, so that its name is free. `aside` is where it may be
/// moved for that.
pub(crate) fn remove_blob(path: &Path, _aside: impl FnOnce() -> PathBuf) -> io::Result<()> {
    fs::remove_file(path)
}

/// Gives a file a name that another may have, which loses it. `aside` is where that may be moved.
pub(crate) fn replace(from: &Path, to: &Path, _aside: impl FnOnce() -> PathBuf) -> io::Result<()> {
    fs::rename(from, to)
}
