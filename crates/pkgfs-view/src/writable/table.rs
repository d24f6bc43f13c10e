//! Which numbers the writable files have, and which paths lead to them; noted for a process that
//! takes over.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Weak,
};

use serde::{Deserialize, Serialize};

use super::{Area, area};
use crate::{ledger::Ledger, node::WritableId};

/// For what a platform may have been told of by the process before, nobody knows how often.
const UNKNOWN: u64 = 1 << 32;

/// What happened to a number.
#[derive(Debug, Serialize, Deserialize)]
enum Note {
    /// A path leads to it.
    Named(u64, PathBuf),
    /// Nobody knows it any more.
    Gone(u64),
    /// This path leads nowhere.
    Detached(PathBuf),
    /// What was at or below one path is at or below the other.
    Moved(PathBuf, PathBuf),
    /// Who made it.
    Maker(u64, (u32, u32)),
    /// Numbers up to this one were given.
    Last(u64),
}

/// All writable files that somebody knows of.
#[derive(Default)]
pub(super) struct Table {
    pub(super) nodes: HashMap<WritableId, Known>,
    pub(super) by_path: HashMap<PathBuf, WritableId>,
    last: u64,
    notes: Option<Ledger<Note>>,
}

pub(super) struct Known {
    /// Where it was found first; it cannot be moved to another.
    pub(super) area: Area,
    /// Relative to the base. Empty: unlinked, but still open or remembered.
    pub(super) paths: Vec<PathBuf>,
    /// How often platforms were told of it and have not forgotten.
    pub(super) lookups: u64,
    /// Who made it, where the file itself cannot belong to them.
    pub(super) maker: Option<(u32, u32)>,
    /// The file while some handle has it open, for when no path leads there any more.
    pub(super) open: Weak<File>,
}

impl Table {
    /// Goes on with the numbers of the processes before, and notes its own from now on.
    pub(super) fn inherit(&mut self, file: File) -> io::Result<()> {
        let (ledger, notes) = Ledger::open(file)?;
        for note in notes {
            match note {
                Note::Named(id, path) => self.name(WritableId(id), path, UNKNOWN),
                Note::Gone(id) => self.remove(WritableId(id)),
                Note::Detached(path) => self.detach(&path),
                Note::Moved(from, to) => self.moved(&from, &to),
                Note::Maker(id, maker) => self.made_by(WritableId(id), maker),
                Note::Last(id) => self.last = self.last.max(id),
            }
        }
        self.notes = Some(ledger);
        self.begin_notes_anew();
        Ok(())
    }

    fn note(&mut self, note: impl FnOnce() -> Note) {
        let Some(ledger) = &mut self.notes else { return };
        ledger.note(&note());
        if ledger.is_long() {
            self.begin_notes_anew();
        }
    }

    fn begin_notes_anew(&mut self) {
        let Some(ledger) = &mut self.notes else { return };
        let paths = self
            .nodes
            .iter()
            .flat_map(|(id, known)| known.paths.iter().map(|path| Note::Named(id.0, path.clone())));
        let makers =
            self.nodes.iter().filter_map(|(id, known)| Some(Note::Maker(id.0, known.maker?)));
        ledger.begin_anew([Note::Last(self.last)].into_iter().chain(paths).chain(makers));
    }

    pub(super) fn intern(&mut self, path: &Path) -> WritableId {
        if let Some(id) = self.by_path.get(path) {
            return *id;
        }
        let id = WritableId(self.last + 1);
        self.name(id, path.to_path_buf(), 0);
        self.note(|| Note::Named(id.0, path.to_path_buf()));
        id
    }

    /// This path leads to a file, too: a link.
    pub(super) fn linked(&mut self, id: WritableId, path: PathBuf) {
        self.note(|| Note::Named(id.0, path.clone()));
        self.name(id, path, 0);
    }

    fn name(&mut self, id: WritableId, path: PathBuf, lookups: u64) {
        self.last = self.last.max(id.0);
        self.by_path.insert(path.clone(), id);
        let area = area(&path);
        let new = || Known { area, paths: Vec::new(), lookups, maker: None, open: Weak::new() };
        self.nodes.entry(id).or_insert_with(new).paths.push(path);
    }

    /// Remembers who made a file that cannot belong to them.
    pub(super) fn made_by(&mut self, id: WritableId, maker: (u32, u32)) {
        if let Some(known) = self.nodes.get_mut(&id) {
            known.maker = Some(maker);
            self.note(|| Note::Maker(id.0, maker));
        }
    }

    pub(super) fn remove(&mut self, id: WritableId) {
        if let Some(known) = self.nodes.remove(&id) {
            for path in known.paths {
                self.by_path.remove(&path);
            }
            self.note(|| Note::Gone(id.0));
        }
    }

    /// `path` no longer leads anywhere.
    pub(super) fn detach(&mut self, path: &Path) {
        self.unname(path);
        self.note(|| Note::Detached(path.to_path_buf()));
    }

    fn unname(&mut self, path: &Path) {
        let Some(id) = self.by_path.remove(path) else { return };
        let Some(known) = self.nodes.get_mut(&id) else { return };
        known.paths.retain(|other| other != path);
        if known.paths.is_empty() && known.lookups == 0 {
            self.nodes.remove(&id);
        }
    }

    /// What was at or below `source` is now at or below `target`.
    pub(super) fn moved(&mut self, source: &Path, target: &Path) {
        self.note(|| Note::Moved(source.to_path_buf(), target.to_path_buf()));
        self.unname(target);
        let below: Vec<PathBuf> =
            self.by_path.keys().filter(|path| path.starts_with(source)).cloned().collect();
        for old in below {
            let Ok(rest) = old.strip_prefix(source) else { continue };
            let new =
                if rest.as_os_str().is_empty() { target.to_path_buf() } else { target.join(rest) };
            if let Some(id) = self.by_path.remove(&old) {
                if let Some(known) = self.nodes.get_mut(&id) {
                    for path in known.paths.iter_mut().filter(|path| **path == old) {
                        path.clone_from(&new);
                    }
                }
                self.by_path.insert(new, id);
            }
        }
    }
}
