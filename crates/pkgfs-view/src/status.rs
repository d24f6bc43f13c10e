//! What `status` tells.

use std::{path::PathBuf, sync::atomic::Ordering};

use pkgfs_origin::Counters;
use pkgfs_rez_worker::{RezWorker, RezWorkerStatus};
use pkgfs_store::Usage;
use serde::Serialize;

use crate::{Problem, View, foresight::FetchedAhead, registry::Payload};

/// The state of a view.
#[derive(Debug, Clone, Serialize)]
pub struct ViewStatus {
    /// Repositories that look-ups are answered from.
    pub repositories: Vec<PathBuf>,
    /// Registered variants, by how their bytes are had.
    pub registrations: Registrations,
    /// Files of known directories, and their bytes.
    pub known: Amount,
    /// Of these, what is local.
    pub hydrated: Amount,
    /// First reads that found the file local.
    pub hits: u64,
    /// First reads that had to ask origin.
    pub misses: u64,
    /// What was fetched before anybody asked for it, since the start.
    pub ahead: FetchedAhead,
    /// What rez itself was asked, where it can be.
    pub rez: Option<RezWorkerStatus>,
    /// What origin was asked.
    pub origin: Counters,
    /// The store's size and room.
    pub store: Usage,
    /// Open files and directories.
    pub open: usize,
    /// What went wrong lately.
    pub problems: Vec<Problem>,
}

/// How many variants are registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Registrations {
    /// Read-only trees.
    pub ready: usize,
    /// Being copied in by rez.
    pub copying: usize,
}

/// Files and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// One registered variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariantStatus {
    /// As rez writes it.
    pub uri: String,
    /// Path below the mountpoint.
    pub path: String,
    /// Root at origin, where it is known.
    pub origin: Option<PathBuf>,
    /// Whether rez is still copying it in.
    pub copying: bool,
    /// Last use, in seconds since 1970.
    pub used: i64,
}

impl View {
    /// The state of the view.
    #[must_use]
    pub fn status(&self) -> ViewStatus {
        let mut registrations = Registrations::default();
        let mut known = Amount::default();
        let mut hydrated = Amount::default();
        let ids: Vec<_> = {
            let registry = self.registry.lock();
            let slots = registry.slots().filter_map(|(_, slot)| {
                match slot.payload {
                    Payload::Served | Payload::Sealed => registrations.ready += 1,
                    Payload::Staging | Payload::Sealing => registrations.copying += 1,
                    Payload::Absent => {}
                }
                slot.registration
            });
            slots.collect()
        };
        for id in ids {
            match self.store.recorded(id) {
                Ok(recorded) => {
                    known.files += recorded.files;
                    known.bytes += recorded.bytes;
                    hydrated.files += recorded.hydrated_files;
                    hydrated.bytes += recorded.hydrated_bytes;
                }
                Err(error) => self.problems.tell(error.to_string()),
            }
        }
        ViewStatus {
            repositories: self.settings.repositories.clone(),
            registrations,
            known,
            hydrated,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            ahead: self.foresight.amount(),
            rez: self.settings.rez_worker.as_ref().map(RezWorker::status),
            origin: self.origin.counters(),
            store: self.store.usage(),
            open: self.handles.count(),
            problems: self.problems.all(),
        }
    }

    /// All registered variants, in the order of their paths.
    #[must_use]
    pub fn variants(&self) -> Vec<VariantStatus> {
        let registry = self.registry.lock();
        let mut variants: Vec<_> = registry
            .slots()
            .filter_map(|(_, slot)| {
                let handle = slot.handle.as_ref()?;
                slot.registration?;
                let (version, h4) = (handle.version_dir(), handle.h4());
                Some(VariantStatus {
                    uri: handle.uri(),
                    path: format!("{}/{version}/{h4}/{}", handle.name, slot.stem),
                    origin: slot.root.clone(),
                    copying: !slot.payload.is_tree(),
                    used: slot.shown_mtime().secs,
                })
            })
            .collect();
        variants.sort_by(|a, b| a.path.cmp(&b.path));
        variants
    }
}
