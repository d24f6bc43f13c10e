//! What a provider does to the root by itself: it hands in placeholders and data, and takes them
//! back.

use std::{fs, path::Path};

use crate::{
    Code, Volume, Wide,
    access::Descriptor,
    codes::{attribute, share},
    disk,
    lookup::Local,
    provider::{Asker, lock},
    records::{Kind, Record, Records, State, Times, Version},
    volume::Inside,
};

/// What a provider says of an item: `PRJ_PLACEHOLDER_INFO` and `PRJ_EXTENDED_INFO`.
#[derive(Clone, Debug)]
pub struct Info {
    /// Whether it is a directory.
    pub directory: bool,
    /// Its size.
    pub size: u64,
    /// Its attributes.
    pub attributes: u32,
    /// Its times.
    pub times: Times,
    /// Its descriptor, if it has its own.
    pub security: Option<Descriptor>,
    /// Its version.
    pub version: Version,
    /// Where it leads, if it is a symbolic link.
    pub target: Option<Wide>,
}

/// `PRJ_UPDATE_TYPES`.
#[allow(missing_docs)]
pub mod allow {
    pub const DIRTY_METADATA: u32 = 1;
    pub const DIRTY_DATA: u32 = 2;
    pub const TOMBSTONE: u32 = 4;
    pub const READ_ONLY: u32 = 32;
}

/// `PRJ_UPDATE_FAILURE_CAUSES`.
#[allow(missing_docs)]
pub mod cause {
    pub const NONE: u32 = 0;
    pub const DIRTY_METADATA: u32 = 1;
    pub const DIRTY_DATA: u32 = 2;
    pub const TOMBSTONE: u32 = 4;
    pub const READ_ONLY: u32 = 8;
}

/// `PRJ_FILE_STATE`.
#[allow(missing_docs)]
pub mod file_state {
    pub const PLACEHOLDER: u32 = 1;
    pub const HYDRATED_PLACEHOLDER: u32 = 2;
    pub const DIRTY_PLACEHOLDER: u32 = 4;
    pub const FULL: u32 = 8;
    pub const TOMBSTONE: u32 = 16;
}

/// Makes `root` a virtualization root, as `PrjMarkDirectoryAsPlaceholder` does.
pub fn mark(root: &Path, instance: &[u8]) -> Result<(), Code> {
    if !root.exists() {
        return Err(Code::FILE_NOT_FOUND);
    }
    if !root.is_dir() {
        return Err(Code::DIRECTORY);
    }
    // Whichever instance it is of: the directory has a reparse point already.
    Records::create(root, instance)?.ok_or(Code::REPARSE_POINT_ENCOUNTERED)
}

impl Volume {
    /// `PrjWritePlaceholderInfo` and `PrjWritePlaceholderInfo2`: in answer to a callback, or ahead of
    /// one. The item's directory must be here.
    pub fn write_placeholder(&self, path: &Wide, info: Info) -> Result<(), Code> {
        let (above, name) = path.split();
        if name.is_empty() {
            return Err(Code::INVALID_PARAMETER);
        }
        let mut inside = self.inside();
        let parent = self.known(&mut inside, &above).ok_or(Code::PATH_NOT_FOUND)?;
        if parent.kind != Kind::Directory {
            return Err(Code::PATH_NOT_FOUND);
        }
        match self.local(&mut inside, &parent.path, &name) {
            // Two callbacks for one name may both hand it in.
            Local::Item(there)
                if there.state == State::Placeholder || there.state == State::Hydrated =>
            {
                Ok(())
            }
            Local::Item(_) => Err(Code::ALREADY_EXISTS),
            Local::Hidden => Err(Code::FILE_SYSTEM_VIRTUALIZATION_INVALID_OPERATION),
            Local::Nothing => self.place(&mut inside, parent.path.join(&name), info),
        }
    }

