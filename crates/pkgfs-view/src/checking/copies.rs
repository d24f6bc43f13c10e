//! Copies of rez's of which a file is gone.
//!
//! What rez has copied in may be at origin, unchanged, or nowhere. What is not whole and cannot be
//! completed is unregistered, without a tombstone: a look-up brings it back from origin if it may, and
//! otherwise rez copies it in again when it is next asked for (rez's `get_cached_root` finds nothing,
//! `add_variant` finds no registration in its way).

use std::sync::Arc;

use pkgfs_manifest::Kind;
use pkgfs_store::{FileKey, RegistrationId};

use super::VerifyReport;
use crate::{View, ViewError, node::SlotId, registry::Payload, view::blocking};

impl View {
    /// The variant of a file, if rez has copied it in.
    pub(super) fn copied_in(&self, file: FileKey) -> Option<SlotId> {
        let (directory, _) = self.payloads.entry(file).ok()?;
        let mut registry = self.registry.lock();
        let id = registry.of_registration(directory.registration)?;
        registry.slot(id).filter(|slot| slot.payload == Payload::Sealed).map(|_| id)
    }

    /// Completes copies of which files are gone, since when does not matter, or removes them.
    pub(super) async fn repair_copies(self: &Arc<Self>, report: &mut VerifyReport) {
        let store = Arc::clone(&self.store);
        let incomplete = match blocking(move || store.incomplete_copies()).await {
            Ok(incomplete) => incomplete,
            Err(error) => return report.fail(error.to_string()),
        };
        for registration in incomplete {
            match self.complete(registration).await {
                Ok(files) => report.repaired += files,
                Err(_) => self.remove_copy(registration, report).await,
            }
        }
    }

    /// Fetches what is gone of a copy from where it was copied; how many files.
    async fn complete(self: &Arc<Self>, registration: RegistrationId) -> Result<u64, ViewError> {
        let mut fetched = 0;
        for id in self.store.current_directories(registration)? {
            let directory = self.payloads.by_id(id)?;
            let there = self.store.contents(id)?;
            let missing = (0..).zip(directory.listing.entries()).filter(|(index, entry)| {
                let has_bytes = entry.kind == Kind::File && entry.attributes.size > 0;
                has_bytes && !there.iter().any(|(known, _)| known == index)
            });
            for (entry, _) in missing {
                self.fetch_anew(FileKey { directory: id, entry }).await?;
                fetched += 1;
            }
        }
        Ok(fetched)
    }

    async fn remove_copy(
        self: &Arc<Self>,
        registration: RegistrationId,
        report: &mut VerifyReport,
    ) {
        let id = self.registry.lock().of_registration(registration);
        let Some(id) = id else { return };
        let uri = self.name_of(id);
        match self.take_away(id, false).await {
            Ok(()) => {
                let told =
                    "of rez's copy a file was lost; it is removed, and rez copies it in anew";
                self.problems.tell(format!("{uri}: {told}"));
                report.removed.push(uri);
            }
            Err(error) => report.fail(format!("{uri}: {error}")),
        }
    }
}
