//! From a path to an item: what is here first, the provider for the rest.

use std::fs;

use crate::{
    Code, Volume, Wide,
    access::Descriptor,
    codes::attribute,
    disk,
    notify::{self, Notification},
    provider::{Asker, Notice},
    records::{Kind, Record, State, Times, Version},
    volume::Inside,
    wide,
};

/// How many links a path may lead through ("Reparse Points": 63).
const MOST_LINKS: usize = 63;

/// What a path leads to.
pub(crate) struct Found {
    pub(crate) parent: Record,
    pub(crate) name: Wide,
    pub(crate) item: Option<Record>,
}

/// What is here at a path.
pub(crate) enum Local {
    Item(Box<Record>),
    Hidden,
    Nothing,
}

impl Volume {
    /// The root itself, a placeholder directory since it was marked.
    pub(crate) fn root_record(&self) -> Record {
        let times =
            fs::metadata(&self.root).map_or(Times::default(), |metadata| disk::times(&metadata));
        Record {
            path: Wide::default(),
            kind: Kind::Directory,
            state: State::Placeholder,
            dirty: false,
            id: 0,
            size: 0,
            attributes: attribute::DIRECTORY,
            times,
            security: Some(Descriptor::open()),
            version: Version::default(),
            original: Wide::default(),
            present: Vec::new(),
        }
    }

    /// What is here at `name` in `directory`, without the provider.
    pub(crate) fn local(&self, inside: &mut Inside, directory: &Wide, name: &Wide) -> Local {
        let path = directory.join(name);
        if path.is_empty() {
            return Local::Item(Box::new(self.root_record()));
        }
        let key = path.key();
        let known = inside.records.get(&key).cloned();
        let lies = |path: &Wide| fs::symlink_metadata(self.lies(path)).ok();
        match known {
            Some(record) if record.state == State::Tombstone => match lies(&record.path) {
                // Somebody made it anew behind the volume's back.
                Some(_) => {
                    inside.records.remove(&key);
                    self.on_disk(directory, name)
                }
                None => Local::Hidden,
            },
            Some(mut record) => match (&record.kind, record.state) {
                (Kind::Link { .. }, _) => Local::Item(Box::new(record)),
                (Kind::File, State::Placeholder)
                    if record.present.is_empty() && record.size > 0 =>
                {
                    if let Some(metadata) = lies(&record.path) {
                        let size = metadata.len();
                        record = Record {
                            state: State::Full,
                            size,
                            times: disk::times(&metadata),
                            ..record
                        };
                        inside.records.put(record.clone());
                    }
                    Local::Item(Box::new(record))
                }
                (Kind::File, State::Placeholder) => Local::Item(Box::new(record)),
                _ => match lies(&record.path) {
                    Some(metadata) => {
                        if record.state == State::Full {
                            record.size = metadata.len();
                            record.times.write = disk::times(&metadata).write;
                        }
                        Local::Item(Box::new(record))
                    }
                    None => {
                        self.forget(inside, &record.path);
                        Local::Nothing
                    }
                },
            },
            None => self.on_disk(directory, name),
        }
    }

    fn on_disk(&self, directory: &Wide, name: &Wide) -> Local {
        match disk::find(&self.root, directory, name) {
            Some((name, metadata)) => {
                Local::Item(Box::new(disk::full(directory.join(&name), &metadata)))
            }
            None => Local::Nothing,
        }
    }

    /// Forgets an item and all below it.
    pub(crate) fn forget(&self, inside: &mut Inside, path: &Wide) {
        let below: Vec<_> =
            inside.records.below(path).iter().map(|record| record.path.key()).collect();
        for key in below {
            inside.records.remove(&key);
        }
        inside.records.remove(&path.key());
    }

    /// The child `name` of a directory. The provider is asked where the directory is a placeholder and
    /// nothing here takes precedence ("Cache State": local items do, tombstones hide).
    pub(crate) fn child(
        &self,
        asker: &Asker,
        parent: &Record,
        name: &Wide,
    ) -> Result<Option<Record>, Code> {
        let path = parent.path.join(name);
        {
            let mut inside = self.inside();
            match self.local(&mut inside, &parent.path, name) {
                Local::Item(record) => return Ok(Some(*record)),
                Local::Hidden => return Ok(None),
                Local::Nothing => {}
            }
            if !projects(parent) || inside.negative.contains(&path.key()) {
                return Ok(None);
            }
            inside.trace.push(format!("placeholder {path}"));
        }
        match self.provider.placeholder(asker, &path, &parent.version) {
            Ok(()) => match self.local(&mut self.inside(), &parent.path, name) {
                Local::Item(record) => Ok(Some(*record)),
                // The provider said yes and handed nothing in.
                Local::Hidden | Local::Nothing => Err(Code::GEN_FAILURE),
            },
            Err(Code::FILE_NOT_FOUND | Code::PATH_NOT_FOUND) => {
                if self.options.negative_cache {
                    self.inside().negative.insert(path.key());
                }
                Ok(None)
            }
            Err(code) => Err(code),
        }
    }

