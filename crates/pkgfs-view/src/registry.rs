//! The upper levels of the view: `<name>/<version>/<h4>` and the slots in them.
//!
//! A *slot* is one stem in a `<h4>` directory and everything that shows for it:
//! `<inc>.json` (the registration), `.copying-<inc>` while rez copies, and `<inc>`
//! itself. Directories exist once something was made in them, and until they are
//! removed as rez does, from the bottom up. The registry is in memory; what must
//! survive is written to the store before it is acknowledged.

mod told;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use pkgfs_manifest::Timestamp;
use pkgfs_rez::VariantHandle;
use pkgfs_store::{Registration, RegistrationId, RegistrationState};

use crate::node::{LevelId, Node, Part, SlotId};
use told::Told;

/// A registry directory, by its path below the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LevelPath {
    pub name: Box<str>,
    pub version: Option<Box<str>>,
    pub h4: Option<Box<str>>,
}

impl LevelPath {
    pub(crate) fn child(&self, part: &str) -> Option<Self> {
        let mut child = self.clone();
        match (&self.version, &self.h4) {
            (None, _) => child.version = Some(part.into()),
            (Some(_), None) => child.h4 = Some(part.into()),
            (Some(_), Some(_)) => return None,
        }
        Some(child)
    }

    pub(crate) fn of_name(name: &str) -> Self {
        Self { name: name.into(), version: None, h4: None }
    }

    pub(crate) fn of_handle(handle: &VariantHandle) -> Self {
        Self {
            name: handle.name.as_str().into(),
            version: Some(handle.version_dir().into()),
            h4: Some(handle.h4().into()),
        }
    }

    /// The directory it lies in; `None` below the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let mut parent = self.clone();
        if parent.h4.take().is_some() || parent.version.take().is_some() {
            Some(parent)
        } else {
            None
        }
    }

    /// Its own name in its parent.
    pub(crate) fn last(&self) -> &str {
        self.h4.as_ref().or(self.version.as_ref()).unwrap_or(&self.name)
    }
}

/// What lies at `<inc>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Nothing (yet, or any more).
    Absent,
    /// rez is copying it in.
    Staging,
    /// The copy is complete and is being sealed: nothing may change it.
    Sealing,
    /// A read-only tree, fetched from origin as it is read.
    Served,
    /// A read-only tree made of rez's own copy.
    Sealed,
}

impl Payload {
    /// Whether a read-only tree is shown.
    pub(crate) fn is_tree(self) -> bool {
        matches!(self, Self::Served | Self::Sealed)
    }
}

/// A file that rez wrote in a `<h4>` directory.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub text: Vec<u8>,
    pub mtime: Timestamp,
    /// When that was set in this life of the daemon, by a clock that does not jump.
    pub touched: Option<Instant>,
    pub owner: (u32, u32),
}

/// One stem of a `<h4>` directory.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub level: LevelId,
    pub stem: Box<str>,
    pub json: Option<Mark>,
    pub copying: Option<Mark>,
    pub payload: Payload,
    /// Known once the json is complete.
    pub handle: Option<VariantHandle>,
    pub registration: Option<RegistrationId>,
    /// The variant's root at origin, where it is known.
    pub root: Option<PathBuf>,
    /// When the payload's root directory was last changed, once that is known.
    pub root_mtime: Option<Timestamp>,
    pub created: Timestamp,
    /// Last use of the payload; the json shows the later of this and its own time.
    pub used: Timestamp,
    /// When the snapshot was last compared with origin.
    pub checked: Option<Instant>,
    /// Counts how often the tree was replaced.
    pub epoch: u64,
    /// Kept however long nobody uses it.
    pub pinned: bool,
}

impl Slot {
    pub(crate) fn new(level: LevelId, stem: &str) -> Self {
        Self {
            level,
            stem: stem.into(),
            json: None,
            copying: None,
            payload: Payload::Absent,
            handle: None,
            registration: None,
            root: None,
            root_mtime: None,
            created: Timestamp::now(),
            used: Timestamp::default(),
            checked: None,
            epoch: 0,
            pinned: false,
        }
    }

    /// What rez takes for the time of last use.
    pub(crate) fn shown_mtime(&self) -> Timestamp {
        self.json.as_ref().map_or(self.used, |json| json.mtime.max(self.used))
    }

    fn is_empty(&self) -> bool {
        self.json.is_none() && self.copying.is_none() && self.payload == Payload::Absent
    }
}

