//! Who may do what with files: the access list of the store's directory, which all in it inherits,
//! and the read-only attribute of blobs.

use std::{
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
};

use pkgfs_win32::{deletion, identity, ownership};

/// What a user is known by: the text of a security identifier.
pub(crate) type UserId = String;

/// The owner of a directory, where that is another than this process's user. What an administrator
/// makes belongs to all of them, who get everywhere anyway.
pub(crate) fn other_owner(path: &Path, _metadata: &Metadata) -> io::Result<Option<UserId>> {
    let owner = ownership::owner(path)?;
    Ok((owner != ownership::own_user()? && !ownership::is_system(&owner)).then_some(owner))
}

/// Makes a directory that is this user's alone.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    ownership::make_private_dir(path)
}

/// Makes a directory in a private one; it is no less so, since it inherits that.
pub(crate) fn make_dir_inside(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// Keeps others out of a directory, and of all in it.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    if ownership::is_private(path)? { Ok(()) } else { ownership::make_private(path) }
}

/// Makes a directory; who may do what with it is not told by permission bits here.
pub(crate) fn make_dir_with(path: &Path, _mode: u16) -> io::Result<()> {
    fs::create_dir(path)
}

/// Makes a file read-only.
pub(crate) fn protect(path: &Path) -> io::Result<()> {
    deletion::set_read_only(path, true)
}

/// The same, if this is its only name.
pub(crate) fn protect_if_alone(file: &File, metadata: &Metadata, path: &Path) -> io::Result<()> {
    if metadata.permissions().readonly() || !is_alone(file, metadata)? {
        return Ok(());
    }
    protect(path)
}

/// Whether a file has no other name.
pub(crate) fn is_alone(file: &File, _metadata: &Metadata) -> io::Result<bool> {
    Ok(identity::links(file)? == 1)
}

/// The same of what was not opened.
pub(crate) fn is_alone_at(path: &Path, metadata: &Metadata) -> io::Result<bool> {
    is_alone(&identity::open_to_look(path)?, metadata)
}

/// Lets this user take away what lies in a directory, and the directory: here nothing but its own
/// attribute is in the way, which deleting passes over.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn open_up(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Deletes a file or a link, read-only or not.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    deletion::delete(path)
}

/// Deletes an empty directory.
pub(crate) fn remove_dir(path: &Path) -> io::Result<()> {
    deletion::delete(path)
}

/// Deletes a file that others may be reading, so that its name is free. Where the file system keeps
/// a name until the last of them is done, the file is moved aside first, and goes from there then,
/// or with the next opening of the store.
pub(crate) fn remove_blob(path: &Path, aside: impl FnOnce() -> PathBuf) -> io::Result<()> {
    if deletion::delete_at_once(path)? {
        return Ok(());
    }
    let aside = aside();
    fs::rename(path, &aside)?;
    if let Err(error) = deletion::delete(&aside) {
        tracing::debug!("{} stays until the store is next opened: {error}", aside.display());
    }
    Ok(())
}

/// Gives a file a name that another may have, which loses it: also one that is read-only, or being
/// read.
pub(crate) fn replace(from: &Path, to: &Path, aside: impl FnOnce() -> PathBuf) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            match remove_blob(to, aside) {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Err(error),
                removed => removed?,
            }
            fs::rename(from, to)
        }
        renamed => renamed,
    }
}
