//! What a program asks for next, told from what it has just read.
//!
//! Files that programs start from name their neighbours: a module names the modules that
//! it imports, compiled or not; a plug-in's description names the directory of its
//! resources. When somebody has read a small file that was not local, the files beside it
//! whose names stand in it are fetched ahead, and the directories listed, a few at a time.
//!
//! It is a guess, so it is bounded: what was fetched ahead of a variant and is still
//! unread never exceeds [`UNREAD`] plus half of what was asked for, and a file that was
//! only fetched ahead is not searched for names.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use pkgfs_manifest::{Entry, Kind};
use pkgfs_store::{Directory, FileKey, RegistrationId};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::{
    Amount, View, ViewError,
    hydration::{SMALL, Wanted},
    payload::{Origination, Payloads},
};

/// Bytes of a variant that may lie unread before anything of it was asked for.
const UNREAD: u64 = 512 << 10;
/// Files asked for ahead at a time.
const FILES_AT_ONCE: usize = 6;
/// Directories asked for ahead at a time.
const DIRECTORIES_AT_ONCE: usize = 1;
/// Where Python keeps compiled modules: beside what they name, one level up.
const COMPILED: &[u8] = b"__pycache__";
/// The stem of the file that stands for its directory.
const PACKAGE: &[u8] = b"__init__";
/// Guesses remembered of a variant until there is room for them.
const MOST_DEFERRED: usize = 1_000;
/// Directories with more entries than this are not searched for names.
const MOST_ENTRIES: usize = 4_096;

/// What was fetched ahead, and what became of it.
pub(crate) struct Foresight {
    /// Turns of files,
    files: Arc<Semaphore>,
    /// and of directories, which are named more often in vain.
    directories: Arc<Semaphore>,
    variants: Mutex<HashMap<RegistrationId, Variant>>,
}

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
}

/// A file that is likely to be read next.
#[derive(Clone)]
struct Guess {
    directory: Arc<Directory>,
    index: usize,
}

/// What was fetched ahead, in all and in vain so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FetchedAhead {
    /// Everything.
    pub all: Amount,
    /// What nobody has read yet.
    pub unread: Amount,
}

/// Names that stand in a file, and where they are looked for.
struct Search {
    /// The directory that holds the file.
    directory: Arc<Directory>,
    /// The file's own name,
    name: Box<[u8]>,
    /// and what follows its first dot, the dot included.
    suffix: Box<[u8]>,
    /// The directory whose subdirectories the file may name.
    beside: Arc<Directory>,
}

impl Default for Foresight {
    fn default() -> Self {
        Self {
            files: Arc::new(Semaphore::new(FILES_AT_ONCE)),
            directories: Arc::new(Semaphore::new(DIRECTORIES_AT_ONCE)),
            variants: Mutex::default(),
        }
    }
}

impl Foresight {
    /// Somebody reads this file for the first time since it was opened. Tells what may
    /// be fetched now that could not before.
    fn read(&self, registration: RegistrationId, key: FileKey, size: u64) -> Vec<Guess> {
        let mut variants = self.variants.lock();
        let variant = variants.entry(registration).or_default();
        if let Some(bytes) = variant.unread.remove(&key) {
            variant.unread_bytes -= bytes;
            variant.asked += bytes;
        } else if size <= SMALL && variant.taken.insert(key) {
            variant.asked += size;
        }
        let mut affordable = Vec::new();
        while let Some(guess) = variant.deferred.pop_front() {
            if !variant.take(&guess) {
                variant.deferred.push_front(guess);
                break;
            }
            affordable.push(guess);
        }
        affordable
    }

    /// Whether this file may be fetched ahead now; it is taken to be.
    fn take(&self, guess: Guess) -> bool {
        let mut variants = self.variants.lock();
        let variant = variants.entry(guess.directory.registration).or_default();
        let taken = variant.take(&guess);
        if !taken && variant.deferred.len() < MOST_DEFERRED {
            variant.deferred.push_back(guess);
        }
        taken
    }

    fn take_directory(&self, below: &Origination) -> bool {
        let mut variants = self.variants.lock();
        let variant = variants.entry(below.registration).or_default();
        variant.listed.insert(below.path.clone())
    }

