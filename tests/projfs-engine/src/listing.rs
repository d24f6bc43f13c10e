//! Listing a directory: what is here and what the provider has, merged.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde::{Deserialize, Serialize};

use crate::{
    Code, Volume, Wide, disk,
    lookup::projects,
    provider::{Asker, Listing, lock},
    records::{Kind, Record, Times},
    wide,
};

/// How many bytes the first buffer of a session has: small, so that every provider meets its end.
const SMALL: usize = 512;
/// What an entry takes beside its name (`FILE_ID_BOTH_DIR_INFO`).
const ENTRY: usize = 104;

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name.
    pub name: Wide,
    /// Whether it is a directory, or a link to one.
    pub directory: bool,
    /// Its size.
    pub size: u64,
    /// Its attributes.
    pub attributes: u32,
    /// Its times.
    pub times: Times,
    /// Where it leads, if it is a link.
    pub target: Option<Wide>,
}

/// What a provider fills in an answer to `PRJ_GET_DIRECTORY_ENUMERATION_CB`.
pub struct EntryBuffer {
    entries: Vec<Entry>,
    left: usize,
}

impl EntryBuffer {
    fn new(bytes: usize) -> Self {
        Self { entries: Vec::new(), left: bytes }
    }

    /// Adds an entry; [`Code::INSUFFICIENT_BUFFER`] where it does not fit.
    pub fn fill(&mut self, entry: Entry) -> Result<(), Code> {
        let takes = ENTRY + 2 * entry.name.0.len();
        self.left = self.left.checked_sub(takes).ok_or(Code::INSUFFICIENT_BUFFER)?;
        self.entries.push(entry);
        Ok(())
    }
}

/// A listing under way through one handle.
pub(crate) struct Session {
    listing: Listing,
    /// Whether the provider takes part.
    asked: bool,
    pattern: Option<Wide>,
    first: bool,
    /// What the provider has handed in and was not given on.
    theirs: VecDeque<Entry>,
    theirs_ended: bool,
    /// What is here and was not given on, sorted; tombstones, too, as `None`.
    ours: VecDeque<(Wide, Option<Entry>)>,
    room: usize,
}

impl Volume {
    /// Goes on with a listing: up to `most` entries, none at its end. The pattern of the first call
    /// counts, until a restart ("PRJ_GET_DIRECTORY_ENUMERATION_CB", searchExpression).
    pub fn list(
        &self,
        asker: &Asker,
        handle: u64,
        pattern: Option<&Wide>,
        restart: bool,
        most: usize,
    ) -> Result<Vec<Entry>, Code> {
        let directory = self.held(handle)?;
        if directory.kind != Kind::Directory {
            return Err(Code::INVALID_PARAMETER);
        }
        let taken = {
            let mut inside = self.inside();
            inside.handles.get_mut(&handle).ok_or(Code::INVALID_HANDLE)?.session.take()
        };
        let mut session = match taken {
            Some(session) => session,
            None => self.start_session(asker, &directory)?,
        };
        let answer = self.go_on(asker, &directory, &mut session, pattern, restart, most);
        let mut inside = self.inside();
        match inside.handles.get_mut(&handle) {
            Some(held) => held.session = Some(session),
            None => {
                drop(inside);
                self.end_session(&session);
            }
        }
        answer
    }

    fn start_session(&self, asker: &Asker, directory: &Record) -> Result<Session, Code> {
        let number = self.inside().next();
        let listing = Listing {
            path: directory.path.clone(),
            version: directory.version.clone(),
            session: u128::from(number) << 64 | u128::from(disk::number(&directory.path.key())),
        };
        let asked = projects(directory);
        if asked {
            self.note(format!("start listing {}", listing.path));
            self.provider.start_listing(asker, &listing)?;
        }
        Ok(Session {
            listing,
            asked,
            pattern: None,
            first: true,
            theirs: VecDeque::new(),
            theirs_ended: !asked,
            ours: VecDeque::new(),
            room: SMALL,
        })
    }

    pub(crate) fn end_session(&self, session: &Session) {
        if session.asked {
            self.note(format!("end listing {}", session.listing.path));
            self.provider.end_listing(&session.listing);
        }
    }

