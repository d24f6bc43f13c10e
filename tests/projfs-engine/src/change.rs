//! What changes names and metadata: deletion, renames, hard links, attributes, times.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::{
    Code, Volume, Wide,
    access::Descriptor,
    codes::{attribute, right, share},
    disk,
    listing::Entry,
    lookup::{Found, projects},
    notify::Notification,
    open::How,
    provider::{Asker, Notice},
    records::{Kind, Record, State, Times},
    volume::Place,
};

/// What is known of a path without listing its directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// As a listing shows it.
    pub entry: Entry,
    /// How many names it has.
    pub links: u64,
    /// Its number.
    pub id: u64,
}

impl Volume {
    /// What a path leads to: opened for its attributes, and closed.
    pub fn status(
        &self,
        asker: &Asker,
        client: u64,
        path: &Wide,
        follow: bool,
    ) -> Result<Status, Code> {
        let how = How { reparse: !follow, ..How::with(right::READ_ATTRIBUTES) };
        let handle = self.open_file(asker, client, path, how)?;
        let status = self.held_status(handle);
        self.close(asker, handle)?;
        status
    }

    /// What a handle leads to.
    pub fn held_status(&self, handle: u64) -> Result<Status, Code> {
        let record = self.held(handle)?;
        let links = self.inside().records.names_of(record.id).max(1) as u64;
        Ok(Status { entry: Entry::of(&record), links, id: record.id })
    }

    /// Deletes a name, as `DeleteFileW` and `RemoveDirectoryW` do: the name goes when this returns,
    /// whoever has the file open ("FILE_DISPOSITION_INFO_EX", POSIX semantics).
    /// `despite_attribute` is that structure's `IGNORE_READONLY_ATTRIBUTE`.
    pub fn delete(
        &self,
        asker: &Asker,
        client: u64,
        path: &Wide,
        directory: bool,
        despite_attribute: bool,
    ) -> Result<(), Code> {
        let handle = self.open_file(asker, client, path, How::with(right::DELETE).reparse())?;
        let disposed = self.dispose(asker, handle, directory, despite_attribute);
        let closed = self.close(asker, handle);
        disposed.and(closed)
    }

    fn dispose(
        &self,
        asker: &Asker,
        handle: u64,
        directory: bool,
        despite_attribute: bool,
    ) -> Result<(), Code> {
        let item = self.held(handle)?;
        if item.is_directory() != directory {
            return Err(if directory { Code::DIRECTORY } else { Code::ACCESS_DENIED });
        }
        if self.is_read_only(&item) && !despite_attribute {
            return Err(Code::ACCESS_DENIED);
        }
        if item.kind == Kind::Directory && !self.shows_nothing(asker, &item)? {
            return Err(Code::DIR_NOT_EMPTY);
        }
        self.tell(asker, Notice::of(Notification::PreDelete, &item))?;
        if let Some(held) = self.inside().handles.get_mut(&handle) {
            held.deletes = true;
        }
        Ok(())
    }

    /// Takes an item's name away. A tombstone stays where the provider would show it again.
    pub(crate) fn delete_now(&self, asker: &Asker, item: &Record) -> Result<(), Code> {
        let (above, name) = item.path.split();
        let parent = self.resolve(asker, &above, false)?.item.ok_or(Code::PATH_NOT_FOUND)?;
        let buried = self.is_buried(asker, &parent, &name, item);
        let mut inside = self.inside();
        self.detach(&mut inside, item);
        let lies = self.lies(&item.path);
        if item.kind == Kind::Directory {
            fs::remove_dir_all(&lies)?;
        }
        self.forget(&mut inside, &item.path);
        if buried {
            inside.records.put(Record { state: State::Tombstone, ..item.clone() });
        }
        self.soil(&mut inside, &parent.path);
        Ok(())
    }

    /// Whether a tombstone stays when `item` goes from `parent`.
    fn is_buried(&self, asker: &Asker, parent: &Record, name: &Wide, item: &Record) -> bool {
        if !projects(parent) {
            return false;
        }
        let projected = item.state != State::Full || self.switches().always_tombstones;
        // What cannot be known must not show again.
        projected || self.provider_has(asker, parent, name).unwrap_or(true)
    }

