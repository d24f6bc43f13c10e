//! The upper levels of the view: `<name>/<version>/<h4>` and the slots in them.
//!
//! A *slot* is one stem in a `<h4>` directory and everything that shows for it:
//! `<inc>.json` (the registration), `.copying-<inc>` while rez copies, and `<inc>`
//! itself. Directories exist once something was made in them, and until they are
//! removed as rez does, from the bottom up. What the store holds of a version comes into
//! memory when it is first asked about (`recall`); what must survive is written to the
//! store before it is acknowledged.

mod bare;
mod heir;
mod level;
mod recall;
mod slot;
#[cfg(test)]
mod tests;
mod told;
mod walk;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use pkgfs_store::{RegistrationId, Store, StoreError};

pub(crate) use level::LevelPath;
pub(crate) use slot::{Mark, Payload, Slot};

use crate::{
    node::{LevelId, SlotId},
    problems::Problems,
};
use bare::Bare;
use heir::{Note, Notes, SlotNote};
use recall::Recalled;
use told::Told;

type Stems = BTreeMap<Box<str>, SlotId>;
type Hashes = BTreeMap<Box<str>, Stems>;
type Versions = BTreeMap<Box<str>, Hashes>;

/// All that is registered.
pub(crate) struct Registry {
    store: Arc<Store>,
    problems: Arc<Problems>,
    owner: (u32, u32),
    recalled: Recalled,
    names: BTreeMap<Box<str>, Versions>,
    slots: HashMap<SlotId, Slot>,
    by_registration: HashMap<RegistrationId, SlotId>,
    by_handle: HashMap<String, SlotId>,
    levels: Vec<Arc<LevelPath>>,
    level_ids: HashMap<Arc<LevelPath>, LevelId>,
    last_slot: u64,
    told: Told,
    /// Directories that rez made, and nobody removed.
    made: HashSet<LevelId>,
    bare: Bare,
    notes: Notes,
    /// Slots of the process before that were not taken in yet, by their places.
    heirs: HashMap<(LevelId, Box<str>), (SlotId, SlotNote)>,
    /// Names that the process before may not have told platforms of.
    untold: Vec<(LevelId, Box<str>)>,
}

impl Registry {
    /// The registry of a store, whose files of rez's are this user's and group's.
    pub(crate) fn new(store: Arc<Store>, problems: Arc<Problems>, owner: (u32, u32)) -> Self {
        Self {
            store,
            problems,
            owner,
            recalled: Recalled::default(),
            names: BTreeMap::new(),
            slots: HashMap::new(),
            by_registration: HashMap::new(),
            by_handle: HashMap::new(),
            levels: Vec::new(),
            level_ids: HashMap::new(),
            last_slot: 0,
            told: Told::default(),
            made: HashSet::new(),
            bare: Bare::default(),
            notes: Notes::default(),
            heirs: HashMap::new(),
            untold: Vec::new(),
        }
    }

    /// The number of a directory, whether it exists or not.
    pub(crate) fn level_id(&mut self, path: &LevelPath) -> LevelId {
        if let Some(id) = self.level_ids.get(path) {
            return *id;
        }
        let id = LevelId(self.levels.len() as u64);
        self.notes.note(|| Note::Level(path.clone()));
        self.number_level(path);
        self.shorten_notes();
        id
    }

    /// Gives a directory the next number.
    fn number_level(&mut self, path: &LevelPath) {
        let id = LevelId(self.levels.len() as u64);
        let path = Arc::new(path.clone());
        self.levels.push(Arc::clone(&path));
        self.level_ids.insert(path, id);
    }

    pub(crate) fn level(&self, id: LevelId) -> Option<Arc<LevelPath>> {
        self.levels.get(usize::try_from(id.0).ok()?).cloned()
    }

    /// Makes a directory and those above it.
    pub(crate) fn make_level(&mut self, path: &LevelPath) -> Result<LevelId, StoreError> {
        if !self.has_level(path)? {
            if let Some(parent) = path.parent() {
                self.make_level(&parent)?;
            }
            let id = self.note_level(path);
            self.notes.note(|| Note::Made(id.0));
            self.made.insert(id);
            self.tell_above(path);
        }
        Ok(self.level_id(path))
    }