    fn place(&self, inside: &mut Inside, path: Wide, info: Info) -> Result<(), Code> {
        let kind = match info.target {
            Some(target) => Kind::Link { target, directory: info.directory, junction: false },
            None if info.directory => Kind::Directory,
            None => Kind::File,
        };
        if kind == Kind::Directory {
            fs::create_dir(self.lies(&path))?;
        }
        let mut attributes = info.attributes & !attribute::NORMAL;
        if info.directory {
            attributes |= attribute::DIRECTORY;
        }
        if matches!(kind, Kind::Link { .. }) {
            attributes |= attribute::REPARSE_POINT;
        }
        let record = Record {
            original: path.clone(),
            path,
            kind,
            state: State::Placeholder,
            dirty: false,
            id: inside.next(),
            size: info.size,
            attributes,
            times: info.times,
            security: info.security,
            version: info.version,
            present: Vec::new(),
        };
        inside.negative.remove(&record.path.key());
        inside.records.put(record);
        Ok(())
    }

    /// `PrjMarkDirectoryAsPlaceholder` of a directory below the root: from now on the provider is asked
    /// for what is in it.
    pub fn mark(&self, path: &Wide, version: Version) -> Result<(), Code> {
        let mut inside = self.inside();
        let item = self.known(&mut inside, path).ok_or(Code::FILE_NOT_FOUND)?;
        match (&item.kind, item.state) {
            (Kind::Directory, State::Full) => {
                inside.records.put(Record { state: State::Placeholder, version, ..item });
                Ok(())
            }
            // A placeholder has a reparse point of ProjFS, a link one of its own.
            (Kind::Directory | Kind::Link { .. }, _) => Err(Code::REPARSE_POINT_ENCOUNTERED),
            (Kind::File, _) => Err(Code::DIRECTORY),
        }
    }

    /// What is here at a path, without links or the provider.
    fn known(&self, inside: &mut Inside, path: &Wide) -> Option<Record> {
        let mut at = self.root_record();
        for name in path.components() {
            match self.local(inside, &at.path, &name) {
                Local::Item(record) => at = *record,
                Local::Hidden | Local::Nothing => return None,
            }
        }
        Some(at)
    }

