//! One stem of a `<h4>` directory, and everything that shows for it.

use std::{path::PathBuf, time::Instant};

use pkgfs_manifest::{Attributes, Timestamp};
use pkgfs_rez::VariantHandle;
use pkgfs_store::{Registration, RegistrationId, RegistrationState};

use crate::node::{LevelId, Node, Part, SlotId};

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
    /// What the payload's root directory is at origin, once that is known.
    pub root_attributes: Option<Attributes>,
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
            root_attributes: None,
            created: Timestamp::now(),
            used: Timestamp::default(),
            checked: None,
            epoch: 0,
            pinned: false,
        }
    }

    /// What the store knows of a registration, in this directory.
    pub(super) fn known(
        level: LevelId,
        known: Registration,
        handle: Option<VariantHandle>,
        owner: (u32, u32),
    ) -> Self {
        let mut slot = Self::new(level, &known.stem);
        let (text, mtime) = (known.json.into_bytes(), known.touched);
        slot.json = Some(Mark { text, mtime, touched: None, owner });
        slot.registration = Some(known.id);
        slot.handle = handle;
        slot.root = known.root;
        slot.created = known.created;
        slot.pinned = known.pinned;
        (slot.payload, slot.copying) = match known.state {
            RegistrationState::Copying => {
                // Whoever copied is gone with the mount: stalled from the start.
                let mtime = known.created;
                let mark = Mark { text: Vec::new(), mtime, touched: None, owner };
                (Payload::Staging, Some(mark))
            }
            RegistrationState::Served => (Payload::Served, None),
            RegistrationState::Sealed => (Payload::Sealed, None),
        };
        slot
    }

    /// What rez takes for the time of last use.
    pub(crate) fn shown_mtime(&self) -> Timestamp {
        self.json.as_ref().map_or(self.used, |json| json.mtime.max(self.used))
    }

    /// The variant as rez writes it; nothing while no handle is known.
    pub(crate) fn uri(&self) -> String {
        self.handle.as_ref().map(VariantHandle::uri).unwrap_or_default()
    }

    /// The number of what this slot, known by `id`, shows as `part`.
    pub(crate) fn node(&self, id: SlotId, part: Part) -> crate::NodeId {
        match part {
            Part::Payload => crate::NodeId::payload(id, self.epoch),
            Part::Json | Part::Copying => Node::Slot(id, part).into(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.json.is_none() && self.copying.is_none() && self.payload == Payload::Absent
    }
}
