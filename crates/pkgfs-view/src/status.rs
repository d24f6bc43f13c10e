//! What `status` tells.

use std::{path::PathBuf, sync::atomic::Ordering};

use pkgfs_origin::Counters;
use pkgfs_rez_worker::{RezWorker, RezWorkerStatus};
use pkgfs_store::{Registered, StoreError, Usage};
use serde::{Deserialize, Serialize};

use crate::{
    CheckStatus, Problem, ProfileStatus, RoomStatus, Target, View, WarmProgress,
    foresight::FetchedAhead, node::SlotId, targets::Chosen,
};

/// The state of a view.
#[derive(Debug, Clone, Serialize)]
pub struct ViewStatus {
    /// Repositories that look-ups are answered from.
    pub repositories: Vec<PathBuf>,
    /// Repositories that rez looks in and that are not there, by the paths that are set.
    pub missing_repositories: Vec<PathBuf>,
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
    /// How launch profiles do, which a part of that was fetched by.
    pub profiles: ProfileStatus,
    /// What rez itself was asked, where it can be.
    pub rez: Option<RezWorkerStatus>,
    /// What origin was asked.
    pub origin: Counters,
    /// What the store holds, and its disk.
    pub store: Usage,
    /// How it does within its bounds.
    pub room: RoomStatus,
    /// What was checked of it.
    pub checks: CheckStatus,
    /// Variants being fetched ahead by command, and how far that is.
    pub warming: Vec<WarmProgress>,
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
    /// Of all, those that are pinned.
    pub pinned: usize,
}

/// Files and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Whether a variant can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VariantState {
    /// It can.
    Ready,
    /// rez is copying it in.
    Copying,
    /// rez's copy has stalled.
    Stalled,
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
    /// rez's qualified name of the package.
    pub package: String,
    /// Whether it can be used.
    pub status: VariantState,
    /// Whether it is kept however long nobody uses it.
    pub pinned: bool,
    /// Files of its known directories, and their bytes.
    pub known: Amount,
    /// Of these, what is local.
    pub local: Amount,
    /// Last use, in seconds since 1970.
    pub used: i64,
}

impl View {
    /// The state of the view.
    #[must_use]
    pub fn status(&self) -> ViewStatus {
        let registered = self.told(self.store.registered());
        let recorded = self.told(self.store.recorded_of_all());
        let Registered { ready, copying, pinned } = registered;
        ViewStatus {
            repositories: self.whereabouts.known(),
            missing_repositories: self.whereabouts.missing(),
            registrations: Registrations { ready, copying, pinned },
            known: Amount { files: recorded.files, bytes: recorded.bytes },
            hydrated: Amount { files: recorded.hydrated_files, bytes: recorded.hydrated_bytes },
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            ahead: self.foresight.amount().and(self.profiles.ahead.amount()),
            profiles: self.profile_status(),
            rez: self.settings.rez_worker.as_ref().map(RezWorker::status),
            origin: self.origin.counters(),
            store: self.store.usage(),
            room: self.room.status(),
            checks: self.check_status(),
            warming: self.warmings(),
            open: self.handles.count(),
            problems: self.problems.all(),
        }
    }

    /// What the store tells; where it cannot, that is told and there is nothing.
    fn told<T: Default>(&self, counted: Result<T, StoreError>) -> T {
        counted.inspect_err(|error| self.problems.tell(error.to_string())).unwrap_or_default()
    }

    /// Registered variants in the order of their URIs, and which targets mean none, each with
    /// the reason. No target means all.
    #[must_use]
    pub fn variants(&self, targets: &[Target]) -> (Vec<VariantStatus>, Vec<String>) {
        let chosen = if targets.is_empty() {
            match self.all_registered() {
                Ok(slots) => Chosen { slots, refused: Vec::new() },
                Err(error) => Chosen { slots: Vec::new(), refused: vec![error.to_string()] },
            }
        } else {
            self.registered(targets)
        };
        let mut variants: Vec<_> =
            chosen.slots.into_iter().filter_map(|id| self.variant(id)).collect();
        variants.sort_by(|a, b| a.uri.cmp(&b.uri));
        (variants, chosen.refused)
    }

    fn variant(&self, id: SlotId) -> Option<VariantStatus> {
        let (registration, mut variant) = {
            let registry = self.registry.lock();
            let slot = registry.slot(id)?;
            let handle = slot.handle.as_ref()?;
            let (version, h4) = (handle.version_dir(), handle.h4());
            let status = match () {
                () if slot.payload.is_tree() => VariantState::Ready,
                () if self.is_stalled(slot) => VariantState::Stalled,
                () => VariantState::Copying,
            };
            let variant = VariantStatus {
                uri: handle.uri(),
                path: format!("{}/{version}/{h4}/{}", handle.name, slot.stem),
                // Without the slash that the root of a package without variants ends in.
                origin: slot.root.as_deref().map(|root| root.components().collect()),
                package: handle.package_name(),
                status,
                pinned: slot.pinned,
                known: Amount::default(),
                local: Amount::default(),
                used: slot.shown_mtime().secs,
            };
            (slot.registration?, variant)
        };
        let recorded = self.told(self.store.recorded(registration));
        variant.known = Amount { files: recorded.files, bytes: recorded.bytes };
        variant.local = Amount { files: recorded.hydrated_files, bytes: recorded.hydrated_bytes };
        Some(variant)
    }
}
