//! Which numbers the writable files have, and which paths lead to them.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Weak,
};

use crate::node::WritableId;

/// All writable files that somebody knows of.
#[derive(Default)]
pub(super) struct Table {
    pub(super) nodes: HashMap<WritableId, Known>,
    pub(super) by_path: HashMap<PathBuf, WritableId>,
    last: u64,
}

pub(super) struct Known {
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
    pub(super) fn intern(&mut self, path: &Path) -> WritableId {
        if let Some(id) = self.by_path.get(path) {
            return *id;
        }
        self.last += 1;
        let id = WritableId(self.last);
        self.by_path.insert(path.to_path_buf(), id);
        let paths = vec![path.to_path_buf()];
        self.nodes.insert(id, Known { paths, lookups: 0, maker: None, open: Weak::new() });
        id
    }

    pub(super) fn remove(&mut self, id: WritableId) {
        if let Some(known) = self.nodes.remove(&id) {
            for path in known.paths {
                self.by_path.remove(&path);
            }
        }
    }

    /// `path` no longer leads anywhere.
    pub(super) fn detach(&mut self, path: &Path) {
        let Some(id) = self.by_path.remove(path) else { return };
        let Some(known) = self.nodes.get_mut(&id) else { return };
        known.paths.retain(|other| other != path);
        if known.paths.is_empty() && known.lookups == 0 {
            self.nodes.remove(&id);
        }
    }

    /// What was at or below `source` is now at or below `target`.
    pub(super) fn moved(&mut self, source: &Path, target: &Path) {
        self.detach(target);
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