    /// What has a file open goes on with it under no name.
    pub(crate) fn detach(&self, inside: &mut crate::volume::Inside, item: &Record) {
        let lies = self.lies(&item.path);
        let key = item.path.key();
        let record = inside.records.get(&key).cloned().unwrap_or_else(|| item.clone());
        let mut held = false;
        for handle in inside.handles.values_mut() {
            if matches!(&handle.place, Place::At(path) if path.key() == key) {
                handle.place = Place::Gone(Box::new(record.clone()));
                held = true;
            }
        }
        if item.kind == Kind::File && lies.exists() {
            let gone = inside.records.gone(item.id);
            let moved = if held { fs::rename(&lies, gone) } else { fs::remove_file(&lies) };
            moved.ok();
        }
    }

    /// Renames, as `MoveFileExW` does, with `MOVEFILE_REPLACE_EXISTING` if `replace`.
    pub fn rename(
        &self,
        asker: &Asker,
        client: u64,
        from: &Wide,
        to: &Wide,
        replace: bool,
    ) -> Result<(), Code> {
        let handle = self.open_file(asker, client, from, How::with(right::DELETE).reparse())?;
        let renamed = self.rename_held(asker, handle, to, replace);
        let closed = self.close(asker, handle);
        renamed.and(closed)
    }

    fn rename_held(
        &self,
        asker: &Asker,
        handle: u64,
        to: &Wide,
        replace: bool,
    ) -> Result<(), Code> {
        let item = self.held(handle)?;
        let Found { parent, name, item: there } = self.resolve(asker, to, false)?;
        let link_refused = matches!(item.kind, Kind::Link { directory: true, .. })
            && item.state == State::Placeholder
            && !self.switches().rename_links;
        // Observed of the real driver by those who have met it; the documentation does not tell.
        if (item.kind == Kind::Directory && item.state == State::Placeholder) || link_refused {
            return Err(Code::NOT_SUPPORTED);
        }
        let right = if item.is_directory() { right::ADD_SUBDIRECTORY } else { right::ADD_FILE };
        self.check_in(&parent, right)?;
        let same = there.as_ref().is_some_and(|there| there.path.key() == item.path.key());
        if let Some(there) = there.as_ref().filter(|_| !same) {
            if !replace {
                return Err(Code::ALREADY_EXISTS);
            }
            if there.is_directory() || self.is_read_only(there) {
                return Err(Code::ACCESS_DENIED);
            }
            self.check(&parent, there, right::DELETE)?;
            if self.inside().handles.values().any(|other| other.id == there.id) {
                return Err(Code::ACCESS_DENIED);
            }
        }
        if item.kind == Kind::Directory {
            let below = |path: &Wide| path.below(&item.path).is_some_and(|rest| !rest.is_empty());
            let busy = |place: &Place| matches!(place, Place::At(path) if below(path));
            if self.inside().handles.values().any(|other| busy(&other.place)) {
                return Err(Code::ACCESS_DENIED);
            }
        }
        let target = parent.path.join(&name);
        let mut notice = Notice::of(Notification::PreRename, &item);
        notice.destination = Some(target.clone());
        self.tell(asker, notice.clone())?;
        if let Some(there) = there.filter(|_| !same) {
            let mut inside = self.inside();
            self.detach(&mut inside, &there);
            self.forget(&mut inside, &there.path);
        }
        let (above, old) = item.path.split();
        let source = self.resolve(asker, &above, false)?.item.ok_or(Code::PATH_NOT_FOUND)?;
        let buried = !same && self.is_buried(asker, &source, &old, &item);
        self.move_now(&item, &target, buried)?;
        notice.notification = Notification::FileRenamed;
        self.tell(asker, notice)
    }

    fn move_now(&self, item: &Record, target: &Wide, buried: bool) -> Result<(), Code> {
        let mut inside = self.inside();
        let (lies, goes) = (self.lies(&item.path), self.lies(target));
        if fs::symlink_metadata(&lies).is_ok() {
            fs::rename(&lies, &goes)?;
        }
        let moved: Vec<Record> = inside.records.below(&item.path).into_iter().cloned().collect();
        self.forget(&mut inside, &item.path);
        inside.records.put(Record { path: target.clone(), ..item.clone() });
        for record in moved {
            let rest = record.path.below(&item.path).unwrap_or_default();
            inside.records.put(Record { path: target.join(&rest), ..record });
        }
        if buried {
            inside.records.put(Record { state: State::Tombstone, ..item.clone() });
        }
        for handle in inside.handles.values_mut() {
            if let Place::At(path) = &mut handle.place
                && let Some(rest) = path.below(&item.path)
            {
                *path = if rest.is_empty() { target.clone() } else { target.join(&rest) };
            }
        }
        self.soil(&mut inside, &item.path.split().0);
        self.soil(&mut inside, &target.split().0);
        Ok(())
    }