    fn go_on(
        &self,
        asker: &Asker,
        directory: &Record,
        session: &mut Session,
        pattern: Option<&Wide>,
        restart: bool,
        most: usize,
    ) -> Result<Vec<Entry>, Code> {
        let afresh = session.first || restart;
        if afresh {
            session.pattern = pattern.filter(|pattern| !pattern.is_empty()).cloned();
            session.ours = self.here(directory, session.pattern.as_ref()).into();
            session.theirs.clear();
            session.theirs_ended = !session.asked;
        }
        // The very first call starts at the first entry whatever the flag says; it is set only for a
        // restart, so that a provider that waits for it is found out.
        let mut flag = restart && !session.first;
        session.first = false;
        let mut entries = Vec::new();
        while entries.len() < most {
            if session.theirs.is_empty() && !session.theirs_ended {
                self.refill(asker, session, flag, most == 1)?;
                flag = false;
                continue;
            }
            let order = match (session.ours.front(), session.theirs.front()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((ours, _)), Some(theirs)) => wide::compare(&ours.0, &theirs.name.0),
            };
            // Both must be sorted for this: a provider that does not sort shows doubles and loses
            // tombstones, as with the real one.
            if order.is_eq() {
                session.theirs.pop_front();
            }
            let next = if order.is_gt() {
                session.theirs.pop_front()
            } else {
                session.ours.pop_front().and_then(|(_, entry)| entry)
            };
            entries.extend(next);
        }
        Ok(entries)
    }

    /// Asks the provider for more.
    fn refill(
        &self,
        asker: &Asker,
        session: &mut Session,
        restart: bool,
        single: bool,
    ) -> Result<(), Code> {
        let buffer = Arc::new(Mutex::new(EntryBuffer::new(session.room)));
        let pattern = session.pattern.as_ref();
        self.note(format!("list {} {pattern:?} restart={restart}", session.listing.path));
        match self.provider.list(asker, &session.listing, pattern, restart, single, &buffer) {
            Ok(()) => {
                let entries = std::mem::take(&mut lock(&buffer).entries);
                session.theirs_ended = entries.is_empty();
                session.theirs.extend(entries);
                Ok(())
            }
            // Not even the first entry fitted.
            Err(Code::INSUFFICIENT_BUFFER) if session.room < 1 << 20 => {
                session.room *= 2;
                Ok(())
            }
            Err(code) => Err(code),
        }
    }

    /// What is here in a directory, sorted, with tombstones.
    fn here(&self, directory: &Record, pattern: Option<&Wide>) -> Vec<(Wide, Option<Entry>)> {
        let mut names: Vec<Wide> =
            disk::list(&self.root, &directory.path).into_iter().map(|(name, _)| name).collect();
        let mut inside = self.inside();
        names.extend(
            inside
                .records
                .children(&directory.path)
                .into_iter()
                .map(|record| record.path.split().1),
        );
        names.sort_by(|a, b| wide::compare(&a.0, &b.0));
        names.dedup_by(|a, b| wide::compare(&a.0, &b.0).is_eq());
        names
            .into_iter()
            .filter(|name| pattern.is_none_or(|pattern| wide::matches(&name.0, &pattern.0)))
            .filter_map(|name| match self.local(&mut inside, &directory.path, &name) {
                crate::lookup::Local::Item(record) => {
                    let name = record.path.split().1;
                    Some((name, Some(Entry::of(&record))))
                }
                crate::lookup::Local::Hidden => Some((name, None)),
                crate::lookup::Local::Nothing => None,
            })
            .collect()
    }

    /// Whether the provider has `name` in a directory: asked by `PRJ_QUERY_FILE_NAME_CB`, and where it
    /// has none, by listing ("PRJ_QUERY_FILE_NAME_CB", Remarks).
    pub(crate) fn provider_has(
        &self,
        asker: &Asker,
        parent: &Record,
        name: &Wide,
    ) -> Result<bool, Code> {
        let path = parent.path.join(name);
        self.note(format!("query {path}"));
        if let Some(answer) = self.provider.exists(asker, &path) {
            return answer;
        }
        let mut session = self.start_session(asker, parent)?;
        session.pattern = Some(name.clone());
        let mut found = false;
        while !session.theirs_ended && !found {
            self.refill(asker, &mut session, false, false)?;
            found =
                session.theirs.drain(..).any(|entry| wide::compare(&entry.name.0, &name.0).is_eq());
        }
        self.end_session(&session);
        Ok(found)
    }

    /// Whether nothing shows in a directory.
    pub(crate) fn shows_nothing(&self, asker: &Asker, directory: &Record) -> Result<bool, Code> {
        let mut session = self.start_session(asker, directory)?;
        let shown = self.go_on(asker, directory, &mut session, None, false, 1);
        self.end_session(&session);
        Ok(shown?.is_empty())
    }
}

impl Entry {
    /// What a listing says of an item.
    pub(crate) fn of(record: &Record) -> Self {
        let target = match &record.kind {
            Kind::Link { target, .. } => Some(target.clone()),
            Kind::File | Kind::Directory => None,
        };
        Self {
            name: record.path.split().1,
            directory: record.is_directory(),
            size: if record.kind == Kind::File { record.size } else { 0 },
            attributes: record.attributes,
            times: record.times,
            target,
        }
    }
}
