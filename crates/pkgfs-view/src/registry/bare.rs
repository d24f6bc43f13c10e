//! What was made in the registry and is not registered.
//!
//! Everybody may make directories and files there, as rez does; only memory holds them until a json
//! is complete. So there are bounds to what may be made in all: beyond them the view is full.

use std::{cell::RefCell, collections::HashMap};

use super::{Registry, Slot};
use crate::node::SlotId;

/// Most directories that were made and not removed.
const MOST_DIRECTORIES: usize = 1 << 18;
/// Most bytes of slots that are not registered.
const MOST_BYTES: usize = 64 << 20;
/// What a slot takes besides its texts, about.
const SLOT: usize = 1 << 10;

/// The slots that are not registered, each with the bytes it takes.
#[derive(Default)]
pub(super) struct Bare(RefCell<Known>);

#[derive(Default)]
struct Known {
    slots: HashMap<SlotId, usize>,
    bytes: usize,
}

impl Bare {
    /// A slot has changed.
    pub(super) fn account(&self, id: SlotId, slot: &Slot) {
        let marks = [&slot.json, &slot.copying];
        let texts = || marks.into_iter().flatten().map(|mark| mark.text.len()).sum::<usize>();
        self.set(id, if slot.registration.is_none() { SLOT + texts() } else { 0 });
    }

    /// A slot is gone.
    pub(super) fn forget(&self, id: SlotId) {
        self.set(id, 0);
    }

    fn set(&self, id: SlotId, bytes: usize) {
        let known = &mut *self.0.borrow_mut();
        let former = match bytes {
            0 => known.slots.remove(&id),
            _ => known.slots.insert(id, bytes),
        };
        known.bytes = known.bytes + bytes - former.unwrap_or_default();
    }
}

impl Registry {
    /// Whether one more directory may be made.
    pub(crate) fn takes_a_directory(&self) -> bool {
        let takes = self.made.len() < MOST_DIRECTORIES;
        if !takes {
            self.problems.tell(format!(
                "{MOST_DIRECTORIES} directories were made and not removed; no more are: remove those \
                 that nobody needs"
            ));
        }
        takes
    }

    /// Whether one more slot may be begun with this many bytes, or one that is not registered may
    /// take so many more.
    pub(crate) fn takes_bytes(&self, more: usize) -> bool {
        let takes = self.bare.0.borrow().bytes + SLOT + more <= MOST_BYTES;
        if !takes {
            self.problems.tell(format!(
                "what was written into the registry and registers nothing has {MOST_BYTES} bytes; no \
                 more is taken: remove what nobody needs"
            ));
        }
        takes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        node::LevelId,
        problems::Problems,
        registry::{LevelPath, Mark},
    };

    fn registry(dir: &tempfile::TempDir) -> Registry {
        let store = Arc::new(pkgfs_store::Store::open(dir.path()).unwrap());
        Registry::new(store, Arc::new(Problems::default()), (0, 0))
    }

    #[test]
    fn what_is_registered_or_gone_counts_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let mut registry = registry(&dir);
        let level = registry.make_level(&LevelPath::of_name("tool")).unwrap();
        let ids = ["a", "b"].map(|stem| registry.insert(Slot::new(level, stem)));
        for id in ids {
            let text = vec![b' '; MOST_BYTES / 2 - 2 * SLOT];
            let mark = Mark { text, mtime: Default::default(), touched: None, owner: (0, 0) };
            assert!(registry.takes_bytes(mark.text.len()));
            registry.slot_mut(id).unwrap().json = Some(mark);
        }
        assert!(!registry.takes_bytes(2 * SLOT));
        registry.slot_mut(ids[0]).unwrap().registration = Some(pkgfs_store::RegistrationId(1));
        assert!(registry.takes_bytes(MOST_BYTES / 4));
        registry.slot_mut(ids[1]).unwrap().json = None;
        registry.drop_if_empty(ids[1]);
        assert_eq!(registry.bare.0.borrow().bytes, 0);
    }

    #[test]
    fn directories_are_taken_up_to_a_bound_and_again_when_some_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mut registry = registry(&dir);
        (0..MOST_DIRECTORIES as u64).for_each(|id| assert!(registry.made.insert(LevelId(id))));
        assert!(!registry.takes_a_directory());
        registry.made.remove(&LevelId(7));
        assert!(registry.takes_a_directory());
    }
}