    /// Gives a file another name, as `CreateHardLinkW` does.
    pub fn hard_link(
        &self,
        asker: &Asker,
        client: u64,
        existing: &Wide,
        new: &Wide,
    ) -> Result<(), Code> {
        let how = How { backup: false, ..How::with(right::WRITE_ATTRIBUTES | right::SYNCHRONIZE) };
        let handle = self.open_file(asker, client, existing, how.reparse())?;
        let linked = self.link_held(asker, handle, new);
        let closed = self.close(asker, handle);
        linked.and(closed)
    }

    fn link_held(&self, asker: &Asker, handle: u64, new: &Wide) -> Result<(), Code> {
        let item = self.held(handle)?;
        let Found { parent, name, item: there } = self.resolve(asker, new, false)?;
        if there.is_some() {
            return Err(Code::ALREADY_EXISTS);
        }
        self.check_in(&parent, right::ADD_FILE)?;
        let mut notice = Notice::of(Notification::PreSetHardlink, &item);
        notice.destination = Some(parent.path.join(&name));
        self.tell(asker, notice.clone())?;
        if item.state != State::Full {
            self.hydrate(asker, &item)?;
        }
        let item = self.held(handle)?;
        let path = parent.path.join(&name);
        fs::hard_link(self.lies(&item.path), self.lies(&path))?;
        let security = Some(self.security(&item));
        {
            let mut inside = self.inside();
            // Both names have a record, so that they are known for one file.
            inside.records.put(Record { security: security.clone(), ..item.clone() });
            inside.records.put(Record { path, security, state: State::Full, ..item });
            self.soil(&mut inside, &parent.path);
        }
        notice.notification = Notification::HardlinkCreated;
        self.tell(asker, notice)
    }

    /// Sets attributes and times; `None` leaves one as it is. No notification is ever sent of these.
    pub fn set_metadata(
        &self,
        asker: &Asker,
        client: u64,
        path: &Wide,
        attributes: Option<u32>,
        times: Option<Times>,
    ) -> Result<(), Code> {
        let handle = self.open_file(asker, client, path, How::with(right::WRITE_ATTRIBUTES))?;
        let set = self.set_held(handle, attributes, times);
        let closed = self.close(asker, handle);
        set.and(closed)
    }

    fn set_held(
        &self,
        handle: u64,
        attributes: Option<u32>,
        times: Option<Times>,
    ) -> Result<(), Code> {
        let mut item = self.held(handle)?;
        if let Some(attributes) = attributes {
            let fixed = attribute::DIRECTORY | attribute::REPARSE_POINT;
            item.attributes = attributes & !attribute::NORMAL & !fixed | item.attributes & fixed;
        }
        if let Some(times) = times {
            let or = |new: i64, old: i64| if new == 0 { old } else { new };
            item.times.creation = or(times.creation, item.times.creation);
            item.times.access = or(times.access, item.times.access);
            item.times.write = or(times.write, item.times.write);
            if item.kind == Kind::File && item.state == State::Full {
                disk::set_written(&self.lies(&item.path), item.times.write)?;
            }
        }
        item.times.change = disk::now();
        item.dirty = item.state != State::Full;
        let mut inside = self.inside();
        if !item.path.is_empty() {
            inside.records.put(item);
        }
        Ok(())
    }

    /// Replaces a descriptor, as `SetFileSecurityW` does.
    pub fn set_security(
        &self,
        asker: &Asker,
        client: u64,
        path: &Wide,
        security: Descriptor,
    ) -> Result<(), Code> {
        let how = How { share: share::ALL, ..How::with(right::WRITE_DAC) };
        let handle = self.open_file(asker, client, path, how)?;
        let item = self.held(handle)?;
        if !item.path.is_empty() {
            let dirty = item.state != State::Full;
            self.inside().records.put(Record { security: Some(security), dirty, ..item });
        }
        self.close(asker, handle)
    }
}
