//! The files by which rez adds a variant: `.copying-<inc>` and `<inc>.json`.

use std::{sync::Arc, time::Instant};

use pkgfs_manifest::Timestamp;
use pkgfs_rez::layout::Entry as LayoutEntry;
use pkgfs_store::{NewRegistration, RegistrationState};

use crate::{
    Caller, Found, HandleId, Keep, View, ViewError,
    handles::Handle,
    node::{LevelId, Part, SlotId},
    registry::{LevelPath, Mark, Slot},
    view::{files::LONGEST_JSON, names::part_of},
};

impl View {
    /// `<inc>.json` or `.copying-<inc>`, as rez makes them when it adds a variant.
    pub(super) fn create_mark(
        &self,
        level: LevelId,
        name: &[u8],
        caller: Caller,
    ) -> Result<(Found, HandleId), ViewError> {
        let mut registry = self.registry.lock();
        let path = registry.level(level).ok_or(ViewError::Stale)?;
        let entry = std::str::from_utf8(name).ok().and_then(LayoutEntry::classify);
        let entry = entry.filter(|_| path.h4.is_some()).ok_or(ViewError::ReadOnly)?;
        let part = part_of(entry);
        if !registry.has_level(&path)? {
            return Err(ViewError::NotFound);
        }
        let id = match registry.slot_of_stem(&path, entry.stem())? {
            Some(id) => id,
            None if !registry.takes_bytes(0) => return Err(ViewError::NoSpace),
            None => registry.insert(Slot::new(level, entry.stem())),
        };
        let mut slot = registry.slot_mut(id).ok_or(ViewError::Stale)?;
        let mark = Mark {
            text: Vec::new(),
            mtime: Timestamp::now(),
            touched: Some(Instant::now()),
            owner: (caller.uid, caller.gid),
        };
        let place = match part {
            Part::Json => &mut slot.json,
            Part::Copying => &mut slot.copying,
            Part::Payload => return Err(ViewError::ReadOnly),
        };
        if place.is_some() {
            return Err(ViewError::Exists);
        }
        *place = Some(mark);
        let attributes = self.slot_attributes(id, part, &slot).ok_or(ViewError::Stale)?;
        drop(slot);
        drop(registry);
        let handle = self.handles.add(Handle::Mark(id, part, Arc::default()));
        Ok((Found { attributes, name: Keep::Never, values: Keep::Never }, handle))
    }

    /// rez writes one of them.
    pub(super) fn write_mark(
        &self,
        (id, part): (SlotId, Part),
        offset: u64,
        data: &[u8],
    ) -> Result<(), ViewError> {
        let start = usize::try_from(offset).map_err(|_| ViewError::NoSpace)?;
        let end = start.saturating_add(data.len());
        let mut registry = self.registry.lock();
        let slot = registry.slot(id).ok_or(ViewError::NotFound)?;
        let mark = if part == Part::Json { &slot.json } else { &slot.copying };
        let known = &mark.as_ref().ok_or(ViewError::NotFound)?.text;
        if part == Part::Json && slot.registration.is_some() {
            // What was written, and registered, by a daemon that died before it said so.
            let is_there = known.get(start..end) == Some(data);
            return if is_there { Ok(()) } else { Err(ViewError::ReadOnly) };
        }
        let more = end.saturating_sub(known.len());
        if end > LONGEST_JSON || (more > 0 && !registry.takes_bytes(more)) {
            return Err(ViewError::NoSpace);
        }
        let mut slot = registry.slot_mut(id).ok_or(ViewError::NotFound)?;
        let mark = if part == Part::Json { &mut slot.json } else { &mut slot.copying };
        let mark = mark.as_mut().ok_or(ViewError::NotFound)?;
        if more > 0 {
            mark.text.resize(end, 0);
        }
        mark.text[start..end].copy_from_slice(data);
        mark.mtime = Timestamp::now();
        Ok(())
    }

    /// rez has written `<inc>.json` of a variant that it is going to copy in.
    pub(super) async fn json_written(&self, id: SlotId) -> Result<(), ViewError> {
        let new = {
            let mut registry = self.registry.lock();
            let Some(slot) = registry.slot(id) else { return Ok(()) };
            let (Some(json), None) = (&slot.json, slot.registration) else { return Ok(()) };
            let path = registry.level(slot.level).ok_or(ViewError::Stale)?;
            let handle = match pkgfs_rez::registration::parse(&json.text) {
                Ok(handle) => handle,
                Err(error) => {
                    let stem = &slot.stem;
                    self.problems.tell(format!("{}/{stem}.json: {error}", path.last()));
                    return Ok(());
                }
            };
            let new = NewRegistration {
                name: handle.name.clone(),
                version_dir: handle.version_dir().to_owned(),
                h4: handle.h4(),
                stem: slot.stem.to_string(),
                handle_key: handle.to_json(),
                json: String::from_utf8_lossy(&json.text).into_owned(),
                repository: handle.location.clone().into(),
                root: None,
                state: RegistrationState::Copying,
            };
            if LevelPath::of_handle(&handle) != *path
                || registry.of_handle(&new.handle_key)?.is_some()
            {
                return Ok(());
            }
            (new, handle)
        };
        let (new, handle) = new;
        let store = Arc::clone(&self.store);
        let known = self.room.fit(move || store.register(new.clone())).await?;
        self.tombstones.lift(&known.handle_key);
        let mut registry = self.registry.lock();
        if let Some(mut slot) = registry.slot_mut(id) {
            slot.registration = Some(known.id);
            slot.handle = Some(handle);
        }
        registry.index(id);
        Ok(())
    }
}
