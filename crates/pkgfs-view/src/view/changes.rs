//! Unlinking, renaming, linking, and changing attributes.

use std::{sync::Arc, time::Instant};

use pkgfs_rez::layout::Entry as LayoutEntry;

use crate::{
    Caller, Change, Found, Keep, NodeId, View, ViewError,
    node::{LevelId, Node, Part, SlotId},
    registry::Payload,
    view::names::part_of,
};

impl View {
    /// Removes a name that is not a directory's.
    ///
    /// # Errors
    /// [`ViewError::ReadOnly`] in a payload.
    pub async fn unlink(self: &Arc<Self>, parent: NodeId, name: &[u8]) -> Result<(), ViewError> {
        match parent.decode().ok_or(ViewError::Stale)? {
            Node::Writable(parent) => {
                self.writable.unlink(parent, name)?;
                if parent == self.sys {
                    self.lock.unlinked(name);
                }
                Ok(())
            }
            Node::Level(level) => {
                let (id, part) = self.slot_by_name(level, name)?;
                match part {
                    Part::Json => self.unlink_json(id).await,
                    Part::Copying => self.unlink_copying(id).await,
                    Part::Payload => Err(ViewError::IsADirectory),
                }
            }
            _ => Err(ViewError::ReadOnly),
        }
    }

    fn slot_by_name(&self, level: LevelId, name: &[u8]) -> Result<(SlotId, Part), ViewError> {
        let mut registry = self.registry.lock();
        let path = registry.level(level).ok_or(ViewError::Stale)?;
        if path.h4.is_none() {
            return Err(ViewError::ReadOnly);
        }
        let entry = std::str::from_utf8(name).ok().and_then(LayoutEntry::classify);
        let entry = entry.ok_or(ViewError::NotFound)?;
        let id = registry.slot_of_stem(&path, entry.stem())?.ok_or(ViewError::NotFound)?;
        Ok((id, part_of(entry)))
    }

    /// Without its json a variant is not registered, whatever else there is.
    async fn unlink_json(self: &Arc<Self>, id: SlotId) -> Result<(), ViewError> {
        let (level, stem, removed) = {
            let registry = self.registry.lock();
            let slot = registry.slot(id).ok_or(ViewError::NotFound)?;
            if slot.json.is_none() {
                return Err(ViewError::NotFound);
            }
            let staged = slot.payload == Payload::Staging;
            (slot.level, slot.stem.clone(), slot.registration.map(|known| (known, staged)))
        };
        self.unregister(id, true).await?;
        let mut registry = self.registry.lock();
        if let Some(mut slot) = registry.slot_mut(id) {
            slot.json = None;
            slot.payload = Payload::Absent;
        }
        registry.drop_if_empty(id);
        drop(registry);
        if let Some((registration, true)) = removed {
            self.discard_staging(registration);
        }
        self.notices.name(self.level_node(level), stem.as_bytes());
        Ok(())
    }

    /// The end of a copy: of rez's adding (the tree is whole, and sealed before this
    /// returns) or of its removing a stalled one (the tree is gone already).
    async fn unlink_copying(self: &Arc<Self>, id: SlotId) -> Result<(), ViewError> {
        let staged = {
            let registry = self.registry.lock();
            let slot = registry.slot(id).ok_or(ViewError::NotFound)?;
            if slot.copying.is_none() {
                return Err(ViewError::NotFound);
            }
            slot.registration.filter(|_| slot.payload == Payload::Staging)
        };
        if let Some(registration) = staged {
            self.seal(id, registration).await?;
        }
        let mut registry = self.registry.lock();
        if let Some(mut slot) = registry.slot_mut(id) {
            slot.copying = None;
        }
        registry.drop_if_empty(id);
        Ok(())
    }

    /// Renames: below `.sys`, inside a tree under way, and `<inc>` into
    /// `.sys/to_delete`, which is how rez removes a variant.
    ///
    /// # Errors
    /// [`ViewError::ReadOnly`] where a payload would change.
    pub async fn rename(
        self: &Arc<Self>,
        from: (NodeId, &[u8]),
        to: (NodeId, &[u8]),
        replace: bool,
    ) -> Result<(), ViewError> {
        let source = from.0.decode().ok_or(ViewError::Stale)?;
        let target = to.0.decode().ok_or(ViewError::Stale)?;
        match (source, target) {
            (Node::Writable(source), Node::Writable(target)) => {
                self.writable.rename((source, from.1), (target, to.1), replace)
            }
            (Node::Level(level), Node::Writable(target)) if target == self.to_delete => {
                let (id, part) = self.slot_by_name(level, from.1)?;
                if part != Part::Payload {
                    return Err(ViewError::ReadOnly);
                }
                self.move_away(id, to.1).await
            }
            _ => Err(ViewError::ReadOnly),
        }
    }

