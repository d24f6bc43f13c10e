//! Handing the kernel the store's own files.
//!
//! The kernel refuses (EIO) an inode that is open in two ways at once, or with two files; so for as
//! long as any handle of it is open, the way of the first stays that of all. A file stays registered
//! for a while after its last close, since most are opened again, and until a name is forgotten:
//! the kernel keeps its bytes on the disk meanwhile.

use std::{
    collections::HashMap,
    fs::File,
    io,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use fuser::BackingId;
use lru::LruCache;
use parking_lot::Mutex;

/// Files that stay registered though nobody has them open.
const MOST_IDLE: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// How each inode is open.
#[derive(Default)]
pub(crate) struct Backing {
    /// The kernel refused what it will refuse for every file.
    given_up: AtomicBool,
    inodes: Mutex<Inodes>,
}

struct Inodes {
    open: HashMap<u64, Open>,
    idle: LruCache<u64, Arc<BackingId>>,
}

impl Default for Inodes {
    fn default() -> Self {
        Self { open: HashMap::new(), idle: LruCache::new(MOST_IDLE) }
    }
}

struct Open {
    handles: usize,
    /// The file that the kernel reads; none where it asks us.
    file: Option<Arc<BackingId>>,
}

impl Backing {
    /// One more handle of this inode. Tells the file that the kernel is to read, if it is to read
    /// one: the one it reads already, or `local`, registered now.
    pub(crate) fn open(
        &self,
        ino: u64,
        local: Option<Arc<File>>,
        register: impl FnOnce(&File) -> io::Result<BackingId>,
    ) -> Option<Arc<BackingId>> {
        let Inodes { open, idle } = &mut *self.inodes.lock();
        let state = open.entry(ino).or_insert_with(|| {
            let local = local.filter(|_| !self.given_up.load(Ordering::Relaxed));
            let file = idle.pop(&ino).or_else(|| match register(&*local?) {
                Ok(id) => Some(Arc::new(id)),
                Err(error) => {
                    self.refused(&error);
                    None
                }
            });
            Open { handles: 0, file }
        });
        state.handles += 1;
        state.file.clone()
    }

    /// Whether the kernel has the file of this inode.
    pub(crate) fn has(&self, ino: u64) -> bool {
        let inodes = self.inodes.lock();
        match inodes.open.get(&ino) {
            Some(state) => state.file.is_some(),
            None => inodes.idle.contains(&ino),
        }
    }

    /// One handle less.
    pub(crate) fn close(&self, ino: u64) {
        let Inodes { open, idle } = &mut *self.inodes.lock();
        if let Some(state) = open.get_mut(&ino) {
            state.handles -= 1;
            if state.handles == 0
                && let Some(file) = open.remove(&ino).and_then(|state| state.file)
            {
                idle.push(ino, file);
            }
        }
    }

    /// Lets go of files that nobody has open.
    pub(crate) fn close_idle(&self) {
        let _idle = std::mem::replace(&mut self.inodes.lock().idle, LruCache::new(MOST_IDLE));
    }

    /// No file is handed over from now on.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// One file that cannot be handed over is read through us; where the right to hand over any is
    /// missing, or the store's file system is one that none can be handed over from, so are all.
    fn refused(&self, error: &io::Error) {
        let every =
            matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
                || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
        if every && !self.given_up.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the kernel takes no file of the store; it asks for bytes instead");
        } else {
            tracing::debug!(%error, "the kernel does not take a file of the store");
        }
    }
}