    fn note_level(&mut self, path: &LevelPath) -> LevelId {
        let versions = self.names.entry(path.name.clone()).or_default();
        if let Some(version) = &path.version {
            self.recalled.note(&path.name, version);
            let hashes = versions.entry(version.clone()).or_default();
            if let Some(h4) = &path.h4 {
                hashes.entry(h4.clone()).or_default();
            }
        }
        self.level_id(path)
    }

    /// Takes in what the store knows of a directory.
    fn recall(&mut self, path: &LevelPath) -> Result<(), StoreError> {
        match &path.version {
            Some(version) => self.recall_version(&path.name, version),
            None => self.recall_name(&path.name),
        }
    }

    /// Whether a directory was made (by rez or by a registration).
    pub(crate) fn has_level(&mut self, path: &LevelPath) -> Result<bool, StoreError> {
        self.recall(path)?;
        let Some(versions) = self.names.get(&path.name) else { return Ok(false) };
        let Some(version) = &path.version else { return Ok(true) };
        let Some(hashes) = versions.get(version) else { return Ok(false) };
        Ok(path.h4.as_ref().is_none_or(|h4| hashes.contains_key(h4)))
    }

    /// Removes an empty directory, and tells what became of it. Its number is not used again.
    pub(crate) fn remove_level(&mut self, path: &LevelPath) -> Result<Removal, StoreError> {
        let removal = self.remove_empty(path)?;
        if removal == Removal::Removed {
            let id = self.level_id(path);
            if self.made.remove(&id) {
                self.notes.note(|| Note::Removed(id.0));
            }
            // Made again it gets another: a kernel that still has the inode that was removed lets
            // nobody make anything in it.
            self.level_ids.remove(path);
            self.tell_above(path);
        }
        Ok(removal)
    }

    fn remove_empty(&mut self, path: &LevelPath) -> Result<Removal, StoreError> {
        fn remove<V>(
            map: &mut BTreeMap<Box<str>, V>,
            key: &str,
            empty: impl Fn(&V) -> bool,
        ) -> Removal {
            match map.get(key) {
                None => Removal::Absent,
                Some(inner) if empty(inner) => {
                    map.remove(key);
                    Removal::Removed
                }
                Some(_) => Removal::NotEmpty,
            }
        }
        let Some(version) = &path.version else {
            self.recall_versions(&path.name)?;
            return Ok(remove(&mut self.names, &path.name, BTreeMap::is_empty));
        };
        self.recall_version(&path.name, version)?;
        let Some(versions) = self.names.get_mut(&path.name) else { return Ok(Removal::Absent) };
        let Some(h4) = &path.h4 else {
            return Ok(remove(versions, version, BTreeMap::is_empty));
        };
        let Some(hashes) = versions.get_mut(version) else { return Ok(Removal::Absent) };
        Ok(remove(hashes, h4, BTreeMap::is_empty))
    }

    /// Names in a directory that are directories.
    pub(crate) fn sublevels(
        &mut self,
        path: Option<&LevelPath>,
    ) -> Result<Vec<Box<str>>, StoreError> {
        let Some(path) = path else {
            self.recall_names()?;
            return Ok(self.names.keys().cloned().collect());
        };
        match (&path.version, &path.h4) {
            (None, _) => {
                self.recall_versions(&path.name)?;
                let versions = self.names.get(&path.name).into_iter().flatten();
                Ok(versions.map(|(version, _)| version.clone()).collect())
            }
            (Some(version), None) => {
                self.recall_version(&path.name, version)?;
                let hashes = self.names.get(&path.name).and_then(|all| all.get(version));
                Ok(hashes.into_iter().flatten().map(|(h4, _)| h4.clone()).collect())
            }
            (Some(_), Some(_)) => Ok(Vec::new()),
        }
    }

