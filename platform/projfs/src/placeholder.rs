//! What ProjFS is told of an item: its placeholder, and the version by which it is known again.
//!
//! A version says what an item's bytes are: the digest where the store knows it, and the number of the
//! node. ProjFS keeps both with the placeholder and hands them back, so a file is hydrated by what it
//! *is*, not by what its path leads to meanwhile. A later life of the mount may be another store's, whose
//! numbers mean other files, so it hydrates nothing of an earlier one.

use std::sync::Arc;

use pkgfs_view::{NodeId, Timestamp};

use crate::names::Wide;

/// `FILE_ATTRIBUTE_READONLY`
pub(crate) const READONLY: u32 = 0x1;
/// `FILE_ATTRIBUTE_HIDDEN`
pub(crate) const HIDDEN: u32 = 0x2;
/// `FILE_ATTRIBUTE_DIRECTORY`
pub(crate) const DIRECTORY: u32 = 0x10;
/// `FILE_ATTRIBUTE_ARCHIVE`
pub(crate) const ARCHIVE: u32 = 0x20;
/// `FILE_ATTRIBUTE_REPARSE_POINT`
pub(crate) const REPARSE_POINT: u32 = 0x400;

/// `PRJ_PLACEHOLDER_ID_LENGTH`
pub(crate) const ID_LENGTH: usize = 128;
/// Who wrote a placeholder, and by which layout of its version.
const PROVIDER: &[u8] = b"pkgfs\x01";
const DIGEST_LENGTH: usize = 32;

/// `PRJ_PLACEHOLDER_VERSION_INFO`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) provider: [u8; ID_LENGTH],
    pub(crate) content: [u8; ID_LENGTH],
}

impl Version {
    /// Of a node in this life of the mount, with the digest of its bytes where that is known.
    pub(crate) fn of(life: u32, node: NodeId, digest: Option<&[u8; DIGEST_LENGTH]>) -> Self {
        let (mut provider, mut content) = ([0; ID_LENGTH], [0; ID_LENGTH]);
        provider[..PROVIDER.len()].copy_from_slice(PROVIDER);
        provider[PROVIDER.len()..PROVIDER.len() + 4].copy_from_slice(&life.to_le_bytes());
        if let Some(digest) = digest {
            content[..DIGEST_LENGTH].copy_from_slice(digest);
        }
        content[DIGEST_LENGTH..DIGEST_LENGTH + 8].copy_from_slice(&node.raw().to_le_bytes());
        Self { provider, content }
    }

    /// The node it is of; `None` where it is of another life, whose numbers may have been another
    /// store's.
    pub(crate) fn node(&self, life: u32) -> Option<NodeId> {
        let own = Self::of(life, NodeId::ROOT, None);
        if self.provider != own.provider {
            return None;
        }
        let number = self.content[DIGEST_LENGTH..DIGEST_LENGTH + 8].try_into().ok()?;
        Some(NodeId::from_raw(u64::from_le_bytes(number))).filter(|node| node.raw() != 0)
    }
}

/// What kind of item it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
    /// A symbolic link with its target as Windows takes it, to a directory or not.
    Link {
        target: Wide,
        directory: bool,
    },
}

/// `PRJ_FILE_BASIC_INFO`, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Basic {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) mtime: Timestamp,
    /// `FILE_ATTRIBUTE_…`
    pub(crate) attributes: u32,
}

impl Basic {
    /// A directory of the registry, or of the provider's own.
    pub(crate) fn directory(mtime: Timestamp) -> Self {
        Self { kind: Kind::Directory, size: 0, mtime, attributes: DIRECTORY }
    }

    /// Whether a program sees a directory.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory | Kind::Link { directory: true, .. })
    }

    /// The time as Windows counts it, for all four of an item's times.
    pub(crate) fn time(&self) -> i64 {
        filetime(self.mtime)
    }
}

/// What a placeholder is made of.
#[derive(Clone)]
pub(crate) struct Placeholder {
    pub(crate) basic: Basic,
    pub(crate) version: Version,
    /// A self-relative security descriptor; the directory's own rules where there is none.
    pub(crate) security: Option<Arc<[u8]>>,
}

/// Steps of 100 ns since 1601 (`FILETIME`); what lies before that is its beginning.
pub(crate) fn filetime(at: Timestamp) -> i64 {
    /// Seconds from 1601 to 1970.
    const EPOCH: i64 = 11_644_473_600;
    let seconds = at.secs.saturating_add(EPOCH);
    seconds.saturating_mul(10_000_000).saturating_add(i64::from(at.nanos) / 100).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_its_node_and_begins_with_the_digest() {
        let node = NodeId::from_raw(4711);
        let version = Version::of(3, node, Some(&[7; 32]));
        assert_eq!(version.node(3), Some(node));
        assert_eq!(version.node(4), None);
        assert!(version.content.starts_with(&[7; 32]));
        assert_eq!(Version::of(1, node, None).node(1), Some(node));
        assert_eq!(Version { provider: [0; 128], content: [1; 128] }.node(1), None);
    }

    #[test]
    fn times_are_counted_as_windows_does() {
        assert_eq!(filetime(Timestamp { secs: 0, nanos: 0 }), 116_444_736_000_000_000);
        assert_eq!(filetime(Timestamp { secs: 0, nanos: 1_500 }), 116_444_736_000_000_015);
        assert_eq!(filetime(Timestamp { secs: i64::MIN, nanos: 0 }), 0);
    }
}
