//! What is known of items that are not, or not only, on disk: placeholders, tombstones and links.
//! Kept as a journal, so that it outlives a provider that dies at any moment.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Wide, access::Descriptor, wide::Key};

/// The directory beside a root in which a volume keeps what NTFS would keep in reparse points.
#[must_use]
pub fn sidecar(root: &Path) -> PathBuf {
    let mut name = root.as_os_str().to_owned();
    name.push(".projfs-standin");
    name.into()
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A link, of its own kind, to `target`.
    Link {
        /// Where it leads, as it was given.
        target: Wide,
        /// Whether it was made as a link to a directory.
        directory: bool,
        /// Whether it is a junction.
        junction: bool,
    },
}

/// In which of the states of "Cache State In the Virtualization Root" an item is. Virtual items have
/// no record, and dirty is a mark beside these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Metadata are here.
    Placeholder,
    /// Data, too. Only files are ever this.
    Hydrated,
    /// Made or changed here.
    Full,
    /// Deleted here.
    Tombstone,
}

/// Times in 100 ns since 1601, as `FILETIME` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Creation.
    pub creation: i64,
    /// Last access.
    pub access: i64,
    /// Last write.
    pub write: i64,
    /// Last change of anything.
    pub change: i64,
}

/// `PRJ_PLACEHOLDER_VERSION_INFO`: what the provider wants to be told again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Whose.
    pub provider: Vec<u8>,
    /// Of which content.
    pub content: Vec<u8>,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its path below the root, in its own case.
    pub path: Wide,
    /// What it is.
    pub kind: Kind,
    /// Its state.
    pub state: State,
    /// Whether its metadata were changed here.
    pub dirty: bool,
    /// Its number; hard links share it.
    pub id: u64,
    /// Its size, where its data are not on disk.
    pub size: u64,
    /// Its attributes.
    pub attributes: u32,
    /// Its times.
    pub times: Times,
    /// Its own descriptor; without one the parent's is inherited.
    pub security: Option<Descriptor>,
    /// What the provider said of its version.
    pub version: Version,
    /// Its path when its placeholder was made.
    pub original: Wide,
    /// Which of its bytes are here.
    pub present: Vec<(u64, u64)>,
}

impl Record {
    /// Whether programs see it as a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory | Kind::Link { directory: true, .. })
    }

    /// The first range within `start..end` that is not here.
    #[must_use]
    pub fn absent(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let mut from = start;
        for (have_start, have_end) in &self.present {
            if *have_end <= from {
                continue;
            }
            if *have_start > from {
                return (from < end).then(|| (from, end.min(*have_start)));
            }
            from = *have_end;
        }
        (from < end).then_some((from, end))
    }

    /// Notes that `start..end` has come.
    pub fn arrived(&mut self, start: u64, end: u64) {
        self.present.push((start, end));
        self.present.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (start, end) in self.present.drain(..) {
            match merged.last_mut() {
                Some(last) if last.1 >= start => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        self.present = merged;
    }
}

/// One line of the journal.
#[derive(Serialize, Deserialize)]
struct Line {
    key: Wide,
    record: Option<Record>,
}

/// All records of a root.
pub struct Records {
    items: BTreeMap<Key, Record>,
    /// None once the root was left.
    journal: Option<File>,
    sidecar: PathBuf,
}

impl Records {
    /// Makes `root` a virtualization root; `None` where it is one already.
    pub fn create(root: &Path, instance: &[u8]) -> std::io::Result<Option<()>> {
        let sidecar = sidecar(root);
        match fs::create_dir(&sidecar) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(error),
        }
        fs::create_dir(sidecar.join("gone"))?;
        fs::write(sidecar.join("instance"), instance)?;
        File::create(sidecar.join("journal"))?;
        Ok(Some(()))
    }

    /// Opens what is known of `root`; `None` where it is no virtualization root.
    pub fn open(root: &Path) -> std::io::Result<Option<Self>> {
        let sidecar = sidecar(root);
        if !sidecar.join("instance").exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(sidecar.join("journal"))?;
        let mut items = BTreeMap::new();
        // A line that a killed provider left half written is the last, and is not taken.
        for line in text.lines().map_while(|line| serde_json::from_str::<Line>(line).ok()) {
            match line.record {
                Some(record) => items.insert(line.key.0, record),
                None => items.remove(&line.key.0),
            };
        }
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let journal = OpenOptions::new().append(true).open(sidecar.join("journal"))?;
        if whole < text.len() {
            OpenOptions::new().write(true).open(sidecar.join("journal"))?.set_len(whole as u64)?;
        }
        Ok(Some(Self { items, journal: Some(journal), sidecar }))
    }

    /// Nobody serves the root any more. NTFS keeps the mark on the root's directory itself, which can be
    /// removed when nothing is in it; so a root of which nothing is known loses its mark here.
    pub fn leave(&mut self) -> std::io::Result<()> {
        if !self.items.is_empty() {
            return Ok(());
        }
        // Windows removes no directory of an open file.
        self.journal = None;
        fs::remove_dir_all(&self.sidecar)
    }

    /// The instance's identifier, as it was given when the root was made.
    pub fn instance(&self) -> Vec<u8> {
        fs::read(self.sidecar.join("instance")).unwrap_or_default()
    }

    /// Where the data of item `id` lie once it has no name any more.
    #[must_use]
    pub fn gone(&self, id: u64) -> PathBuf {
        self.sidecar.join("gone").join(id.to_string())
    }

    /// What is known of a path.
    #[must_use]
    pub fn get(&self, key: &[u16]) -> Option<&Record> {
        self.items.get(key)
    }

    /// Keeps `record` at its path.
    pub fn put(&mut self, record: Record) {
        let key = record.path.key();
        self.write(&key, Some(&record));
        self.items.insert(key, record);
    }

    /// Forgets a path.
    pub fn remove(&mut self, key: &[u16]) -> Option<Record> {
        let record = self.items.remove(key)?;
        self.write(key, None);
        Some(record)
    }

    /// The records directly below `directory`.
    pub fn children(&self, directory: &Wide) -> Vec<&Record> {
        let depth = directory.components().len() + 1;
        self.below(directory)
            .into_iter()
            .filter(|record| record.path.components().len() == depth)
            .collect()
    }

    /// All records below `directory`.
    pub fn below(&self, directory: &Wide) -> Vec<&Record> {
        let mut prefix = directory.key();
        if !prefix.is_empty() {
            prefix.push(u16::from(b'\\'));
        }
        self.items
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(_, record)| record)
            .collect()
    }

    /// How many names item `id` has.
    #[must_use]
    pub fn names_of(&self, id: u64) -> usize {
        self.items
            .values()
            .filter(|record| record.id == id && record.state != State::Tombstone)
            .count()
    }

    /// The greatest number in use.
    #[must_use]
    pub fn greatest_id(&self) -> u64 {
        self.items.values().map(|record| record.id).max().unwrap_or(0)
    }

    fn write(&mut self, key: &[u16], record: Option<&Record>) {
        let Some(journal) = &mut self.journal else { return };
        let line = Line { key: Wide(key.to_vec()), record: record.cloned() };
        let mut text = serde_json::to_string(&line).expect("records are plain data");
        text.push('\n');
        if let Err(error) = journal.write_all(text.as_bytes()) {
            eprintln!(
                "projfs stand-in: cannot write its journal in {}: {error}",
                self.sidecar.display()
            );
        }
    }
}
