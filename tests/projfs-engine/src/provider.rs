//! What a volume asks a provider, and on whose behalf.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Code, Wide, listing::EntryBuffer, notify::Notification, records::Version};

/// Locks, also after a panic elsewhere: a test that failed must still be able to end.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// The program whose call is served, which can go away while it waits.
#[derive(Clone, Default)]
pub struct Asker(Arc<Mutex<Asking>>);

#[derive(Default)]
struct Asking {
    gone: bool,
    next: u64,
    hooks: HashMap<u64, Hook>,
}

impl Asker {
    /// Whether the program has gone away.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        lock(&self.0).gone
    }

    /// The program goes away: whatever it waits for is told.
    pub fn go(&self) {
        let hooks: Vec<Hook> = {
            let mut asking = lock(&self.0);
            asking.gone = true;
            asking.hooks.values().cloned().collect()
        };
        for hook in hooks {
            hook();
        }
    }

    /// Calls `hook` when the program goes away, now if it has, until the guard is dropped.
    pub fn on_going(&self, hook: impl Fn() + Send + Sync + 'static) -> Going {
        let hook: Hook = Arc::new(hook);
        let (id, gone) = {
            let mut asking = lock(&self.0);
            asking.next += 1;
            let id = asking.next;
            asking.hooks.insert(id, Arc::clone(&hook));
            (id, asking.gone)
        };
        if gone {
            hook();
        }
        Going(self.clone(), id)
    }
}

/// A hook that is still wanted.
pub struct Going(Asker, u64);

impl Drop for Going {
    fn drop(&mut self) {
        lock(&self.0.0).hooks.remove(&self.1);
    }
}

/// One notification.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Of what.
    pub notification: Notification,
    /// Of which item; empty where it comes from outside the root.
    pub path: Wide,
    /// Whether that is a directory.
    pub directory: bool,
    /// Where it goes: for renames and hard links.
    pub destination: Option<Wide>,
    /// For a deletion: whether the file had been written through the same handle.
    pub modified: bool,
}

/// A listing's place in it.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The directory.
    pub path: Wide,
    /// Its version.
    pub version: Version,
    /// The session.
    pub session: u128,
}

/// Who has what is not on disk. Calls wait for the answer; they end early, with
/// [`Code::OPERATION_ABORTED`], when the program goes away.
pub trait Provider: Send + Sync {
    /// `PRJ_GET_PLACEHOLDER_INFO_CB`: the provider hands the placeholder in before it answers.
    fn placeholder(&self, asker: &Asker, path: &Wide, parent: &Version) -> Result<(), Code>;
    /// `PRJ_START_DIRECTORY_ENUMERATION_CB`.
    fn start_listing(&self, asker: &Asker, listing: &Listing) -> Result<(), Code>;
    /// `PRJ_GET_DIRECTORY_ENUMERATION_CB`. `restart` and `single` are the flags of the call.
    fn list(
        &self,
        asker: &Asker,
        listing: &Listing,
        pattern: Option<&Wide>,
        restart: bool,
        single: bool,
        buffer: &Arc<Mutex<EntryBuffer>>,
    ) -> Result<(), Code>;
    /// `PRJ_END_DIRECTORY_ENUMERATION_CB`.
    fn end_listing(&self, listing: &Listing);
    /// `PRJ_GET_FILE_DATA_CB` for the item with number `stream`, which had `path` at first.
    fn data(
        &self,
        asker: &Asker,
        path: &Wide,
        version: &Version,
        stream: u64,
        offset: u64,
        length: u32,
    ) -> Result<(), Code>;
    /// `PRJ_QUERY_FILE_NAME_CB`; `None` where the provider has none.
    fn exists(&self, asker: &Asker, path: &Wide) -> Option<Result<bool, Code>>;
    /// Whether there is a `PRJ_NOTIFICATION_CB`.
    fn is_notified(&self) -> bool;
    /// `PRJ_NOTIFICATION_CB`: the mask it answers with.
    fn notify(&self, asker: &Asker, notice: &Notice) -> Result<u32, Code>;
}

/// No provider: it has ended, or died.
pub struct Gone;

impl Provider for Gone {
    fn placeholder(&self, _: &Asker, _: &Wide, _: &Version) -> Result<(), Code> {
        Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE)
    }

    fn start_listing(&self, _: &Asker, _: &Listing) -> Result<(), Code> {
        Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE)
    }

    fn list(
        &self,
        _: &Asker,
        _: &Listing,
        _: Option<&Wide>,
        _: bool,
        _: bool,
        _: &Arc<Mutex<EntryBuffer>>,
    ) -> Result<(), Code> {
        Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE)
    }

    fn end_listing(&self, _: &Listing) {}

    fn data(&self, _: &Asker, _: &Wide, _: &Version, _: u64, _: u64, _: u32) -> Result<(), Code> {
        Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE)
    }

    fn exists(&self, _: &Asker, _: &Wide) -> Option<Result<bool, Code>> {
        Some(Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE))
    }

    fn is_notified(&self) -> bool {
        false
    }

    fn notify(&self, _: &Asker, _: &Notice) -> Result<u32, Code> {
        Ok(0)
    }
}
