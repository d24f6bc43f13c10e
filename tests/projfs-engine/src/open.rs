//! Opening, making and closing files and directories, as `CreateFileW` and `CloseHandle` do it.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::{
    Code, Volume, Wide,
    access::{self, Descriptor},
    codes::{attribute, right, share},
    disk,
    lookup::{Found, Local},
    notify::Notification,
    provider::{Asker, Notice},
    records::{Kind, Record, State, Times, Version},
    volume::{Handle, Inside, Place},
};

/// What to do about a file that is there, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disposition {
    /// `CREATE_NEW`
    CreateNew,
    /// `CREATE_ALWAYS`
    CreateAlways,
    /// `OPEN_EXISTING`
    OpenExisting,
    /// `OPEN_ALWAYS`
    OpenAlways,
    /// `TRUNCATE_EXISTING`
    TruncateExisting,
}

/// How something is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// Which rights are wanted.
    pub access: u32,
    /// What others may do meanwhile.
    pub share: u32,
    /// What to do.
    pub disposition: Disposition,
    /// Whether a directory is meant, where one is made.
    pub directory: bool,
    /// `FILE_FLAG_BACKUP_SEMANTICS`: directories can be opened.
    pub backup: bool,
    /// `FILE_FLAG_OPEN_REPARSE_POINT`: a link itself is opened.
    pub reparse: bool,
    /// `FILE_FLAG_DELETE_ON_CLOSE`.
    pub delete_on_close: bool,
    /// Attributes of what is made.
    pub attributes: u32,
}

impl How {
    /// For reading, sharing everything.
    #[must_use]
    pub const fn read() -> Self {
        Self {
            access: right::GENERIC_READ,
            share: share::ALL,
            disposition: Disposition::OpenExisting,
            directory: false,
            backup: true,
            reparse: false,
            delete_on_close: false,
            attributes: 0,
        }
    }

    /// With these rights, sharing everything.
    #[must_use]
    pub const fn with(access: u32) -> Self {
        Self { access, ..Self::read() }
    }

    /// With another disposition.
    #[must_use]
    pub const fn and(self, disposition: Disposition) -> Self {
        Self { disposition, ..self }
    }

    /// A link itself.
    #[must_use]
    pub const fn reparse(self) -> Self {
        Self { reparse: true, ..self }
    }
}

impl Volume {
    /// Opens `path` for a client: its handle.
    pub fn open_file(
        &self,
        asker: &Asker,
        client: u64,
        path: &Wide,
        how: How,
    ) -> Result<u64, Code> {
        let Found { parent, name, item } = self.resolve(asker, path, !how.reparse)?;
        match item {
            Some(item) => self.open_existing(asker, client, &parent, item, how),
            None => match how.disposition {
                Disposition::OpenExisting | Disposition::TruncateExisting => {
                    Err(Code::FILE_NOT_FOUND)
                }
                _ => self.make(asker, client, &parent, &name, how),
            },
        }
    }

    fn open_existing(
        &self,
        asker: &Asker,
        client: u64,
        parent: &Record,
        mut item: Record,
        how: How,
    ) -> Result<u64, Code> {
        let overwrites =
            matches!(how.disposition, Disposition::CreateAlways | Disposition::TruncateExisting);
        if how.disposition == Disposition::CreateNew {
            return Err(if how.directory { Code::ALREADY_EXISTS } else { Code::FILE_EXISTS });
        }
        let directory = item.is_directory();
        let link = matches!(item.kind, Kind::Link { .. });
        if directory && (overwrites || !how.backup) {
            return Err(Code::ACCESS_DENIED);
        }
        let mut wanted = access::generic(how.access);
        if overwrites {
            wanted |= right::WRITE_DATA;
        }
        if how.delete_on_close {
            wanted |= right::DELETE;
        }
        self.check(parent, &item, wanted)?;
        let writes = wanted & (right::WRITE_DATA | right::APPEND_DATA) != 0 && !directory;
        // "File Attribute Constants": applications cannot write to a read-only file or delete it.
        if self.is_read_only(&item) && (writes || how.delete_on_close) {
            return Err(Code::ACCESS_DENIED);
        }
        self.share_check(&self.inside(), item.id, wanted, how.share)?;
        if how.delete_on_close {
            self.tell(asker, Notice::of(Notification::PreDelete, &item))?;
        }
        // "PrjUpdateFileIfNeeded", Remarks: opened for write access, a file is full.
        if writes && !link && item.state != State::Full {
            item = self.convert(asker, item, overwrites)?;
        }
        if overwrites && !link {
            disk::set_length(&self.lies(&item.path), 0)?;
            let now = disk::now();
            item =
                Record { size: 0, times: Times { write: now, change: now, ..item.times }, ..item };
            item.attributes = how.attributes & !attribute::NORMAL | attribute::ARCHIVE;
            self.inside().records.put(item.clone());
        }
        let handle = self.hold(client, &item, wanted, how, overwrites);
        let notification =
            if overwrites { Notification::FileOverwritten } else { Notification::FileOpened };
        self.tell(asker, Notice::of(notification, &item))?;
        Ok(handle)
    }

