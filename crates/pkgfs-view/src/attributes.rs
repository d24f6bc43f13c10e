//! What the view tells of a file, and how long a platform may go on believing it.

use pkgfs_manifest::{Attributes, Entry, Kind, Special, Timestamp};

use crate::NodeId;

/// The three write bits, which no payload shows.
const WRITE_BITS: u16 = 0o222;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Process or thread, as the daemon sees it; 0 if it cannot be seen from here.
    pub pid: u32,
}

/// What kind of file a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// The attributes of a node as the view shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAttributes {
    /// Its number.
    pub node: NodeId,
    /// Its kind.
    pub kind: NodeKind,
    /// Bytes; for a link the length of its target.
    pub size: u64,
    /// The twelve permission bits.
    pub mode: u16,
    /// Hard links. 1 for a directory: "not counted".
    pub links: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last modification.
    pub mtime: Timestamp,
    /// Number of a device.
    pub device: u64,
}

/// How long a platform may keep an answer without asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Until told otherwise ([`crate::Caches`]).
    Lasting,
    /// Not at all: it changes without notice.
    Never,
}

/// A node that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub attributes: NodeAttributes,
    /// How long the name may be taken to mean this node.
    pub name: Keep,
    /// How long the attributes may be taken as current.
    pub values: Keep,
}

/// The answer to a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The name exists.
    Found(Found),
    /// It does not, which may be believed for this long.
    Absent(Keep),
}

impl NodeAttributes {
    /// How an entry of a payload shows: as on origin, less every write bit.
    pub(crate) fn of_entry(node: NodeId, entry: &Entry) -> Self {
        let Attributes { size, mode, uid, gid, mtime } = entry.attributes;
        let (kind, size, device) = match &entry.kind {
            Kind::File => (NodeKind::File, size, 0),
            Kind::Directory => (NodeKind::Directory, size, 0),
            Kind::Link(target) => (NodeKind::Link, target.len() as u64, 0),
            Kind::Special(Special::Fifo) => (NodeKind::Fifo, 0, 0),
            Kind::Special(Special::Socket) => (NodeKind::Socket, 0, 0),
            Kind::Special(Special::CharDevice(number)) => (NodeKind::CharDevice, 0, *number),
            Kind::Special(Special::BlockDevice(number)) => (NodeKind::BlockDevice, 0, *number),
        };
        // The kernel never asks for a link's mode, and ls shows it: as it is.
        let mode = if kind == NodeKind::Link { mode } else { mode & !WRITE_BITS };
        Self { node, kind, size, mode, links: 1, uid, gid, mtime, device }
    }
}