    fn stems(&mut self, path: &LevelPath) -> Result<Option<&Stems>, StoreError> {
        let (Some(version), Some(h4)) = (&path.version, &path.h4) else { return Ok(None) };
        self.recall_version(&path.name, version)?;
        let hashes = self.names.get(&path.name).and_then(|versions| versions.get(version));
        Ok(hashes.and_then(|hashes| hashes.get(h4)))
    }

    /// The slots of a `<h4>` directory, by stem.
    pub(crate) fn slots_in(
        &mut self,
        path: &LevelPath,
    ) -> Result<Vec<(SlotId, &Slot)>, StoreError> {
        let ids: Vec<_> = self.stems(path)?.into_iter().flatten().map(|(_, id)| *id).collect();
        Ok(ids.into_iter().filter_map(|id| Some((id, self.slots.get(&id)?))).collect())
    }

    pub(crate) fn slot_of_stem(
        &mut self,
        path: &LevelPath,
        stem: &str,
    ) -> Result<Option<SlotId>, StoreError> {
        Ok(self.stems(path)?.and_then(|stems| stems.get(stem)).copied())
    }

    pub(crate) fn slot(&self, id: SlotId) -> Option<&Slot> {
        self.slots.get(&id)
    }

    /// The slots in memory; [`View::walk`](crate::View) sees all.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (SlotId, &Slot)> {
        self.slots.iter().map(|(id, slot)| (*id, slot))
    }

    /// Whether a registration was taken in.
    pub(crate) fn has_in_memory(&self, id: RegistrationId) -> bool {
        self.by_registration.contains_key(&id)
    }

    /// The slot of a registration; where the store cannot tell, that is told and there is none.
    pub(crate) fn of_registration(&mut self, id: RegistrationId) -> Option<SlotId> {
        if !self.by_registration.contains_key(&id) {
            let recalled = self.store.version_of_registration(id).and_then(|known| match known {
                Some(of) => self.recall_version(&of.name, &of.version_dir),
                None => Ok(()),
            });
            if let Err(error) = recalled {
                self.problems.tell(error.to_string());
            }
        }
        self.by_registration.get(&id).copied()
    }

    pub(crate) fn of_handle(&mut self, key: &str) -> Result<Option<SlotId>, StoreError> {
        if !self.by_handle.contains_key(key)
            && let Some(of) = self.store.version_of_handle(key)?
        {
            self.recall_version(&of.name, &of.version_dir)?;
        }
        Ok(self.by_handle.get(key).copied())
    }

    /// Adds a slot to a `<h4>` directory that was made.
    pub(crate) fn insert(&mut self, slot: Slot) -> SlotId {
        self.last_slot += 1;
        self.insert_as(SlotId(self.last_slot), slot)
    }

    fn insert_as(&mut self, id: SlotId, slot: Slot) -> SlotId {
        self.notes.note(|| Note::Slot(id.0, SlotNote::of(&slot)));
        if let Some(path) = self.level(slot.level)
            && let (Some(version), Some(h4)) = (&path.version, &path.h4)
        {
            let versions = self.names.entry(path.name.clone()).or_default();
            let hashes = versions.entry(version.clone()).or_default();
            hashes.entry(h4.clone()).or_default().insert(slot.stem.clone(), id);
        }
        self.bare.account(id, &slot);
        self.slots.insert(id, slot);
        self.index(id);
        self.shorten_notes();
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
        self.bare.account(id, slot);
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
        self.bare.forget(id);
        self.notes.note(|| Note::Gone(id.0));
        if let Some(path) = self.level(slot.level)
            && let (Some(version), Some(h4)) = (&path.version, &path.h4)
            && let Some(stems) = self
                .names
                .get_mut(&path.name)
                .and_then(|versions| versions.get_mut(version))
                .and_then(|hashes| hashes.get_mut(h4))
        {
            stems.remove(&slot.stem);
        }
    }
}

/// What became of a directory that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It is gone.
    Removed,
    /// It was not there.
    Absent,
    /// It still has entries.
    NotEmpty,
}