    /// `PrjWriteFileData` into the item with number `stream`.
    pub fn write_data(&self, stream: u64, offset: u64, bytes: &[u8]) -> Result<(), Code> {
        let mut inside = self.inside();
        while inside.switches.hold_data {
            inside = self.changed.wait(inside).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let mut record = self.record_of(&mut inside, stream).ok_or(Code::FILE_NOT_FOUND)?;
        let end = offset + bytes.len() as u64;
        if record.kind != Kind::File || end > record.size {
            return Err(Code::INVALID_PARAMETER);
        }
        let whole = offset == 0 && end == record.size;
        let aligned = |at: u64| at.is_multiple_of(crate::data::ALIGNMENT);
        // Here every program's handle counts as one without buffering: nothing tells a provider which
        // has, so it must be prepared ("PrjWriteFileData", Remarks).
        if !whole && !(aligned(offset) && (aligned(end) || end == record.size)) {
            return Err(Code::OFFSET_ALIGNMENT_VIOLATION);
        }
        if record.state != State::Placeholder {
            return Ok(());
        }
        let mut gone = None;
        for handle in inside.handles.values_mut() {
            if let crate::volume::Place::Gone(held) = &mut handle.place
                && held.id == stream
            {
                held.arrived(offset, end);
                gone = Some(held.id);
            }
        }
        let lies = gone.map_or_else(|| self.lies(&record.path), |id| inside.records.gone(id));
        if !lies.exists() {
            disk::set_length(&lies, record.size)?;
        }
        disk::write(&lies, offset, bytes)?;
        if gone.is_none() {
            record.arrived(offset, end);
            if record.absent(0, record.size).is_none() {
                record.state = State::Hydrated;
            }
            inside.records.put(record);
        }
        Ok(())
    }

    /// `PrjDeleteFile`: what is here goes, and shows as the provider has it. The second value of an
    /// error is its cause.
    pub fn take_back(&self, path: &Wide, allowed: u32) -> Result<(), (Code, u32)> {
        let none = |code| (code, cause::NONE);
        let mut inside = self.inside();
        let item = self.updatable(&mut inside, path, allowed)?;
        if item.kind == Kind::Directory && item.state != State::Tombstone {
            let occupied = !disk::list(&self.root, &item.path).is_empty()
                || !inside.records.children(&item.path).is_empty();
            if occupied {
                return Err(none(Code::DIR_NOT_EMPTY));
            }
            fs::remove_dir(self.lies(&item.path)).map_err(|error| none(error.into()))?;
        }
        if item.state != State::Tombstone {
            let holds = |share: u32| share & share::DELETE == 0;
            if inside.handles.values().any(|handle| handle.id == item.id && holds(handle.share)) {
                return Err(none(Code::SHARING_VIOLATION));
            }
            self.detach(&mut inside, &item);
        }
        self.forget(&mut inside, &item.path);
        inside.trace.push(format!("taken back {path}"));
        Ok(())
    }

    /// `PrjUpdateFileIfNeeded`: the item becomes a placeholder of what `info` says, unless it is one of
    /// the same content already.
    pub fn update(&self, path: &Wide, info: Info, allowed: u32) -> Result<(), (Code, u32)> {
        {
            let mut inside = self.inside();
            let same = |record: &Record| record.version.content == info.version.content;
            if self.known(&mut inside, path).as_ref().is_some_and(same) {
                return Ok(());
            }
        }
        self.take_back(path, allowed)?;
        self.write_placeholder(path, info).map_err(|code| (code, cause::NONE))
    }

    /// The item at a path, where its state and `allowed` let the provider change it.
    fn updatable(
        &self,
        inside: &mut Inside,
        path: &Wide,
        allowed: u32,
    ) -> Result<Record, (Code, u32)> {
        let refused = |cause| Err((Code::FILE_SYSTEM_VIRTUALIZATION_INVALID_OPERATION, cause));
        let (above, name) = path.split();
        let parent = self.known(inside, &above).ok_or((Code::PATH_NOT_FOUND, cause::NONE))?;
        let item = match self.local(inside, &parent.path, &name) {
            Local::Item(item) => *item,
            Local::Hidden if allowed & allow::TOMBSTONE == 0 => return refused(cause::TOMBSTONE),
            Local::Hidden => {
                let key = parent.path.join(&name).key();
                return inside
                    .records
                    .get(&key)
                    .cloned()
                    .ok_or((Code::FILE_NOT_FOUND, cause::NONE));
            }
            // "This routine cannot be called on a virtual file/directory."
            Local::Nothing => return Err((Code::FILE_NOT_FOUND, cause::NONE)),
        };
        if item.state == State::Full && allowed & allow::DIRTY_DATA == 0 {
            return refused(cause::DIRTY_DATA);
        }
        if item.dirty && allowed & allow::DIRTY_METADATA == 0 {
            return refused(cause::DIRTY_METADATA);
        }
        if item.attributes & attribute::READONLY != 0 && allowed & allow::READ_ONLY == 0 {
            return refused(cause::READ_ONLY);
        }
        Ok(item)
    }

    /// The content identifier that the provider gave an item.
    pub fn content(&self, asker: &Asker, path: &Wide) -> Result<Vec<u8>, Code> {
        let item = self.resolve(asker, path, false)?.item.ok_or(Code::FILE_NOT_FOUND)?;
        Ok(item.version.content)
    }

    /// `PrjGetOnDiskFileState`. It opens the item, so a virtual one becomes a placeholder by it.
    pub fn file_state(&self, path: &Wide) -> Result<u32, Code> {
        let (above, name) = path.split();
        let asker = Asker::default();
        let parent = self.resolve(&asker, &above, true).map_err(|_| Code::PATH_NOT_FOUND)?;
        let parent = parent.item.ok_or(Code::PATH_NOT_FOUND)?;
        if matches!(self.local(&mut lock(&self.state), &parent.path, &name), Local::Hidden) {
            return Ok(file_state::TOMBSTONE);
        }
        let item = self.child(&asker, &parent, &name)?.ok_or(Code::FILE_NOT_FOUND)?;
        let dirty = if item.dirty { file_state::DIRTY_PLACEHOLDER } else { 0 };
        Ok(match item.state {
            State::Full => file_state::FULL,
            State::Tombstone => file_state::TOMBSTONE,
            State::Hydrated => file_state::PLACEHOLDER | file_state::HYDRATED_PLACEHOLDER | dirty,
            State::Placeholder => file_state::PLACEHOLDER | dirty,
        })
    }
}
