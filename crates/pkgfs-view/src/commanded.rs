//! Variants added, removed and pinned by command, with the rules that rez's own ways follow.

use std::sync::Arc;

use pkgfs_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::{
    Target, View, ViewError,
    node::SlotId,
    registering::NotRegistered,
    registry::{LevelPath, Payload, Removal},
    repositories::NotOffered,
    view::blocking,
};

/// What a command came to, variant by variant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Done, by URI.
    pub changed: Vec<String>,
    /// As it was to be already, by URI.
    pub unchanged: Vec<String>,
    /// Of a context or request, what rez would not cache either, each with the reason.
    pub passed_over: Vec<String>,
    /// Not done, each with the reason.
    pub refused: Vec<String>,
}

impl View {
    /// Registers variants.
    pub async fn add(self: &Arc<Self>, targets: &[Target]) -> Report {
        let (report, _) = self.add_slots(targets).await;
        self.notices.delivered().await;
        report
    }

    /// The same, and which slots they have.
    pub(crate) async fn add_slots(self: &Arc<Self>, targets: &[Target]) -> (Report, Vec<SlotId>) {
        let mut report = Report::default();
        let mut slots = Vec::new();
        for target in targets {
            let wanted = match self.wanted(target).await {
                Ok(wanted) => wanted,
                Err(reason) => {
                    report.refused.push(reason);
                    continue;
                }
            };
            for handles in wanted.variants {
                match self.take_in_first(handles).await {
                    Ok((id, new)) => {
                        slots.push(id);
                        let list = if new { &mut report.changed } else { &mut report.unchanged };
                        list.push(self.name_of(id));
                    }
                    Err(NotRegistered::NotOffered(reason @ NotOffered::Refused { .. }))
                        if wanted.passing =>
                    {
                        report.passed_over.push(reason.to_string());
                    }
                    Err(reason) => report.refused.push(reason.to_string()),
                }
            }
        }
        slots.sort_unstable();
        slots.dedup();
        (report, slots)
    }

    /// Removes variants as rez does: look-ups do not bring them back, and open files go on.
    /// Pinned ones only if forced.
    ///
    /// # Errors
    /// When the store fails, or rez holds its lock.
    pub async fn remove(
        self: &Arc<Self>,
        targets: &[Target],
        force: bool,
    ) -> Result<Report, ViewError> {
        let chosen = self.registered(targets);
        let mut report = Report { refused: chosen.refused, ..Report::default() };
        for registration in chosen.registrations {
            let (id, uri, pinned, copying) = {
                let mut registry = self.registry.lock();
                let Some(id) = registry.of_registration(registration) else { continue };
                let Some(slot) = registry.slot(id) else { continue };
                let uri = slot.uri();
                let copying = !slot.payload.is_tree() && !self.is_stalled(slot);
                (id, uri, slot.pinned, copying)
            };
            if copying {
                report.refused.push(format!("{uri}: rez is copying it in; try again later"));
            } else if pinned && !force {
                report.refused.push(format!("{uri}: it is pinned; unpin it, or give --force"));
            } else {
                self.take_away(id, true).await?;
                report.changed.push(uri);
            }
        }
        self.notices.delivered().await;
        self.room.freed().await;
        Ok(report)
    }

    /// Takes a variant out of the tree, and the directories above it that are empty then.
    pub(crate) async fn take_away(
        self: &Arc<Self>,
        id: SlotId,
        tombstone: bool,
    ) -> Result<(), ViewError> {
        let _guard = self.lock.exclusive(0).await.map_err(|_| ViewError::TimedOut)?;
        let (level, stem, staged) = {
            let registry = self.registry.lock();
            let Some(slot) = registry.slot(id) else { return Ok(()) };
            let staged = slot.registration.filter(|_| slot.payload == Payload::Staging);
            (slot.level, slot.stem.clone(), staged)
        };
        self.unregister(id, tombstone).await?;
        if let Some(registration) = staged {
            self.discard_staging(registration);
        }
        let mut registry = self.registry.lock();
        if let Some(mut slot) = registry.slot_mut(id) {
            slot.json = None;
            slot.copying = None;
            slot.payload = Payload::Absent;
        }
        registry.drop_if_empty(id);
        for name in [
            stem.to_string(),
            pkgfs_rez::layout::registration_name(&stem),
            pkgfs_rez::layout::copying_name(&stem),
        ] {
            self.notices.name(self.level_node(level), name.as_bytes());
        }
        let mut above = registry.level(level).map(|path| LevelPath::clone(&path));
        while let Some(path) = above {
            if registry.remove_level(&path)? == Removal::NotEmpty {
                break;
            }
            let parent = path.parent();
            let holder = match &parent {
                Some(parent) => self.level_node(registry.level_id(parent)),
                None => crate::NodeId::ROOT,
            };
            self.notices.name(holder, path.last().as_bytes());
            above = parent;
        }
        Ok(())
    }

    /// Pins variants, or takes their pins back: durable when it returns.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pin(self: &Arc<Self>, targets: &[Target], pin: bool) -> Result<Report, ViewError> {
        let chosen = self.registered(targets);
        let mut report = Report { refused: chosen.refused, ..Report::default() };
        for registration in chosen.registrations {
            let (id, uri, pinned) = {
                let mut registry = self.registry.lock();
                let Some(id) = registry.of_registration(registration) else { continue };
                let Some(slot) = registry.slot(id) else { continue };
                (id, slot.uri(), slot.pinned)
            };
            if pinned == pin {
                report.unchanged.push(uri);
                continue;
            }
            let store = Arc::clone(&self.store);
            let recorded =
                blocking(
                    move || {
                        if pin { store.pin(registration) } else { store.unpin(registration) }
                    },
                );
            match recorded.await {
                Ok(()) => report.changed.push(uri),
                Err(error @ StoreError::NotRegistered { .. }) => {
                    report.refused.push(format!("{uri}: {error}"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            if let Some(mut slot) = self.registry.lock().slot_mut(id) {
                slot.pinned = pin;
            }
        }
        self.room.freed().await;
        Ok(report)
    }
}
