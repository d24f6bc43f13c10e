//! What was fetched ahead of all launches, and what of it nobody has read.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use pkgfs_store::{FileKey, RegistrationId};
use tokio::sync::Semaphore;

use super::run::Run;
use crate::{Amount, FetchedAhead};

/// Large files under way at a time: each is read by several threads of its own.
const LARGE_AT_ONCE: usize = 2;

/// What all launches fetched ahead, and the turns of what is being fetched.
pub(crate) struct Ahead {
    pub(super) small: Arc<Semaphore>,
    pub(super) large: Arc<Semaphore>,
    pub(super) directories: Semaphore,
    state: Mutex<State>,
    /// Files in it, so that most reads need not lock it.
    unread: AtomicUsize,
}

#[derive(Default)]
struct State {
    all: Amount,
    unread: HashMap<FileKey, Unread>,
    unread_bytes: u64,
    /// Variants that are led by profiles now, by how many launches.
    led: HashMap<RegistrationId, usize>,
}

/// A file that was fetched ahead.
pub(super) struct Unread {
    pub(super) registration: RegistrationId,
    pub(super) size: u64,
    pub(super) run: Weak<Run>,
}

impl Ahead {
    /// For storage that is asked for so many things at a time: some are left to those who wait.
    pub(super) fn new(parallel: usize) -> Self {
        Self {
            small: Arc::new(Semaphore::new((parallel / 2).max(1))),
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
            directories: Semaphore::new((parallel / 4).max(1)),
            state: Mutex::default(),
            unread: AtomicUsize::new(0),
        }
    }

    /// Somebody reads this file for the first time since it was opened.
    pub(crate) fn read(&self, file: FileKey) {
        if self.unread.load(Ordering::Relaxed) > 0 {
            self.settle(file, false);
        }
    }

    /// A variant was removed, or its tree replaced: its files have new numbers.
    pub(crate) fn forget(&self, registration: RegistrationId) {
        let of_variant: Vec<_> = {
            let state = self.state.lock();
            let unread = state.unread.iter().filter(|(_, file)| file.registration == registration);
            unread.map(|(key, _)| *key).collect()
        };
        of_variant.into_iter().for_each(|file| self.settle(file, false));
    }

    /// Whether a profile tells now what is read next of this variant.
    pub(crate) fn leads(&self, registration: RegistrationId) -> bool {
        self.state.lock().led.contains_key(&registration)
    }

    /// What was fetched ahead, and what of it nobody has read.
    pub(crate) fn amount(&self) -> FetchedAhead {
        let state = self.state.lock();
        let unread = Amount { files: state.unread.len() as u64, bytes: state.unread_bytes };
        FetchedAhead { all: state.all, unread }
    }

    /// Whether nobody has read a file that was fetched ahead.
    pub(super) fn is_unread(&self, file: FileKey) -> bool {
        self.state.lock().unread.contains_key(&file)
    }

    pub(super) fn begin_leading(&self, registration: RegistrationId) {
        *self.state.lock().led.entry(registration).or_default() += 1;
    }

    pub(super) fn end_leading(&self, registration: RegistrationId) {
        let mut state = self.state.lock();
        if let Some(launches) = state.led.get_mut(&registration) {
            *launches -= 1;
            if *launches == 0 {
                state.led.remove(&registration);
            }
        }
    }

    /// A file is being fetched.
    pub(super) fn fetching(&self, file: FileKey, unread: Unread) {
        let mut state = self.state.lock();
        state.all.files += 1;
        state.all.bytes += unread.size;
        state.unread_bytes += unread.size;
        state.unread.insert(file, unread);
        self.unread.store(state.unread.len(), Ordering::Relaxed);
    }

    /// A file is not unread any more: it was read, or could not be had.
    pub(super) fn settle(&self, file: FileKey, failed: bool) {
        let mut state = self.state.lock();
        let Some(Unread { size, run, .. }) = state.unread.remove(&file) else { return };
        state.unread_bytes -= size;
        if failed {
            state.all.files -= 1;
            state.all.bytes -= size;
        }
        self.unread.store(state.unread.len(), Ordering::Relaxed);
        drop(state);
        if let Some(run) = run.upgrade() {
            run.give_back(size);
        }
    }
}
