//! Open files.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    sync::{Arc, OnceLock},
};

use parking_lot::{Mutex, RwLock};
use pkgfs_store::{FileKey, RegistrationId};

use crate::{
    ViewError,
    hydration::{Flight, Local, Wanted},
    node::{Part, SlotId},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// An open file. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandleId(pub u64);

#[derive(Clone)]
pub(crate) enum Handle {
    Payload(Arc<OpenPayload>),
    Writable(Arc<OpenWritable>),
    /// `<inc>.json` or `.copying-<inc>`, kept in the registry.
    Mark(SlotId, Part, Arc<Written>),
}

/// A file of a payload.
pub(crate) struct OpenPayload {
    pub registration: RegistrationId,
    pub wanted: Wanted,
    /// Its bytes, once they are local.
    pub local: OnceLock<Local>,
    /// The fetch that was under way when it was opened, or that it began: what that brings is this
    /// handle's, whatever becomes of the file.
    pub joined: Mutex<Option<Arc<Flight>>>,
    /// Whether its first read has been counted as a hit or a miss.
    pub counted: AtomicBool,
}

/// A file below `.sys` or of a tree that rez is copying in.
pub(crate) struct OpenWritable {
    pub file: Arc<File>,
    /// A handle that rez is writing to `.sys/pending`.
    pub pending: bool,
    pub written: Written,
    /// The copy it belongs to.
    pub staging: Option<RegistrationId>,
    /// Set when that copy is sealed. Held for reading while a write is under way.
    pub revoked: RwLock<bool>,
}

/// Whether something was written through a handle that no close has looked at yet. A handle is closed
/// more than once where a process was forked; each of them returns when what was written has taken
/// effect.
#[derive(Default)]
pub(crate) struct Written {
    is_new: AtomicBool,
    looking: tokio::sync::Mutex<()>,
}

impl Written {
    /// What was written by a process before this one is looked at, too.
    pub(crate) fn inherited() -> Self {
        let written = Self::default();
        written.note();
        written
    }

    pub(crate) fn note(&self) {
        self.is_new.store(true, Ordering::Relaxed);
    }

    /// Has `effect` look at what is new. What it could not do is left to the next close.
    pub(crate) async fn take_effect<E>(
        &self,
        effect: impl AsyncFnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let _turn = self.looking.lock().await;
        if !self.is_new.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        effect().await.inspect_err(|_| self.note())
    }
}

/// Bits of a handle's number that count; those above tell the life of the view that gave it.
const LIFE_SHIFT: u32 = 48;

pub(crate) struct Handles {
    life: u16,
    last: AtomicU64,
    open: Mutex<HashMap<HandleId, Handle>>,
}

impl Handles {
    pub(crate) fn new(life: u16) -> Self {
        let last = AtomicU64::new(u64::from(life) << LIFE_SHIFT);
        Self { life, last, open: Mutex::default() }
    }

    /// Whether a process before this one gave this handle, and it is not known here.
    pub(crate) fn is_inherited(&self, id: HandleId) -> bool {
        id.0 != 0
            && id.0 >> LIFE_SHIFT != u64::from(self.life)
            && !self.open.lock().contains_key(&id)
    }

    /// Makes a handle of the process before mean something.
    pub(crate) fn adopt(&self, id: HandleId, handle: Handle) {
        self.open.lock().entry(id).or_insert(handle);
    }

    pub(crate) fn add(&self, handle: Handle) -> HandleId {
        let id = HandleId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        self.open.lock().insert(id, handle);
        id
    }

    pub(crate) fn get(&self, id: HandleId) -> Result<Handle, ViewError> {
        self.open.lock().get(&id).cloned().ok_or(ViewError::Stale)
    }

    pub(crate) fn remove(&self, id: HandleId) {
        self.open.lock().remove(&id);
    }

    /// The registrations whose payloads have open files.
    pub(crate) fn registrations(&self) -> HashSet<RegistrationId> {
        let open = self.open.lock();
        let payloads = open.values().filter_map(|handle| match handle {
            Handle::Payload(file) => Some(file.registration),
            _ => None,
        });
        payloads.collect()
    }

    /// The open files of one payload.
    pub(crate) fn of_payload(&self, registration: RegistrationId) -> Vec<Arc<OpenPayload>> {
        let open = self.open.lock();
        let payloads = open.values().filter_map(|handle| match handle {
            Handle::Payload(file) if file.registration == registration => Some(Arc::clone(file)),
            _ => None,
        });
        payloads.collect()
    }

    /// The files of payloads that are open.
    pub(crate) fn files(&self) -> HashSet<FileKey> {
        let open = self.open.lock();
        let payloads = open.values().filter_map(|handle| match handle {
            Handle::Payload(file) => Some(file.wanted.key),
            _ => None,
        });
        payloads.collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// From now on nothing is written through handles into this copy: when it returns,
    /// writes that were under way have ended.
    pub(crate) fn revoke(&self, registration: RegistrationId) {
        let of_copy: Vec<_> = {
            let open = self.open.lock();
            let writable = open.values().filter_map(|handle| match handle {
                Handle::Writable(file) if file.staging == Some(registration) => {
                    Some(Arc::clone(file))
                }
                _ => None,
            });
            writable.collect()
        };
        of_copy.iter().for_each(|file| *file.revoked.write() = true);
    }
}
