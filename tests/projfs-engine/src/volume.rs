//! A virtualization root and who has what open in it.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use crate::{
    Code, Wide, disk,
    listing::Session,
    notify::Mappings,
    provider::{Provider, lock},
    records::{Record, Records},
    wide::Key,
};

/// What tests switch off to see one of several protections alone, and what they hold up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Switches {
    /// Whether descriptors count.
    pub descriptors: bool,
    /// Whether read-only attributes count.
    pub attributes: bool,
    /// Whether notifications can refuse.
    pub vetoes: bool,
    /// Whether data that the provider hands in wait until this is off again.
    pub hold_data: bool,
    /// Whether links to directories can be renamed as files can. Microsoft does not say.
    pub rename_links: bool,
    /// Whether everything that is deleted in a placeholder directory leaves a tombstone, also what the
    /// provider does not have.
    pub always_tombstones: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            descriptors: true,
            attributes: true,
            vetoes: true,
            hold_data: false,
            rename_links: true,
            always_tombstones: false,
        }
    }
}

/// How a volume serves its provider.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which notifications are sent.
    pub mappings: Mappings,
    /// Whether names that the provider does not have are remembered
    /// (`PRJ_FLAG_USE_NEGATIVE_PATH_CACHE`).
    pub negative_cache: bool,
}

/// A root over its provider.
pub struct Volume {
    pub(crate) root: PathBuf,
    /// The root as programs name it.
    pub(crate) name: Wide,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) options: Options,
    pub(crate) state: Mutex<Inside>,
    pub(crate) changed: Condvar,
}

pub(crate) struct Inside {
    pub(crate) records: Records,
    pub(crate) handles: HashMap<u64, Handle>,
    /// Masks that the provider answered with, while the item is open.
    pub(crate) masks: HashMap<Key, u32>,
    pub(crate) negative: HashSet<Key>,
    /// What of which item is asked of the provider now.
    pub(crate) fetching: Vec<(u64, u64, u64)>,
    pub(crate) switches: Switches,
    /// What the provider was called for, oldest first.
    pub(crate) trace: Vec<String>,
    next: u64,
}

impl Inside {
    pub(crate) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// What a handle leads to.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// What is at this path.
    At(Wide),
    /// An item that has no name any more.
    Gone(Box<Record>),
}

/// An open file or directory.
pub(crate) struct Handle {
    pub(crate) client: u64,
    pub(crate) place: Place,
    pub(crate) id: u64,
    pub(crate) access: u32,
    pub(crate) share: u32,
    pub(crate) modified: bool,
    pub(crate) deletes: bool,
    pub(crate) session: Option<Session>,
}

impl Volume {
    /// Serves `root`, which is a virtualization root, over `provider`.
    pub fn open(
        root: &Path,
        provider: Arc<dyn Provider>,
        options: Options,
    ) -> Result<Arc<Self>, Code> {
        let records = Records::open(root)?.ok_or(Code::REPARSE_TAG_MISMATCH)?;
        // Identifiers of items and handles are never those of an earlier provider's.
        let next = records.greatest_id();
        let inside = Inside {
            records,
            handles: HashMap::new(),
            masks: HashMap::new(),
            negative: HashSet::new(),
            fetching: Vec::new(),
            switches: Switches::default(),
            trace: Vec::new(),
            next,
        };
        let name =
            Wide(crate::wide::plain(&Wide::from(root.to_string_lossy().as_ref()).0).to_vec());
        Ok(Arc::new(Self {
            root: root.to_owned(),
            name,
            provider,
            options,
            state: Mutex::new(inside),
            changed: Condvar::new(),
        }))
    }

    /// The root as programs name it.
    #[must_use]
    pub fn name(&self) -> &Wide {
        &self.name
    }

    /// The identifier given when the root was made.
    #[must_use]
    pub fn instance(&self) -> Vec<u8> {
        self.inside().records.instance()
    }

    /// Nobody serves the root any more.
    pub fn leave(&self) {
        let mut inside = self.inside();
        if let Err(error) = inside.records.leave() {
            eprintln!("projfs stand-in: cannot unmark {}: {error}", self.root.display());
        }
    }

    /// What is switched.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.inside().switches
    }

    /// Switches.
    pub fn switch(&self, switches: Switches) {
        self.inside().switches = switches;
        self.changed.notify_all();
    }

    /// What the provider was called for since the last time this was asked.
    pub fn take_trace(&self) -> Vec<String> {
        std::mem::take(&mut self.inside().trace)
    }

    /// Forgets names that the provider does not have: how many.
    pub fn forget_negative(&self) -> u32 {
        let mut inside = self.inside();
        let count = inside.negative.len();
        inside.negative.clear();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        lock(&self.state)
    }

    /// Adds to what [`Volume::take_trace`] gives.
    pub fn note(&self, what: String) {
        self.inside().trace.push(what);
    }

    /// Where an item's data lie.
    pub(crate) fn lies(&self, path: &Wide) -> PathBuf {
        disk::path_of(&self.root, path)
    }
}
