//! What the platforms call a file by.
//!
//! A [`NodeId`] carries its meaning: a file of a payload is (directory listing, index),
//! and listings never change, so the number needs no table, costs no memory and means
//! the same file for as long as the store stands. Only the few writable files are
//! numbered by a table ([`crate::writable`]).

use pkgfs_store::{DirectoryId, FileKey};

/// The number of a file or directory in the view. Never reused for something else
/// while a daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(u64);

/// One remembered place of a variant in a `<h4>` directory: its `<inc>`, `<inc>.json`
/// and `.copying-<inc>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SlotId(pub u64);

/// A registry directory (`<name>`, `<name>/<version>` or `<name>/<version>/<h4>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LevelId(pub u64);

/// A file or directory below `.sys`, or of a tree that rez is copying in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WritableId(pub u64);

/// What a slot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// `<inc>.json`
    Json,
    /// `.copying-<inc>`
    Copying,
    /// `<inc>`
    Payload,
}

/// What a [`NodeId`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Root,
    Level(LevelId),
    Slot(SlotId, Part),
    Entry(FileKey),
    Writable(WritableId),
}

/// Bits 61 and 62 tell the kinds apart; bit 63 stays clear, since some programs read
/// inode numbers as signed.
const KIND_SHIFT: u32 = 61;
const BODY: u64 = (1 << KIND_SHIFT) - 1;
const PART_SHIFT: u32 = 59;
const SLOT_BITS: u32 = 40;
const SLOT: u64 = (1 << SLOT_BITS) - 1;
const EPOCHS: u64 = 1 << (PART_SHIFT - SLOT_BITS);
const INDEX_BITS: u32 = 24;

/// The most entries a directory may have for each to have a number.
pub(crate) const MOST_ENTRIES: usize = 1 << INDEX_BITS;

impl NodeId {
    /// The root of the view.
    pub const ROOT: Self = Self(1);

    /// The node a platform names by this number. Any number may come from outside:
    /// one that means nothing is found out when it is used.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number for the platform: never 0, below 2^63.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The root of a slot's payload. It has another number each time its tree was
    /// replaced: the kernel keeps what lies below a directory's number for as long as
    /// anything there is open, whatever it is told of the name.
    pub(crate) fn payload(slot: SlotId, epoch: u64) -> Self {
        Self(Self::from(Node::Slot(slot, Part::Payload)).0 | (epoch % EPOCHS) << SLOT_BITS)
    }

    /// Whether it is a file or directory of a payload (its root aside), whose content
    /// never changes under this number.
    #[must_use]
    pub fn is_payload(self) -> bool {
        matches!(self.decode(), Some(Node::Entry(_)))
    }

    /// Whether it is one of the files that rez writes: below `.sys`, or of a copy that is
    /// under way.
    #[must_use]
    pub fn is_writable(self) -> bool {
        matches!(self.decode(), Some(Node::Writable(_)))
    }

    pub(crate) fn decode(self) -> Option<Node> {
        let body = self.0 & BODY;
        match self.0 >> KIND_SHIFT {
            0 if body == 1 => Some(Node::Root),
            0 if body > 1 => Some(Node::Level(LevelId(body - 2))),
            1 => {
                let part = match body >> PART_SHIFT {
                    0 => Part::Json,
                    1 => Part::Copying,
                    2 => Part::Payload,
                    _ => return None,
                };
                Some(Node::Slot(SlotId(body & SLOT), part))
            }
            2 => Some(Node::Entry(FileKey {
                directory: DirectoryId(body >> INDEX_BITS),
                entry: (body & (MOST_ENTRIES as u64 - 1)) as u32,
            })),
            3 => Some(Node::Writable(WritableId(body))),
            _ => None,
        }
    }
}

impl From<Node> for NodeId {
    fn from(node: Node) -> Self {
        let (kind, body) = match node {
            Node::Root => return Self::ROOT,
            Node::Level(LevelId(id)) => (0, id + 2),
            Node::Slot(SlotId(id), part) => (1, (part as u64) << PART_SHIFT | id & SLOT),
            Node::Entry(key) => (2, key.directory.0 << INDEX_BITS | u64::from(key.entry)),
            Node::Writable(WritableId(id)) => (3, id),
        };
        debug_assert!(body <= BODY, "{node:?} does not fit into a node number");
        Self(kind << KIND_SHIFT | body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_node_is_read_back_from_its_number() {
        let nodes = [
            Node::Root,
            Node::Level(LevelId(0)),
            Node::Level(LevelId(123_456)),
            Node::Slot(SlotId(0), Part::Json),
            Node::Slot(SlotId(7), Part::Copying),
            Node::Slot(SlotId((1 << 40) - 1), Part::Payload),
            Node::Entry(FileKey { directory: DirectoryId(1), entry: 0 }),
            Node::Entry(FileKey {
                directory: DirectoryId((1 << 37) - 1),
                entry: MOST_ENTRIES as u32 - 1,
            }),
            Node::Writable(WritableId(1)),
        ];
        for node in nodes {
            let id = NodeId::from(node);
            assert_eq!(id.decode(), Some(node));
            assert!(id.raw() != 0 && id.raw() < 1 << 63);
        }
        let replaced = NodeId::payload(SlotId(7), 3);
        assert_eq!(replaced.decode(), Some(Node::Slot(SlotId(7), Part::Payload)));
        assert_ne!(replaced, NodeId::payload(SlotId(7), 4));
        assert_eq!(NodeId::from_raw(0).decode(), None);
        assert_eq!(NodeId::from_raw(u64::MAX).decode(), None);
    }
}