    /// What was fetched ahead of all variants.
    pub(crate) fn amount(&self) -> FetchedAhead {
        let mut amount = FetchedAhead::default();
        for variant in self.variants.lock().values() {
            amount.all.files += variant.ahead.files;
            amount.all.bytes += variant.ahead.bytes;
            amount.unread.files += variant.unread.len() as u64;
            amount.unread.bytes += variant.unread_bytes;
        }
        amount
    }
}

impl Variant {
    /// Whether there is room for a guess. One that is taken already is room for nothing.
    fn take(&mut self, guess: &Guess) -> bool {
        let wanted = guess.wanted();
        let (key, size) = (wanted.key, wanted.state.size);
        let room = (UNREAD + self.asked / 2).saturating_sub(self.unread_bytes);
        if size > room {
            return false;
        }
        if self.taken.insert(key) {
            self.unread.insert(key, size);
            self.unread_bytes += size;
            self.ahead.files += 1;
            self.ahead.bytes += size;
        }
        true
    }
}

impl Guess {
    fn wanted(&self) -> Wanted {
        Payloads::wanted(&self.directory, self.index)
    }
}

impl View {
    /// Somebody reads this file for the first time since it was opened.
    pub(crate) fn first_read(self: &Arc<Self>, registration: RegistrationId, wanted: &Wanted) {
        for guess in self.foresight.read(registration, wanted.key, wanted.state.size) {
            self.fetch_file_ahead(guess);
        }
    }

    /// Somebody has read this file, which was not local, and these are its bytes.
    pub(crate) fn foresee(self: &Arc<Self>, key: FileKey, bytes: Arc<[u8]>) {
        let view = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(Some(search)) = view.search(key) {
                for found in search.run(&bytes) {
                    view.fetch_ahead(&search, found);
                }
            }
        });
    }

    fn search(&self, key: FileKey) -> Result<Option<Search>, ViewError> {
        let (directory, index) = self.payloads.entry(key)?;
        let name = directory.listing.entries()[index].name.clone();
        let dot = name.iter().position(|byte| *byte == b'.').unwrap_or(name.len());
        let suffix = Box::from(&name[dot..]);
        let above = match directory.path.strip_suffix(COMPILED) {
            Some(above) => {
                let above = above.strip_suffix(b"/").unwrap_or(above);
                self.payloads.known(directory.registration, above)?
            }
            None => Some(Arc::clone(&directory)),
        };
        Ok(above.map(|beside| Search { directory, name, suffix, beside }))
    }

    fn fetch_ahead(self: &Arc<Self>, search: &Search, found: Found) {
        match found {
            Found::File(index) => self.guess(&search.directory, index),
            Found::Directory(index) => {
                let Ok(below) = Payloads::below(&search.beside, index) else { return };
                if !self.foresight.take_directory(&below) {
                    return;
                }
                let compiled = !Arc::ptr_eq(&search.directory, &search.beside);
                let package = [PACKAGE, &search.suffix].concat();
                let names = [search.name.clone(), package.into_boxed_slice()];
                let view = Arc::clone(self);
                tokio::spawn(async move { view.list_ahead(below, compiled, &names).await });
            }
        }
    }

    fn guess(self: &Arc<Self>, directory: &Arc<Directory>, index: usize) {
        let guess = Guess { directory: Arc::clone(directory), index };
        if can_be_fetched(&directory.listing.entries()[index]) && self.foresight.take(guess.clone())
        {
            self.fetch_file_ahead(guess);
        }
    }

    /// Lists a directory and fetches those of these files that are in it.
    async fn list_ahead(
        self: Arc<Self>,
        below: Origination,
        compiled: bool,
        names: &[Box<[u8]>],
    ) -> Option<()> {
        let permit = Arc::clone(&self.foresight.directories).acquire_owned().await.ok()?;
        let mut directory = self.payloads.directory(below).await.ok()?;
        if compiled && let Some(index) = directory.listing.find(COMPILED) {
            let below = Payloads::below(&directory, index).ok()?;
            directory = self.payloads.directory(below).await.ok()?;
        }
        drop(permit);
        for name in names {
            if let Some(index) = directory.listing.find(name) {
                self.guess(&directory, index);
            }
        }
        Some(())
    }

    fn fetch_file_ahead(self: &Arc<Self>, guess: Guess) {
        let view = Arc::clone(self);
        tokio::spawn(async move {
            let _permit = Arc::clone(&view.foresight.files).acquire_owned().await;
            let wanted = guess.wanted();
            // Whoever asks for it meanwhile does not wait for its turn here.
            if let Ok(None) = view.store.content(wanted.key)
                && let Ok(flight) = view.fetch(&wanted)
            {
                flight.landed().await;
            }
        });
    }
}

