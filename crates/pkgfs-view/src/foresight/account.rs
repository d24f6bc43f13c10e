//! What was fetched ahead of each variant, and what became of it: the bound.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use pkgfs_store::{Directory, FileKey, RegistrationId};
use serde::Serialize;

use crate::{
    Amount,
    hydration::{SMALL, Wanted},
    payload::{Origination, Payloads},
};

/// Bytes of a variant that may lie unread before anything of it was asked for.
const UNREAD: u64 = 512 << 10;
/// Guesses remembered of a variant until there is room for them.
const MOST_DEFERRED: usize = 1_000;

/// What was fetched ahead, in all and in vain so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FetchedAhead {
    /// Everything.
    pub all: Amount,
    /// What nobody has read yet.
    pub unread: Amount,
}

impl FetchedAhead {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        let sum = |one: Amount, other: Amount| Amount {
            files: one.files + other.files,
            bytes: one.bytes + other.bytes,
        };
        Self { all: sum(self.all, other.all), unread: sum(self.unread, other.unread) }
    }
}

/// A file that is likely to be read next.
#[derive(Clone)]
pub(super) struct Guess {
    pub(super) directory: Arc<Directory>,
    pub(super) index: usize,
}

impl Guess {
    pub(super) fn wanted(&self) -> Wanted {
        Payloads::wanted(&self.directory, self.index)
    }
}

/// The account of all variants.
#[derive(Default)]
pub(super) struct Account(Mutex<HashMap<RegistrationId, Variant>>);

/// What is known of one variant since it was first read.
#[derive(Default)]
struct Variant {
    /// Bytes of small files that somebody asked for.
    asked: u64,
    /// Fetched ahead, and not read yet.
    unread: HashMap<FileKey, u64>,
    unread_bytes: u64,
    /// All that was fetched ahead.
    ahead: Amount,
    /// Asked for or fetched ahead before.
    taken: HashSet<FileKey>,
    /// Named, but too large when they were.
    deferred: VecDeque<Guess>,
    listed: HashSet<Box<[u8]>>,
    /// Storage failed to give what was guessed, and nothing that was asked for since.
    failing: bool,
}

impl Account {
    /// Somebody reads this file for the first time since it was opened. Tells what may be
    /// fetched now that could not before; it is taken to be.
    pub(super) fn read(&self, registration: RegistrationId, key: FileKey, size: u64) -> Vec<Guess> {
        let mut variants = self.0.lock();
        let variant = variants.entry(registration).or_default();
        if let Some(bytes) = variant.unread.remove(&key) {
            variant.unread_bytes -= bytes;
            variant.asked += bytes;
        } else if size <= SMALL && variant.taken.insert(key) {
            variant.asked += size;
        }
        let mut affordable = Vec::new();
        while let Some(guess) = variant.deferred.pop_front() {
            match variant.take(&guess) {
                Room::Taken => affordable.push(guess),
                Room::None => {
                    variant.deferred.push_front(guess);
                    break;
                }
                Room::Needless => {}
            }
        }
        affordable
    }

    /// Whether this file may be fetched ahead now; it is taken to be.
    pub(super) fn take(&self, guess: Guess) -> bool {
        let mut variants = self.0.lock();
        let variant = variants.entry(guess.directory.registration).or_default();
        let room = variant.take(&guess);
        if room == Room::None && variant.deferred.len() < MOST_DEFERRED {
            variant.deferred.push_back(guess);
        }
        room == Room::Taken
    }

    /// Whether this directory may be listed ahead; it is taken to be.
    pub(super) fn take_directory(&self, below: &Origination) -> bool {
        let mut variants = self.0.lock();
        let variant = variants.entry(below.registration).or_default();
        variant.listed.insert(below.path.clone())
    }

    /// Storage has given what somebody asked for.
    pub(super) fn answers(&self, registration: RegistrationId) {
        if let Some(variant) = self.0.lock().get_mut(&registration) {
            variant.failing = false;
        }
    }

    /// Storage has failed to give what was guessed: nothing more is guessed of this variant
    /// before storage has given something that was asked for.
    pub(super) fn fails(&self, registration: RegistrationId) {
        if let Some(variant) = self.0.lock().get_mut(&registration) {
            variant.failing = true;
            variant.deferred.clear();
        }
    }

    pub(super) fn is_failing(&self, registration: RegistrationId) -> bool {
        self.0.lock().get(&registration).is_none_or(|variant| variant.failing)
    }

    /// A file that was taken was not fetched.
    pub(super) fn give_back(&self, registration: RegistrationId, key: FileKey) {
        if let Some(variant) = self.0.lock().get_mut(&registration)
            && let Some(bytes) = variant.unread.remove(&key)
        {
            variant.unread_bytes -= bytes;
            variant.ahead.files -= 1;
            variant.ahead.bytes -= bytes;
            variant.taken.remove(&key);
        }
    }

    /// A variant was removed, or its tree replaced.
    pub(super) fn forget(&self, registration: RegistrationId) {
        self.0.lock().remove(&registration);
    }

    /// What was fetched ahead of all variants.
    pub(super) fn amount(&self) -> FetchedAhead {
        let mut amount = FetchedAhead::default();
        for variant in self.0.lock().values() {
            amount.all.files += variant.ahead.files;
            amount.all.bytes += variant.ahead.bytes;
            amount.unread.files += variant.unread.len() as u64;
            amount.unread.bytes += variant.unread_bytes;
        }
        amount
    }
}

/// What became of a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// There is room for it, and it has that now.
    Taken,
    /// It must wait until more was asked for.
    None,
    /// It has room already, or is not to be fetched.
    Needless,
}

impl Variant {
    fn take(&mut self, guess: &Guess) -> Room {
        let wanted = guess.wanted();
        let (key, size) = (wanted.key, wanted.state.size);
        if self.failing || self.taken.contains(&key) {
            return Room::Needless;
        }
        let room = (UNREAD + self.asked / 2).saturating_sub(self.unread_bytes);
        if size > room {
            return Room::None;
        }
        self.taken.insert(key);
        self.unread.insert(key, size);
        self.unread_bytes += size;
        self.ahead.files += 1;
        self.ahead.bytes += size;
        Room::Taken
    }
}
