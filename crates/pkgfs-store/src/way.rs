//! Whether the way to a place that is written to can be turned by others.
//!
//! Who may write in a directory may put a link in the place of what lies there, and what is written
//! by path goes where the link leads. So a link on the way must be the system's or our own; what
//! else is asked differs between systems.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{UserId, sys};

/// Somebody else decides where the way leads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Turnable {
    /// A symbolic link that is another user's.
    #[error("{} is a link that user {owner} made", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// Its owner.
        owner: UserId,
    },
    /// A directory in which others can put something else in the place of what is there.
    #[error("user {owner} or others can change what lies in {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: UserId,
    },
}

/// Looks at the way to an absolute path, as far as it is there; not at what it leads to.
///
/// # Errors
/// What the system said, where a part of it cannot be looked at.
pub fn turnable(path: &Path) -> io::Result<Option<Turnable>> {
    sys::turnable(path)
}
