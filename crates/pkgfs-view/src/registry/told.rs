//! Telling platforms of directories whose names have changed.
//!
//! A platform may keep a listing for ever. Whatever makes a name show or vanish passes here: a
//! directory that is made or removed, a registration, and a slot, which is compared with what it
//! showed before when whoever changes it lets go of it.

use std::ops::{Deref, DerefMut};

use super::{
    LevelPath, Payload, Registry, Slot,
    bare::Bare,
    heir::{Note, Notes, SlotNote},
};
use crate::{
    NodeId,
    caches::ListingNotices,
    node::{Node, SlotId},
};

/// A slot that is being changed.
pub(crate) struct SlotMut<'registry> {
    id: SlotId,
    slot: &'registry mut Slot,
    shown: Shown,
    told: &'registry Told,
    bare: &'registry Bare,
    notes: &'registry Notes,
}

/// Where notices go; nowhere while no platform can have a listing.
#[derive(Default)]
pub(super) struct Told(Option<ListingNotices>);

/// What the listing of its directory has of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    json: bool,
    copying: bool,
    payload: Payload,
    epoch: u64,
    registered: bool,
}

impl Shown {
    fn of(slot: &Slot) -> Self {
        Self {
            json: slot.json.is_some(),
            copying: slot.copying.is_some(),
            payload: slot.payload,
            epoch: slot.epoch,
            registered: slot.registration.is_some(),
        }
    }
}

impl Registry {
    /// From now on platforms are told of listings.
    pub(crate) fn tell_of_listings(&mut self, notices: ListingNotices) {
        self.told = Told(Some(notices));
    }

    pub(crate) fn slot_mut(&mut self, id: SlotId) -> Option<SlotMut<'_>> {
        let slot = self.slots.get_mut(&id)?;
        let shown = Shown::of(slot);
        Some(SlotMut { id, slot, shown, told: &self.told, bare: &self.bare, notes: &self.notes })
    }

    /// A name was made or removed in the directory that this one lies in.
    pub(super) fn tell_above(&mut self, path: &LevelPath) {
        let above = path.parent().map(|parent| self.level_id(&parent));
        self.told.of(above.map_or(NodeId::ROOT, |level| Node::Level(level).into()));
    }

    /// Something is new in this directory, and perhaps the directory and those above it are.
    pub(super) fn tell_all(&mut self, path: &LevelPath) {
        let level = self.level_id(path);
        self.told.of(Node::Level(level).into());
        let mut above = Some(path.clone());
        while let Some(path) = above {
            self.tell_above(&path);
            above = path.parent();
        }
    }
}

impl Told {
    fn of(&self, directory: NodeId) {
        self.0.iter().for_each(|notices| notices.send(directory));
    }
}

impl Deref for SlotMut<'_> {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        self.slot
    }
}

impl DerefMut for SlotMut<'_> {
    fn deref_mut(&mut self) -> &mut Slot {
        self.slot
    }
}

impl Drop for SlotMut<'_> {
    fn drop(&mut self) {
        self.bare.account(self.id, self.slot);
        let changed = Shown::of(self.slot) != self.shown;
        // What rez is still writing changes without showing otherwise.
        if changed || self.slot.registration.is_none() {
            self.notes.note(|| Note::Slot(self.id.0, SlotNote::of(self.slot)));
        }
        if changed {
            self.told.of(Node::Level(self.slot.level).into());
        }
    }
}