    /// Follows `path` from the root. The last component is followed through links if `follow`.
    pub(crate) fn resolve(&self, asker: &Asker, path: &Wide, follow: bool) -> Result<Found, Code> {
        let mut left = normal(path)?;
        let mut at = self.root_record();
        let mut links = 0;
        loop {
            if left.is_empty() {
                let parent = self.root_record();
                return Ok(Found { parent, name: Wide::default(), item: Some(at) });
            }
            let name = left.remove(0);
            let item = self.child(asker, &at, &name)?;
            let last = left.is_empty();
            match item {
                Some(Record { kind: Kind::Link { target, .. }, .. }) if !last || follow => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Code::CANT_RESOLVE_FILENAME);
                    }
                    let leads = if wide::is_absolute(&target.0) {
                        target.below(&self.name).ok_or(Code::CANT_ACCESS_FILE)?
                    } else {
                        at.path.join(&target)
                    };
                    let mut next = normal(&leads)?;
                    next.append(&mut left);
                    left = next;
                    at = self.root_record();
                }
                item if last => return Ok(Found { parent: at, name, item }),
                Some(record) if record.kind == Kind::Directory => at = record,
                Some(_) | None => return Err(Code::PATH_NOT_FOUND),
            }
        }
    }

    /// What an item's descriptor is, its own or by inheritance.
    pub(crate) fn security(&self, record: &Record) -> Descriptor {
        if let Some(own) = &record.security {
            return own.clone();
        }
        let (parent, name) = record.path.split();
        let (above, named) = parent.split();
        let parent = match self.local(&mut self.inside(), &above, &named) {
            Local::Item(parent) if !name.is_empty() => *parent,
            _ => return Descriptor::open(),
        };
        self.security(&parent).inherited(record.is_directory())
    }

    /// Tells the provider, if it wants to know. What it answers counts for what has not happened yet.
    pub(crate) fn tell(&self, asker: &Asker, notice: Notice) -> Result<(), Code> {
        let notification = notice.notification;
        {
            let mut inside = self.inside();
            let mask_of = |path: &Wide| {
                inside
                    .masks
                    .get(&path.key())
                    .copied()
                    .unwrap_or_else(|| self.options.mappings.mask(path))
            };
            let here = mask_of(&notice.path);
            let wanted = match &notice.destination {
                // Either side's mask will do ("PRJ_NOTIFICATION").
                Some(to) => {
                    notify::wants(here, notification)
                        || notify::wants(self.options.mappings.mask(to), notification)
                }
                None => notify::wants(here, notification),
            };
            if !wanted || !self.provider.is_notified() {
                return Ok(());
            }
            let to = notice.destination.as_ref().map_or(String::new(), |to| format!(" -> {to}"));
            inside.trace.push(format!("{notification:?} {}{to}", notice.path));
        }
        let answer = self.provider.notify(asker, &notice);
        match notification {
            Notification::PreDelete
            | Notification::PreRename
            | Notification::PreSetHardlink
            | Notification::PreConvertToFull => {
                if self.switches().vetoes {
                    answer.map(drop)
                } else {
                    Ok(())
                }
            }
            Notification::FileOpened
            | Notification::NewFileCreated
            | Notification::FileOverwritten
            | Notification::FileRenamed => {
                if let Ok(mask) = answer
                    && mask != 0
                    && mask != notify::USE_EXISTING
                {
                    let path = notice.destination.as_ref().unwrap_or(&notice.path);
                    self.inside().masks.insert(path.key(), mask);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether the provider is asked for what is in a directory.
pub(crate) fn projects(directory: &Record) -> bool {
    directory.kind == Kind::Directory && directory.state == State::Placeholder
}

/// The components of a path without `.` and `..`.
fn normal(path: &Wide) -> Result<Vec<Wide>, Code> {
    let mut components = Vec::new();
    for component in path.components() {
        match component.to_string().as_str() {
            "." => {}
            ".." => {
                components.pop().ok_or(Code::CANT_ACCESS_FILE)?;
            }
            _ if wide::has_wildcards(&component.0) => return Err(Code::INVALID_NAME),
            _ => components.push(component),
        }
    }
    Ok(components)
}