    fn make(
        &self,
        asker: &Asker,
        client: u64,
        parent: &Record,
        name: &Wide,
        how: How,
    ) -> Result<u64, Code> {
        let right = if how.directory { right::ADD_SUBDIRECTORY } else { right::ADD_FILE };
        self.check_in(parent, right)?;
        let kind = if how.directory { Kind::Directory } else { Kind::File };
        let item = self.add(parent, name, kind, how.attributes)?;
        let handle = self.hold(client, &item, access::generic(how.access), how, false);
        self.tell(asker, Notice::of(Notification::NewFileCreated, &item))?;
        Ok(handle)
    }

    /// Adds a full item, on disk where it is none of the links that only the journal knows.
    pub(crate) fn add(
        &self,
        parent: &Record,
        name: &Wide,
        kind: Kind,
        attributes: u32,
    ) -> Result<Record, Code> {
        let path = parent.path.join(name);
        let lies = self.lies(&path);
        let directory = matches!(kind, Kind::Directory | Kind::Link { directory: true, .. });
        match &kind {
            Kind::Directory => fs::create_dir(&lies)?,
            Kind::File => drop(fs::File::options().write(true).create_new(true).open(&lies)?),
            Kind::Link { .. } => {}
        }
        let mut attributes = attributes & !attribute::NORMAL;
        attributes |= if directory { attribute::DIRECTORY } else { attribute::ARCHIVE };
        if matches!(kind, Kind::Link { .. }) {
            attributes |= attribute::REPARSE_POINT;
        }
        let security = self.security(parent).inherited(directory);
        let now = disk::now();
        let mut inside = self.inside();
        let record = Record {
            path: path.clone(),
            kind,
            state: State::Full,
            dirty: false,
            id: inside.next(),
            size: 0,
            attributes,
            times: Times { creation: now, access: now, write: now, change: now },
            security: Some(security),
            version: Version::default(),
            original: path,
            present: Vec::new(),
        };
        inside.records.put(record.clone());
        self.soil(&mut inside, &parent.path);
        Ok(record)
    }

    /// "Cache State": what is made or deleted below a placeholder directory makes that dirty.
    pub(crate) fn soil(&self, inside: &mut Inside, directory: &Wide) {
        if let Some(record) = inside.records.get(&directory.key())
            && record.state == State::Placeholder
            && !record.dirty
        {
            let record = Record { dirty: true, ..record.clone() };
            inside.records.put(record);
        }
    }

    fn hold(&self, client: u64, item: &Record, access: u32, how: How, modified: bool) -> u64 {
        let mut inside = self.inside();
        let number = inside.next();
        let handle = Handle {
            client,
            place: Place::At(item.path.clone()),
            id: item.id,
            access,
            share: how.share,
            modified,
            deletes: how.delete_on_close,
            session: None,
        };
        inside.handles.insert(number, handle);
        number
    }

