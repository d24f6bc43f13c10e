//! What storage says of a file, in the manifest's words.

use pkgfs_manifest::{Attributes, Kind};

use crate::{NameKind, Stat};

/// What a path leads to.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// What it is, unless it is a link.
    pub(crate) kind: Option<Kind>,
    pub(crate) attributes: Attributes,
    /// The device that holds it.
    pub(crate) device: u64,
}

impl Found {
    pub(crate) fn is_dir(&self) -> bool {
        self.kind == Some(Kind::Directory)
    }

    pub(crate) fn name_kind(&self) -> NameKind {
        match self.kind {
            None | Some(Kind::Link(_)) => NameKind::Link,
            Some(Kind::Directory) => NameKind::Directory,
            Some(Kind::File) => NameKind::File,
            Some(Kind::Special(_)) => NameKind::Special,
        }
    }

    pub(crate) fn stat(self) -> Stat {
        Stat { kind: self.name_kind(), attributes: self.attributes, device: self.device }
    }
}

/// A name in a directory, and what the directory tells of it without being asked again.
#[derive(Debug)]
pub(crate) struct Named<N> {
    pub(crate) name: N,
    pub(crate) kind: Option<NameKind>,
    pub(crate) found: Option<Found>,
}

/// Whether the answer may come from what the file system client remembers, or must
/// come from the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Client,
    Storage,
}