type Stems = BTreeMap<Box<str>, SlotId>;
type Hashes = BTreeMap<Box<str>, Stems>;
type Versions = BTreeMap<Box<str>, Hashes>;

/// All that is registered.
#[derive(Default)]
pub(crate) struct Registry {
    names: BTreeMap<Box<str>, Versions>,
    slots: HashMap<SlotId, Slot>,
    by_registration: HashMap<RegistrationId, SlotId>,
    by_handle: HashMap<String, SlotId>,
    levels: Vec<Arc<LevelPath>>,
    level_ids: HashMap<Arc<LevelPath>, LevelId>,
    last_slot: u64,
    told: Told,
}

impl Registry {
    /// Takes in a registration that the store holds.
    pub(crate) fn load(
        &mut self,
        known: Registration,
        handle: Option<VariantHandle>,
        me: (u32, u32),
    ) -> SlotId {
        let path = LevelPath {
            name: known.name.as_str().into(),
            version: Some(known.version_dir.as_str().into()),
            h4: Some(known.h4.as_str().into()),
        };
        let level = self.make_level(&path);
        let mut slot = Slot::new(level, &known.stem);
        let text = known.json.into_bytes();
        slot.json = Some(Mark { text, mtime: known.touched, touched: None, owner: me });
        slot.registration = Some(known.id);
        slot.handle = handle;
        slot.root = known.root;
        slot.created = known.created;
        slot.pinned = known.pinned;
        (slot.payload, slot.copying) = match known.state {
            RegistrationState::Copying => {
                // Whoever copied is gone with the mount: stalled from the start.
                let mtime = known.created;
                let mark = Mark { text: Vec::new(), mtime, touched: None, owner: me };
                (Payload::Staging, Some(mark))
            }
            RegistrationState::Served => (Payload::Served, None),
            RegistrationState::Sealed => (Payload::Sealed, None),
        };
        self.insert(slot)
    }

    /// The number of a directory, whether it exists or not.
    pub(crate) fn level_id(&mut self, path: &LevelPath) -> LevelId {
        if let Some(id) = self.level_ids.get(path) {
            return *id;
        }
        let id = LevelId(self.levels.len() as u64);
        let path = Arc::new(path.clone());
        self.levels.push(Arc::clone(&path));
        self.level_ids.insert(path, id);
        id
    }

    pub(crate) fn level(&self, id: LevelId) -> Option<Arc<LevelPath>> {
        self.levels.get(usize::try_from(id.0).ok()?).cloned()
    }

    /// Makes a directory and those above it.
    pub(crate) fn make_level(&mut self, path: &LevelPath) -> LevelId {
        if !self.has_level(path) {
            if let Some(parent) = path.parent() {
                self.make_level(&parent);
            }
            let versions = self.names.entry(path.name.clone()).or_default();
            if let Some(version) = &path.version {
                let hashes = versions.entry(version.clone()).or_default();
                if let Some(h4) = &path.h4 {
                    hashes.entry(h4.clone()).or_default();
                }
            }
            self.tell_above(path);
        }
        self.level_id(path)
    }

    /// Whether a directory was made (by rez or by a registration).
    pub(crate) fn has_level(&self, path: &LevelPath) -> bool {
        let Some(versions) = self.names.get(&path.name) else { return false };
        let Some(version) = &path.version else { return true };
        let Some(hashes) = versions.get(version) else { return false };
        path.h4.as_ref().is_none_or(|h4| hashes.contains_key(h4))
    }

    /// Removes an empty directory; `Ok(false)` if it was not there.
    pub(crate) fn remove_level(&mut self, path: &LevelPath) -> Result<bool, NotEmpty> {
        let removed = self.remove_empty(path)?;
        if removed {
            self.tell_above(path);
        }
        Ok(removed)
    }

    fn remove_empty(&mut self, path: &LevelPath) -> Result<bool, NotEmpty> {
        fn remove<V>(
            map: &mut BTreeMap<Box<str>, V>,
            key: &str,
            empty: impl Fn(&V) -> bool,
        ) -> Result<bool, NotEmpty> {
            match map.get(key) {
                None => Ok(false),
                Some(inner) if empty(inner) => Ok(map.remove(key).is_some()),
                Some(_) => Err(NotEmpty),
            }
        }
        let Some(version) = &path.version else {
            return remove(&mut self.names, &path.name, BTreeMap::is_empty);
        };
        let Some(versions) = self.names.get_mut(&path.name) else { return Ok(false) };
        let Some(h4) = &path.h4 else {
            return remove(versions, version, BTreeMap::is_empty);
        };
        let Some(hashes) = versions.get_mut(version) else { return Ok(false) };
        remove(hashes, h4, BTreeMap::is_empty)
    }