    /// rez removes a variant: an empty directory appears in `to_delete`, and whoever
    /// has files of the payload open goes on reading them.
    async fn move_away(self: &Arc<Self>, id: SlotId, name: &[u8]) -> Result<(), ViewError> {
        let (registration, staged) = {
            let registry = self.registry.lock();
            let slot = registry.slot(id).ok_or(ViewError::NotFound)?;
            let staged = match slot.payload {
                Payload::Absent => return Err(ViewError::NotFound),
                Payload::Sealing => return Err(ViewError::ReadOnly),
                Payload::Staging => true,
                Payload::Served | Payload::Sealed => false,
            };
            (slot.registration, staged)
        };
        let caller = Caller { uid: self.settings.owner.0, gid: self.settings.owner.1, pid: 0 };
        let empty = self.writable.make_directory(self.to_delete, name, 0o777, caller)?;
        self.forget(empty.node, 1);
        self.unregister(id, true).await?;
        if let Some(mut slot) = self.registry.lock().slot_mut(id) {
            slot.payload = Payload::Absent;
        }
        if let (Some(registration), true) = (registration, staged) {
            self.discard_staging(registration);
        }
        // The platform has moved the name and still takes it for the payload.
        self.notices.name(Node::Writable(self.to_delete).into(), name);
        Ok(())
    }

    /// A second name for a file: only below `.sys`, for rez's lock.
    ///
    /// # Errors
    /// [`ViewError::ReadOnly`] anywhere else.
    pub async fn link(
        &self,
        node: NodeId,
        parent: NodeId,
        name: &[u8],
    ) -> Result<Found, ViewError> {
        let (Some(Node::Writable(id)), Some(Node::Writable(parent))) =
            (node.decode(), parent.decode())
        else {
            return Err(ViewError::ReadOnly);
        };
        let _guard = if parent == self.sys && name == crate::lock::LOCK_NAME {
            Some(self.lock.taking().await)
        } else {
            None
        };
        let attributes = self.writable.link(id, parent, name)?;
        Ok(Found { attributes, name: Keep::Never, values: Keep::Never })
    }

    /// Changes attributes.
    ///
    /// # Errors
    /// [`ViewError::ReadOnly`] in a payload.
    pub async fn change(
        self: &Arc<Self>,
        node: NodeId,
        change: Change,
    ) -> Result<Found, ViewError> {
        match node.decode().ok_or(ViewError::Stale)? {
            Node::Writable(id) => {
                // An unlinked file has no path any more and belongs to no copy.
                let path = self.writable.relative(id).unwrap_or_default();
                let staged = self.store.staging_of(&path);
                if staged.is_some_and(|registration| self.is_sealing(registration)) {
                    return Err(ViewError::ReadOnly);
                }
                let attributes = self.writable.change(id, change)?;
                Ok(Found { attributes, name: Keep::Never, values: Keep::Never })
            }
            Node::Slot(id, part @ (Part::Json | Part::Copying)) => {
                self.change_mark(id, part, change)?;
                self.attributes(node).await
            }
            // rez makes `<inc>` writable before it moves it away; it always shows so.
            Node::Slot(_, Part::Payload)
                if change == (Change { mode: change.mode, ..Change::default() }) =>
            {
                self.attributes(node).await
            }
            Node::Root | Node::Level(_)
                if change.size.is_none() && change.uid.is_none() && change.gid.is_none() =>
            {
                self.attributes(node).await
            }
            _ => Err(ViewError::ReadOnly),
        }
    }

    fn change_mark(
        self: &Arc<Self>,
        id: SlotId,
        part: Part,
        change: Change,
    ) -> Result<(), ViewError> {
        let mut registry = self.registry.lock();
        let mut slot = registry.slot_mut(id).ok_or(ViewError::NotFound)?;
        let registration = slot.registration;
        let mark = match part {
            Part::Json => slot.json.as_mut(),
            Part::Copying => slot.copying.as_mut(),
            Part::Payload => None,
        };
        let mark = mark.ok_or(ViewError::NotFound)?;
        if let Some(size) = change.size {
            if part == Part::Json && registration.is_some() {
                return Err(ViewError::ReadOnly);
            }
            mark.text.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        }
        if let Some(mtime) = change.mtime {
            mark.mtime = mtime;
            mark.touched = Some(Instant::now());
        }
        if let (Part::Json, Some(registration), Some(mtime)) = (part, registration, change.mtime) {
            self.recency.touched(registration, mtime);
            let due = slot.payload == Payload::Served
                && slot.checked.is_none_or(|at| at.elapsed() >= self.settings.freshness);
            if due {
                slot.checked = Some(Instant::now());
                self.check_later(registration);
            }
        }
        Ok(())
    }

    fn is_sealing(&self, registration: pkgfs_store::RegistrationId) -> bool {
        let mut registry = self.registry.lock();
        let slot = registry.of_registration(registration).and_then(|id| registry.slot(id));
        slot.is_some_and(|slot| slot.payload == Payload::Sealing)
    }
}
