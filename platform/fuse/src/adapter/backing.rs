//! Handing the kernel the store's own files.
//!
//! The kernel refuses (EIO) an inode that is open in two ways at once, or with two files; so for as
//! long as any handle of it is open, the way of the first stays that of all, also in a process that
//! takes over. A file stays registered for a while after its last close, since most are opened again,
//! and until a name is forgotten: the kernel keeps its bytes on the disk meanwhile.

mod open_files;

use std::{
    collections::HashMap,
    fs::File,
    io,
    num::NonZeroUsize,
    os::fd::{AsRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use fuser::BackingId;
use lru::LruCache;
use parking_lot::Mutex;

use open_files::{OpenFile, OpenFiles};

use crate::sys;

/// Files that stay registered though nobody has them open.
const MOST_IDLE: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// How each inode is open.
pub(crate) struct Backing {
    device: Arc<OwnedFd>,
    /// The kernel refused what it will refuse for every file.
    given_up: AtomicBool,
    inodes: Mutex<Inodes>,
}

struct Inodes {
    open: HashMap<u64, Open>,
    idle: LruCache<u64, (u64, Arc<Registered>)>,
    noted: OpenFiles,
}

struct Open {
    handles: u32,
    /// The file that the kernel reads; none where it asks us.
    file: Option<Arc<Registered>>,
    /// Where it is noted.
    place: u64,
}

/// A file of the store that the kernel was given, until this is dropped.
pub(crate) struct Registered {
    number: u32,
    device: Arc<OwnedFd>,
}

impl Registered {
    fn new(device: &Arc<OwnedFd>, file: &File) -> io::Result<Self> {
        let number = BackingId::create_raw(&**device, file)?;
        Ok(Self { number, device: Arc::clone(device) })
    }

    /// The number that the kernel knows it by.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Err(error) = sys::take_back(&*self.device, self.number) {
            tracing::debug!(%error, fd = self.device.as_raw_fd(), "a file of the store stays with the kernel");
        }
    }
}

impl Open {
    fn noted(&self, ino: u64) -> OpenFile {
        let backing = self.file.as_ref().map_or(0, |file| file.number);
        OpenFile { ino, handles: self.handles, backing }
    }
}

impl Backing {
    /// With what a process before gave to the kernel through this device.
    pub(crate) fn new(device: OwnedFd, open_files: File) -> io::Result<Self> {
        let device = Arc::new(device);
        let (noted, found) = OpenFiles::open(open_files)?;
        let (mut open, mut idle) = (HashMap::new(), LruCache::new(MOST_IDLE));
        for (place, OpenFile { ino, handles, backing }) in found {
            let registered = || Registered { number: backing, device: Arc::clone(&device) };
            let file = (backing != 0).then(|| Arc::new(registered()));
            match file {
                Some(file) if handles == 0 => _ = idle.push(ino, (place, file)),
                file => _ = open.insert(ino, Open { handles, file, place }),
            }
        }
        let inodes = Mutex::new(Inodes { open, idle, noted });
        Ok(Self { device, given_up: AtomicBool::default(), inodes })
    }

    /// One more handle of this inode. Tells the file that the kernel is to read, if it is to read
    /// one: the one it reads already, or `local`, registered now.
    pub(crate) fn open(&self, ino: u64, local: Option<Arc<File>>) -> Option<Arc<Registered>> {
        let Inodes { open, idle, noted } = &mut *self.inodes.lock();
        let state = open.entry(ino).or_insert_with(|| {
            if let Some((place, file)) = idle.pop(&ino) {
                return Open { handles: 0, file: Some(file), place };
            }
            let local = local.filter(|_| !self.given_up.load(Ordering::Relaxed));
            let file = local.and_then(|local| match Registered::new(&self.device, &local) {
                Ok(file) => Some(Arc::new(file)),
                Err(error) => {
                    self.refused(&error);
                    None
                }
            });
            Open { handles: 0, file, place: noted.place() }
        });
        state.handles += 1;
        noted.write(state.place, state.noted(ino));
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
        let Inodes { open, idle, noted } = &mut *self.inodes.lock();
        let Some(state) = open.get_mut(&ino) else { return };
        state.handles = state.handles.saturating_sub(1);
        if state.handles > 0 {
            return noted.write(state.place, state.noted(ino));
        }
        let Some(state) = open.remove(&ino) else { return };
        let place = state.place;
        match &state.file {
            Some(file) => {
                noted.write(place, state.noted(ino));
                if let Some((_, (place, _))) = idle.push(ino, (place, Arc::clone(file))) {
                    noted.free(place);
                }
            }
            None => noted.free(place),
        }
    }

    /// Lets go of files that nobody has open.
    pub(crate) fn close_idle(&self) {
        let _idle = {
            let Inodes { idle, noted, .. } = &mut *self.inodes.lock();
            idle.iter().for_each(|(_, (place, _))| noted.free(*place));
            std::mem::replace(idle, LruCache::new(MOST_IDLE))
        };
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
