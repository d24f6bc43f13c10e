//! The view's answers in the shape the kernel takes them in.

use std::time::Duration;

use fuser::{FileAttr, FileType, INodeNo};
use pkgfs_view::{Keep, NodeAttributes, NodeId, NodeKind};

/// "For ever": the kernel is told when something it keeps has changed.
const LASTING: Duration = Duration::from_secs(365 * 24 * 3600);

pub(crate) fn ttl(keep: Keep) -> Duration {
    match keep {
        Keep::Lasting => LASTING,
        Keep::Never => Duration::ZERO,
    }
}

pub(crate) fn node(ino: INodeNo) -> NodeId {
    NodeId::from_raw(ino.0)
}

pub(crate) fn ino(node: NodeId) -> INodeNo {
    INodeNo(node.raw())
}

pub(crate) fn file_type(kind: NodeKind) -> FileType {
    match kind {
        NodeKind::File => FileType::RegularFile,
        NodeKind::Directory => FileType::Directory,
        NodeKind::Link => FileType::Symlink,
        NodeKind::Fifo => FileType::NamedPipe,
        NodeKind::Socket => FileType::Socket,
        NodeKind::CharDevice => FileType::CharDevice,
        NodeKind::BlockDevice => FileType::BlockDevice,
    }
}

pub(crate) fn attributes(shown: &NodeAttributes) -> FileAttr {
    let mtime = shown.mtime.to_system_time();
    FileAttr {
        ino: ino(shown.node),
        size: shown.size,
        blocks: shown.size.div_ceil(512),
        atime: mtime,
        mtime,
        ctime: mtime,
        crtime: mtime,
        kind: file_type(shown.kind),
        perm: shown.mode,
        nlink: shown.links,
        uid: shown.uid,
        gid: shown.gid,
        // The protocol carries 32 bits, in the kernel's own packing.
        rdev: shown.device as u32,
        blksize: 4096,
        flags: 0,
    }
}

/// What makes the kernel remember that a name does not exist: node number 0.
pub(crate) fn absent() -> FileAttr {
    let none = std::time::UNIX_EPOCH;
    FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: none,
        mtime: none,
        ctime: none,
        crtime: none,
        kind: FileType::RegularFile,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    }
}
