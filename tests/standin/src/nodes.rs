//! The kernel's inodes and where in the source they are.
//!
//! A node is named by the inode number of the source; only the root is FUSE's 1. It remembers
//! the path it was last looked up by and the generation (birth time) of the file found there.
//! When something else stands at that path now, the node is stale, as an NFS handle is: the
//! kernel then looks the path up again. A node lives until the kernel has forgotten it as often
//! as it was told of it.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use fuser::{Errno, INodeNo};

/// Above the inode numbers that file systems hand out: marks numbers that are not the source's.
const FOREIGN: u64 = 1 << 63;

/// Which file this is, for as long as the source keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) ino: INodeNo,
    pub(crate) generation: u64,
}

impl Identity {
    /// The source's inode number, except where FUSE cannot have it: number 1, and files of
    /// another file system mounted below the source, whose numbers may repeat.
    pub(crate) fn of(metadata: &Metadata, device: u64) -> Self {
        let ino = metadata.ino();
        let ino = if metadata.dev() != device {
            FOREIGN | metadata.dev().rotate_left(40) ^ ino
        } else if ino == INodeNo::ROOT.0 {
            FOREIGN | ino
        } else {
            ino
        };
        // The kernel keeps 32 bits of a generation; the low bits of a birth time differ most.
        let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let generation = born.map_or(0, |born| born.as_nanos() as u64 & 0x7fff_ffff);
        Self { ino: INodeNo(ino), generation }
    }
}

/// What distinguishes the content of a file at one time from that at another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[derive(Debug)]
struct Node {
    path: Arc<Path>,
    generation: u64,
    opened: Option<Version>,
    known: u64,
}

/// The nodes of one mount.
#[derive(Debug)]
pub(crate) struct Nodes(Mutex<HashMap<INodeNo, Node>>);

impl Nodes {
    pub(crate) fn new(root: Identity) -> Self {
        let node = Node {
            path: Arc::from(Path::new("")),
            generation: root.generation,
            opened: None,
            known: 1,
        };
        Self(Mutex::new(HashMap::from([(INodeNo::ROOT, node)])))
    }

    /// The path of a node, relative to the source.
    pub(crate) fn path(&self, ino: INodeNo) -> Result<Arc<Path>, Errno> {
        self.lock().get(&ino).map(|node| Arc::clone(&node.path)).ok_or(Errno::ESTALE)
    }

    /// Whether what was found at the node's path is still the node.
    pub(crate) fn is_at(&self, ino: INodeNo, found: Identity) -> bool {
        let same = ino == found.ino || ino == INodeNo::ROOT;
        same && self.lock().get(&ino).is_some_and(|node| node.generation == found.generation)
    }

    /// Notes that the kernel is about to be told of this file once more.
    pub(crate) fn remember(&self, identity: Identity, path: Arc<Path>) {
        let mut nodes = self.lock();
        let node = nodes.entry(identity.ino).or_insert_with(|| Node {
            path: Arc::clone(&path),
            generation: identity.generation,
            opened: None,
            known: 0,
        });
        if node.generation != identity.generation {
            node.opened = None;
        }
        node.generation = identity.generation;
        node.path = path;
        node.known += 1;
    }

    pub(crate) fn forget(&self, ino: INodeNo, times: u64) {
        let mut nodes = self.lock();
        if let Some(node) = nodes.get_mut(&ino).filter(|_| ino != INodeNo::ROOT) {
            node.known = node.known.saturating_sub(times);
            if node.known == 0 {
                nodes.remove(&ino);
            }
        }
    }

    /// Notes the version an open found; true when the open before found the same.
    pub(crate) fn opened_unchanged(&self, ino: INodeNo, version: Version) -> bool {
        let mut nodes = self.lock();
        nodes.get_mut(&ino).is_some_and(|node| node.opened.replace(version) == Some(version))
    }

    /// The nodes at and below a path, deepest first.
    pub(crate) fn below(&self, path: &Path) -> Vec<(INodeNo, Arc<Path>)> {
        let nodes = self.lock();
        let below = nodes.iter().filter(|(_, node)| node.path.starts_with(path));
        let mut found: Vec<_> = below.map(|(&ino, node)| (ino, Arc::clone(&node.path))).collect();
        found.sort_by_key(|(_, path)| std::cmp::Reverse(path.components().count()));
        found
    }

    /// The nodes known by exactly this path: more than one when the source replaced it.
    pub(crate) fn at(&self, path: &Path) -> Vec<INodeNo> {
        let nodes = self.lock();
        nodes.iter().filter(|(_, node)| *node.path == *path).map(|(&ino, _)| ino).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<INodeNo, Node>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
