//! What `status` tells.

use std::{collections::HashSet, path::PathBuf, sync::atomic::Ordering};

use pkgfs_origin::Counters;
use pkgfs_rez_worker::{RezWorker, RezWorkerStatus};
use pkgfs_store::{Registered, RegistrationId, StoreError, Usage};
use serde::{Deserialize, Serialize};

use crate::{
    CheckStatus, Problem, ProfileStatus, RoomStatus, Target, View, WarmProgress,
    foresight::FetchedAhead,
    registry::{LevelPath, Slot},
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
    pub ready: u64,
    /// Being copied in by rez.
    pub copying: u64,
    /// Of all, those that are pinned.
    pub pinned: u64,
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
    /// Root at origin, where it is known, as text.
    pub origin: Option<String>,
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
        let Registered { ready, copying, pinned } = self.told(self.store.registered());
        let recorded = self.store.recorded_of_all();
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

    /// Tells registered variants, a few at a time in the order of packages, for as long as `take`
    /// wants more; and which targets mean none, each with the reason. No target means all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(
        &self,
        targets: &[Target],
        mut take: impl FnMut(Vec<VariantStatus>) -> bool,
    ) -> Result<Vec<String>, StoreError> {
        let describe = |_: &LevelPath, slot: &Slot| self.described(slot);
        if targets.is_empty() {
            let mut walk = self.walk(None);
            while let Some(page) = walk.next(describe)? {
                if !take(self.counted(page)) {
                    break;
                }
            }
            return Ok(Vec::new());
        }
        // What two targets mean is told once.
        let (mut told, mut refused) = (HashSet::new(), Vec::new());
        for target in targets {
            let mut none = true;
            let listed = self.each_meant(target, describe, |mut page| {
                none &= page.is_empty();
                page.retain(|(registration, _)| told.insert(*registration));
                take(self.counted(page))
            });
            match listed {
                Ok(()) if none => refused.push(target.means_none()),
                Ok(()) => {}
                Err(reason) => refused.push(reason),
            }
        }
        Ok(refused)
    }

    /// With what is known and local of each.
    fn counted(&self, page: Vec<(RegistrationId, VariantStatus)>) -> Vec<VariantStatus> {
        let count = |(registration, mut variant): (RegistrationId, VariantStatus)| {
            let recorded = self.told(self.store.recorded(registration));
            variant.known = Amount { files: recorded.files, bytes: recorded.bytes };
            variant.local =
                Amount { files: recorded.hydrated_files, bytes: recorded.hydrated_bytes };
            variant
        };
        page.into_iter().map(count).collect()
    }

    /// A variant, as far as memory tells of it.
    fn described(&self, slot: &Slot) -> Option<(RegistrationId, VariantStatus)> {
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
            origin: slot
                .root
                .as_deref()
                .map(|root| root.components().collect::<PathBuf>().to_string_lossy().into_owned()),
            package: handle.package_name(),
            status,
            pinned: slot.pinned,
            known: Amount::default(),
            local: Amount::default(),
            used: slot.shown_mtime().secs,
        };
        Some((slot.registration?, variant))
    }
}