fn can_be_fetched(entry: &Entry) -> bool {
    entry.kind == Kind::File && (1..=SMALL).contains(&entry.attributes.size)
}

/// A neighbour that a file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Found {
    /// An entry of the file's directory.
    File(usize),
    /// An entry of the directory beside.
    Directory(usize),
}

impl Search {
    /// The neighbours named in `bytes`, in the order in which they are first named.
    fn run(&self, bytes: &[u8]) -> Vec<Found> {
        let neighbours = self.neighbours();
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for word in words(bytes) {
            for neighbour in neighbours.named(word) {
                if seen.insert(*neighbour) {
                    found.push(*neighbour);
                }
            }
        }
        found
    }

    fn neighbours(&self) -> Neighbours<'_> {
        let mut neighbours = Neighbours::default();
        let own = self.directory.listing.entries();
        let beside = self.beside.listing.entries();
        if own.len() > MOST_ENTRIES || beside.len() > MOST_ENTRIES {
            return neighbours;
        }
        for (index, entry) in own.iter().enumerate() {
            if let Some(stem) = entry.name.strip_suffix(&*self.suffix)
                && can_be_fetched(entry)
                && entry.name != self.name
            {
                neighbours.add(stem, Found::File(index));
            }
        }
        for (index, entry) in beside.iter().enumerate() {
            if entry.kind == Kind::Directory && &*entry.name != COMPILED {
                neighbours.add(&entry.name, Found::Directory(index));
            }
        }
        neighbours
    }
}

/// What may be named, by the word that names it.
#[derive(Default)]
struct Neighbours<'a> {
    by_name: HashMap<&'a [u8], Vec<Found>>,
    /// For each first byte, the lengths of the names that begin with it, as a set of
    /// bits: most words are of no length in question.
    lengths: Lengths,
}

struct Lengths([u64; 256]);

impl Default for Lengths {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl<'a> Neighbours<'a> {
    fn add(&mut self, name: &'a [u8], found: Found) {
        if let Some(bit) = Lengths::bit(name) {
            self.lengths.0[usize::from(name[0])] |= bit;
            self.by_name.entry(name).or_default().push(found);
        }
    }

    fn named(&self, word: &[u8]) -> &[Found] {
        match Lengths::bit(word) {
            Some(bit) if self.lengths.0[usize::from(word[0])] & bit != 0 => {
                self.by_name.get(word).map_or(&[], Vec::as_slice)
            }
            _ => &[],
        }
    }
}

impl Lengths {
    /// The bit of a name's length; names that are longer than any module's have none.
    fn bit(name: &[u8]) -> Option<u64> {
        (1..64).contains(&name.len()).then(|| 1 << name.len())
    }
}

/// The words in a file, of text or of compiled form, in their order.
///
/// Compiled forms write the length of a name before it, and what follows the name may
/// look like more of it; so where a run of letters is at least as long as the byte before
/// it says, it is read both ways.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let of_run = |byte: &u8| OF_RUN[usize::from(*byte)];
    let mut at = 0;
    let runs = std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(of_run)?;
        let length = bytes[start..].iter().position(|byte| !of_run(byte));
        at = length.map_or(bytes.len(), |length| start + length);
        let run = &bytes[start..at];
        let told = start.checked_sub(1).map_or(0, |before| usize::from(bytes[before]));
        Some([run, run.get(..told).unwrap_or_default()])
    });
    runs.flatten().flat_map(|run| run.split(|byte| *byte == b'.')).filter(|word| !word.is_empty())
}

/// Bytes that names are made of, and the dot between them.
const OF_RUN: [bool; 256] = {
    let mut of_run = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        of_run[byte] = matches!(byte as u8, b'.' | b'_') || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    of_run
};
