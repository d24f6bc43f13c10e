//! The registry's numbers, for a process that takes over.
//!
//! Noted is what the store does not know: the path behind a directory's number, directories that rez
//! made and that hold nothing yet, the slot behind a slot's number, and what rez wrote of a variant
//! that is not registered yet.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::File,
    io,
    time::Instant,
};

use pkgfs_manifest::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LevelPath, Mark, Payload, Registry, Slot};
use crate::{
    ledger::Ledger,
    node::{LevelId, SlotId},
};

/// Slots that changed last, which platforms may not have been told of: more never wait to be told.
const LAST: usize = 64;

/// One fact.
#[derive(Serialize, Deserialize)]
pub(super) enum Note {
    /// The directory with the next number.
    Level(LevelPath),
    /// rez made this directory.
    Made(u64),
    /// It was removed.
    Removed(u64),
    /// What a slot is.
    Slot(u64, SlotNote),
    /// The slot is no more.
    Gone(u64),
}

/// What the store does not know of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SlotNote {
    level: u64,
    stem: Box<str>,
    epoch: u64,
    copying: Option<MarkNote>,
    /// What is not registered: what was written of it.
    bare: Option<Option<MarkNote>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MarkNote {
    text: Vec<u8>,
    owner: (u32, u32),
}

/// Where notes go; nowhere for a mount that ends with its process.
#[derive(Default)]
pub(super) struct Notes(RefCell<Option<Ledger<Note>>>);

impl Notes {
    pub(super) fn note(&self, note: impl FnOnce() -> Note) {
        if let Some(ledger) = &mut *self.0.borrow_mut() {
            ledger.note(&note());
        }
    }

    fn is_long(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(Ledger::is_long)
    }
}

impl MarkNote {
    fn of(mark: &Mark) -> Self {
        Self { text: mark.text.clone(), owner: mark.owner }
    }

    /// Who writes it is as alive as a moment ago.
    fn mark(self) -> Mark {
        let Self { text, owner } = self;
        Mark { text, mtime: Timestamp::now(), touched: Some(Instant::now()), owner }
    }
}

impl SlotNote {
    pub(super) fn of(slot: &Slot) -> Self {
        Self {
            level: slot.level.0,
            stem: slot.stem.clone(),
            epoch: slot.epoch,
            copying: slot.copying.as_ref().map(MarkNote::of),
            bare: slot.registration.is_none().then(|| slot.json.as_ref().map(MarkNote::of)),
        }
    }
}

impl Registry {
    /// Goes on with the numbers of the processes before, and notes its own from now on.
    pub(crate) fn inherit(&mut self, file: File) -> io::Result<()> {
        let (ledger, notes) = Ledger::open(file)?;
        let (mut made, mut slots) = (HashSet::new(), BTreeMap::<u64, SlotNote>::new());
        let changed = |note: &Note| matches!(note, Note::Slot(..) | Note::Gone(_));
        let told = notes.iter().filter(|note| changed(note)).count().saturating_sub(LAST);
        let mut seen = 0;
        for note in notes {
            if let Note::Slot(id, _) | Note::Gone(id) = note {
                self.last_slot = self.last_slot.max(id);
            }
            seen += usize::from(changed(&note));
            if let (Note::Slot(id, _) | Note::Gone(id), true) = (&note, seen > told)
                && let Some(known) = slots.get(id)
            {
                self.untold.push((LevelId(known.level), known.stem.clone()));
            }
            match note {
                Note::Level(path) => self.number_level(&path),
                Note::Made(id) => _ = made.insert(id),
                Note::Removed(id) => _ = made.remove(&id),
                Note::Slot(id, note) => _ = slots.insert(id, note),
                Note::Gone(id) => _ = slots.remove(&id),
            }
        }
        self.notes = Notes(RefCell::new(Some(ledger)));
        for (id, note) in &slots {
            self.heirs
                .insert((LevelId(note.level), note.stem.clone()), (SlotId(*id), note.clone()));
        }
        let levels = made.into_iter().chain(slots.values().map(|note| note.level));
        for level in levels.collect::<BTreeSet<_>>() {
            let Some(path) = self.level(LevelId(level)) else { continue };
            // What is registered there comes in with the numbers it had.
            self.has_level(&path).map_err(io::Error::other)?;
            self.note_level(&path);
        }
        for (id, note) in slots {
            // Of what was being registered the store may not know.
            if note.bare.is_some()
                && self.heirs.contains_key(&(LevelId(note.level), note.stem.clone()))
            {
                let mut slot = Slot::new(LevelId(note.level), &note.stem);
                slot.epoch = note.epoch;
                slot.json = note.bare.flatten().map(MarkNote::mark);
                slot.copying = note.copying.map(MarkNote::mark);
                self.insert_as(SlotId(id), slot);
            }
        }
        self.heirs.clear();
        self.begin_notes_anew();
        Ok(())
    }

    /// What platforms may believe that does not hold any more: listings of these directories, and
    /// these names.
    pub(crate) fn in_doubt(&mut self) -> (Vec<LevelId>, Vec<(LevelId, Box<str>)>) {
        let levels = (0..self.levels.len() as u64).map(LevelId).collect();
        (levels, std::mem::take(&mut self.untold))
    }

    /// Gives a slot that is taken in from the store the number that it had, and what it had besides.
    pub(super) fn heir_of(&mut self, slot: &mut Slot) -> Option<SlotId> {
        let (id, note) = self.heirs.remove(&(slot.level, slot.stem.clone()))?;
        slot.epoch = note.epoch;
        if let (Some(shown), Some(noted)) = (&mut slot.copying, note.copying) {
            *shown = noted.mark();
        }
        // rez may not have come to make it yet.
        if slot.payload == Payload::Staging
            && slot.registration.is_some_and(|known| !self.store.staging_dir(known).exists())
        {
            slot.payload = Payload::Absent;
        }
        Some(id)
    }

    /// Writes what holds anew, if that is worth its while.
    pub(super) fn shorten_notes(&mut self) {
        if self.notes.is_long() {
            self.begin_notes_anew();
        }
    }

    fn begin_notes_anew(&mut self) {
        let levels = self.levels.iter().map(|path| Note::Level((**path).clone()));
        let made = self.made.iter().map(|id| Note::Made(id.0));
        // A number is not given again, also when the slot that had it is gone.
        let last = Note::Gone(self.last_slot);
        let slots = self.slots.iter().map(|(id, slot)| Note::Slot(id.0, SlotNote::of(slot)));
        if let Some(ledger) = &mut *self.notes.0.borrow_mut() {
            ledger.begin_anew(levels.chain(made).chain([last]).chain(slots));
        }
    }
}