    /// What a handle leads to now.
    pub(crate) fn held(&self, handle: u64) -> Result<Record, Code> {
        let mut inside = self.inside();
        match &inside.handles.get(&handle).ok_or(Code::INVALID_HANDLE)?.place {
            Place::Gone(record) => Ok((**record).clone()),
            Place::At(path) => {
                let (parent, name) = path.clone().split();
                match self.local(&mut inside, &parent, &name) {
                    Local::Item(record) => Ok(*record),
                    Local::Hidden | Local::Nothing => Err(Code::FILE_NOT_FOUND),
                }
            }
        }
    }

    /// Closes a handle, and deletes what was to be deleted with it.
    pub fn close(&self, asker: &Asker, handle: u64) -> Result<(), Code> {
        let item = self.held(handle);
        let mut closed = self.inside().handles.remove(&handle).ok_or(Code::INVALID_HANDLE)?;
        if let Some(session) = closed.session.take() {
            self.end_session(&session);
        }
        if let (Ok(item), Place::At(_)) = (&item, &closed.place) {
            let mut notice = Notice::of(Notification::ClosedNoModification, item);
            notice.modified = closed.modified;
            if closed.deletes {
                self.delete_now(asker, item)?;
                notice.notification = Notification::ClosedFileDeleted;
            } else if closed.modified {
                notice.notification = Notification::ClosedFileModified;
            }
            self.tell(asker, notice)?;
            let key = item.path.key();
            let mut inside = self.inside();
            if !inside
                .handles
                .values()
                .any(|other| matches!(&other.place, Place::At(path) if path.key() == key))
            {
                inside.masks.remove(&key);
            }
        } else if let Place::Gone(record) = &closed.place {
            let inside = self.inside();
            if !inside.handles.values().any(|other| other.id == record.id) {
                fs::remove_file(inside.records.gone(record.id)).ok();
            }
        }
        Ok(())
    }

    /// A client has ended: its handles are closed as the system closes those of a process.
    pub fn close_all(&self, client: u64) {
        let handles: Vec<u64> = {
            let inside = self.inside();
            inside
                .handles
                .iter()
                .filter(|(_, handle)| handle.client == client)
                .map(|(number, _)| *number)
                .collect()
        };
        for handle in handles {
            self.close(&Asker::default(), handle).ok();
        }
    }

    /// Makes a directory, as `CreateDirectoryW` does.
    pub fn create_directory(&self, asker: &Asker, client: u64, path: &Wide) -> Result<(), Code> {
        let how = How {
            directory: true,
            reparse: true,
            ..How::with(right::LIST_DIRECTORY | right::SYNCHRONIZE)
        };
        let handle = self.open_file(asker, client, path, how.and(Disposition::CreateNew))?;
        self.close(asker, handle)
    }

    /// Makes a link.
    pub fn create_link(
        &self,
        asker: &Asker,
        client: u64,
        path: &Wide,
        kind: Kind,
    ) -> Result<(), Code> {
        let Found { parent, name, item } = self.resolve(asker, path, false)?;
        if item.is_some() {
            return Err(Code::ALREADY_EXISTS);
        }
        let directory = matches!(kind, Kind::Link { directory: true, .. });
        self.check_in(&parent, if directory { right::ADD_SUBDIRECTORY } else { right::ADD_FILE })?;
        let item = self.add(&parent, &name, kind, 0)?;
        let handle = self.hold(client, &item, right::WRITE_ATTRIBUTES, How::read(), false);
        self.tell(asker, Notice::of(Notification::NewFileCreated, &item))?;
        self.close(asker, handle)
    }

    /// What a path's descriptor is.
    pub fn security_of(&self, asker: &Asker, path: &Wide) -> Result<Descriptor, Code> {
        let Found { parent, item, .. } = self.resolve(asker, path, false)?;
        let item = item.ok_or(Code::FILE_NOT_FOUND)?;
        self.check(&parent, &item, right::READ_CONTROL)?;
        Ok(self.security(&item))
    }
}

impl Notice {
    /// One about an item, without a destination.
    #[must_use]
    pub fn of(notification: Notification, item: &Record) -> Self {
        Self {
            notification,
            path: item.path.clone(),
            directory: item.is_directory(),
            destination: None,
            modified: false,
        }
    }
}
