//! What one directory held when it was read.
//!
//! Encoded with postcard behind one byte that names the version of the encoding, so
//! that a reader of another version refuses instead of misreading. Entries are sorted
//! by the bytes of their names; an entry's place in that order is its index, and a
//! listing never changes, so (directory, index) names a file for good.

use serde::{Deserialize, Serialize};

use crate::Attributes;

/// Version of the encoding, its first byte.
const VERSION: u8 = 1;

/// One directory of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    attributes: Attributes,
    entries: Vec<Entry>,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name, in the platform's own bytes (any but `/` and NUL on Unix).
    pub name: Box<[u8]>,
    /// What it is.
    pub kind: Kind,
    /// Its attributes; for an entry shown in the place of a link, those of what the
    /// link points to.
    pub attributes: Attributes,
    /// Where its content lies, if not at `<directory's source>/<name>`: an absolute
    /// path at origin. Set for what is shown in the place of a link that leaves the
    /// variant but stays in a configured repository.
    pub source: Option<Box<[u8]>>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with the target as shown.
    Link(Box<[u8]>),
    /// Shown, never opened.
    Special(Special),
}

/// What is shown but never opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Special {
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
    /// A character device and its number.
    CharDevice(u64),
    /// A block device and its number.
    BlockDevice(u64),
}

/// These bytes are not an encoded listing of a version that this program reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a directory listing of version {VERSION}")]
pub struct NotAListing;

impl Listing {
    /// A listing of these entries, in any order. Of two with the same name (a
    /// directory read while it changed) one is kept.
    #[must_use]
    pub fn new(attributes: Attributes, mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|a, b| a.name == b.name);
        Self { attributes, entries }
    }

    /// Attributes of the directory itself.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The entries, sorted by the bytes of their names.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Index of the entry of this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        self.entries.binary_search_by(|entry| (*entry.name).cmp(name)).ok()
    }

    /// Encodes the listing for storing or sending.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION])
            .expect("writing to a vector does not fail and every part has a known length")
    }

    /// Reads an encoded listing.
    ///
    /// # Errors
    /// [`NotAListing`] for anything that [`encode`](Self::encode) of this version did
    /// not write: another version, cut short, bytes left over, unsorted, or with a name that no
    /// directory can hold.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotAListing> {
        let [VERSION, body @ ..] = bytes else { return Err(NotAListing) };
        let (listing, rest) = postcard::take_from_bytes::<Self>(body).map_err(|_| NotAListing)?;
        let sorted = listing.entries.is_sorted_by(|a, b| a.name < b.name);
        let sound = listing.attributes.are_sound() && listing.entries.iter().all(Entry::is_sound);
        if rest.is_empty() && sorted && sound { Ok(listing) } else { Err(NotAListing) }
    }
}

impl Entry {
    /// Whether it can be a directory's: its name is one name, and where its content lies does
    /// not depend on where it is read.
    fn is_sound(&self) -> bool {
        let lies_somewhere = |source: &[u8]| source.starts_with(b"/") && !source.contains(&0);
        let target_is_text = match &self.kind {
            Kind::Link(target) => !target.contains(&0),
            _ => true,
        };
        is_name(&self.name)
            && self.source.as_deref().is_none_or(lies_somewhere)
            && target_is_text
            && self.attributes.are_sound()
    }
}

/// Whether these bytes name something in a directory: joined to its path, they never lead out of it.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
}
