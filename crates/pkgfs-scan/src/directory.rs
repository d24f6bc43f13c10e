//! What is in a directory, and what that is to rez.
//!
//! A look answers `None` for what is not there, as `os.path.isdir` and `os.path.isfile` answer False;
//! any other failure is told, since "did not answer" is not "does not exist".

use std::ffi::{CStr, CString};

use pkgfs_rez::repository::Kind;

use crate::{
    observation::Identity,
    sys::{Dir, Errno, look},
};

/// A name in a directory and what the listing says of it.
pub(crate) struct Entry {
    pub(crate) name: CString,
    pub(crate) listed: FileType,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    Directory,
    File,
    Link,
    Other,
    /// The listing does not say.
    Unknown,
}

/// What is told of something that is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) kind: FileType,
    pub(crate) identity: Identity,
}

/// What an entry is, links followed; a look is taken only where the listing does not say.
pub(crate) fn kind(at: &Dir, entry: &Entry) -> Result<Kind, Errno> {
    if is_settled(entry) {
        return Ok(kind_of(entry.listed));
    }
    Ok(look(at, &entry.name)?.map_or(Kind::Other, |stat| kind_of(stat.kind)))
}

/// Whether what an entry is may change without a change of its directory.
pub(crate) fn is_settled(entry: &Entry) -> bool {
    !matches!(entry.listed, FileType::Link | FileType::Unknown)
}

/// What a name is to rez whose links were followed.
pub(crate) fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::Directory => Kind::Directory,
        FileType::File => Kind::File,
        _ => Kind::Other,
    }
}

/// Whether a name leads to a regular file.
pub(crate) fn is_file(at: &Dir, path: &CStr) -> Result<bool, Errno> {
    Ok(look(at, path)?.is_some_and(|stat| stat.kind == FileType::File))
}