    /// Names in a directory that are directories.
    pub(crate) fn sublevels(&self, path: Option<&LevelPath>) -> Vec<Box<str>> {
        let Some(path) = path else { return self.names.keys().cloned().collect() };
        let Some(versions) = self.names.get(&path.name) else { return Vec::new() };
        match (&path.version, &path.h4) {
            (None, _) => versions.keys().cloned().collect(),
            (Some(version), None) => versions
                .get(version)
                .map(|hashes| hashes.keys().cloned().collect())
                .unwrap_or_default(),
            (Some(_), Some(_)) => Vec::new(),
        }
    }

    fn stems(&self, path: &LevelPath) -> Option<&Stems> {
        let versions = self.names.get(&path.name)?;
        versions.get(path.version.as_ref()?)?.get(path.h4.as_ref()?)
    }

    fn stems_mut(&mut self, path: &LevelPath) -> Option<&mut Stems> {
        let versions = self.names.get_mut(&path.name)?;
        versions.get_mut(path.version.as_ref()?)?.get_mut(path.h4.as_ref()?)
    }

    /// The slots of a `<h4>` directory, by stem.
    pub(crate) fn slots_in(&self, path: &LevelPath) -> Vec<(SlotId, &Slot)> {
        let stems = self.stems(path).into_iter().flatten();
        stems.filter_map(|(_, id)| Some((*id, self.slots.get(id)?))).collect()
    }

    pub(crate) fn slot_of_stem(&self, path: &LevelPath, stem: &str) -> Option<SlotId> {
        self.stems(path)?.get(stem).copied()
    }

    pub(crate) fn slot(&self, id: SlotId) -> Option<&Slot> {
        self.slots.get(&id)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = (SlotId, &Slot)> {
        self.slots.iter().map(|(id, slot)| (*id, slot))
    }

    pub(crate) fn of_registration(&self, id: RegistrationId) -> Option<SlotId> {
        self.by_registration.get(&id).copied()
    }

    pub(crate) fn of_handle(&self, key: &str) -> Option<SlotId> {
        self.by_handle.get(key).copied()
    }

    pub(crate) fn insert(&mut self, slot: Slot) -> SlotId {
        self.last_slot += 1;
        let id = SlotId(self.last_slot);
        if let Some(path) = self.level(slot.level) {
            self.make_level(&path);
            if let Some(stems) = self.stems_mut(&path) {
                stems.insert(slot.stem.clone(), id);
            }
            self.tell_level(slot.level);
        }
        self.slots.insert(id, slot);
        self.index(id);
        id
    }

    /// Makes a slot findable by what has become known of it.
    pub(crate) fn index(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get(&id) else { return };
        if let Some(registration) = slot.registration {
            self.by_registration.insert(registration, id);
        }
        if let Some(handle) = &slot.handle {
            self.by_handle.insert(handle.to_json(), id);
        }
    }

    /// Undoes [`index`](Self::index): the variant is no longer registered.
    pub(crate) fn unindex(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if let Some(registration) = slot.registration.take() {
            self.by_registration.remove(&registration);
        }
        if let Some(handle) = &slot.handle {
            let key = handle.to_json();
            if self.by_handle.get(&key) == Some(&id) {
                self.by_handle.remove(&key);
            }
        }
    }

    /// Drops a slot of which nothing shows any more.
    pub(crate) fn drop_if_empty(&mut self, id: SlotId) {
        if !self.slots.get(&id).is_some_and(Slot::is_empty) {
            return;
        }
        self.unindex(id);
        let Some(slot) = self.slots.remove(&id) else { return };
        if let Some(path) = self.level(slot.level)
            && let Some(stems) = self.stems_mut(&path)
        {
            stems.remove(&slot.stem);
        }
        self.tell_level(slot.level);
    }
}

/// The directory still has entries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotEmpty;

impl Slot {
    /// The number of what this slot, known by `id`, shows as `part`.
    pub(crate) fn node(&self, id: SlotId, part: Part) -> crate::NodeId {
        match part {
            Part::Payload => crate::NodeId::payload(id, self.epoch),
            Part::Json | Part::Copying => Node::Slot(id, part).into(),
        }
    }
}
