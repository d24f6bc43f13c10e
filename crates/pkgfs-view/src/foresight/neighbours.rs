//! What a file names of what lies beside it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use pkgfs_manifest::{Entry, Kind};
use pkgfs_store::Directory;

use super::words::words;
use crate::hydration::SMALL;

/// Where Python keeps compiled modules: beside what they name, one level up.
pub(super) const COMPILED: &[u8] = b"__pycache__";
/// Directories with more entries than this are not searched for names.
const MOST_ENTRIES: usize = 4_096;

/// Names that stand in a file, and where they are looked for.
pub(super) struct Search {
    /// The directory that holds the file.
    pub(super) directory: Arc<Directory>,
    /// The file's own name,
    pub(super) name: Box<[u8]>,
    /// and what follows its first dot, the dot included.
    pub(super) suffix: Box<[u8]>,
    /// The directory whose subdirectories the file may name.
    pub(super) beside: Arc<Directory>,
}

/// A neighbour that a file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Found {
    /// An entry of the file's directory.
    File(usize),
    /// An entry of the directory beside.
    Directory(usize),
}

impl Search {
    /// The neighbours named in `bytes`, in the order in which they are first named.
    pub(super) fn run(&self, bytes: &[u8]) -> Vec<Found> {
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

/// Whether a file comes in one answer.
pub(super) fn can_be_fetched(entry: &Entry) -> bool {
    entry.kind == Kind::File && (1..=SMALL).contains(&entry.attributes.size)
}
