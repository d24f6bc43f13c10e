//! What the view has in `<h4>` directories, on disk.
//!
//! There rez reads and writes ordinary files and moves `<inc>` away, and ProjFS renames no directory
//! that it projects. So these directories are projected, and what is in them is on disk: `<inc>.json`
//! and `.copying-<inc>` as full files, `<inc>` as a link to the tree. Each directory that is on disk is
//! made equal to what the view has of it whenever that changes (*settled*); the view is the truth, and
//! what somebody is about to remove is left alone until its removal was replayed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::Path,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use pkgfs_view::{Keep, Lookup, NodeId, NodeKind, Opener, Place as Listed, Timestamp, ViewError};

use crate::{
    ground::{There, has_no_links},
    names::Wide,
    path::{Level, Place, TREES, Tree, joined},
    provider::{Provider, Way},
    resolve::entry_path,
};

/// A program does not wait longer for what is being written: it may be what that waits for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest json.
pub(crate) const LONGEST_FILE: u64 = 1 << 20;

/// The `<h4>` directories that are on disk.
#[derive(Default)]
pub(crate) struct Levels {
    known: Mutex<HashMap<Level, Known>>,
    /// Settled one after the other.
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Known {
    node: NodeId,
    /// Names that the view had when it was settled.
    names: BTreeSet<String>,
    /// Where links lead.
    links: HashMap<String, Tree>,
    /// Names that somebody is removing.
    leaving: BTreeSet<String>,
    /// Its placeholder was written just now: nothing can hide what comes into it, and ProjFS, which is
    /// still being answered, must not be asked.
    fresh: bool,
}

/// What the view has of a `<h4>` directory.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) files: BTreeMap<String, File>,
    /// Roots of trees by their stem.
    pub(crate) trees: BTreeMap<String, NodeId>,
    /// Stems whose payload rez is copying in.
    pub(crate) staged: BTreeSet<String>,
}

/// A json or a mark.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mtime: Timestamp,
}

impl Wanted {
    pub(crate) fn tree(&self, stem: &str) -> Option<NodeId> {
        let found = self.trees.iter().find(|(own, _)| own.eq_ignore_ascii_case(stem));
        found.map(|(_, node)| *node)
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.trees.is_empty() && self.staged.is_empty()
    }
}

impl Levels {
    fn add(&self, level: Level, node: NodeId, fresh: bool) {
        let known = Known {
            node,
            names: BTreeSet::new(),
            links: HashMap::new(),
            leaving: BTreeSet::new(),
            fresh,
        };
        self.known.lock().entry(level).or_insert(known).node = node;
    }

    pub(crate) fn node(&self, level: &Level) -> Option<NodeId> {
        self.known.lock().get(level).map(|known| known.node)
    }

    fn of(&self, node: NodeId) -> Option<Level> {
        let known = self.known.lock();
        known.iter().find(|(_, known)| known.node == node).map(|(level, _)| level.clone())
    }

    pub(crate) fn all(&self) -> Vec<Level> {
        self.known.lock().keys().cloned().collect()
    }

    /// Paths of all that are on disk, and of those above them, the deepest first.
    pub(crate) fn paths(&self) -> Vec<Wide> {
        let known = self.known.lock();
        let mut paths = BTreeSet::new();
        for level in known.keys() {
            for depth in 1..=3 {
                paths.insert(joined(level.names()[..depth].iter().copied()));
            }
        }
        paths.into_iter().rev().collect()
    }

    pub(crate) fn forget(&self, level: &Level) {
        self.known.lock().remove(level);
    }

    /// Names that somebody is removing.
    pub(crate) fn leaving(&self, level: &Level) -> BTreeSet<String> {
        self.known.lock().get(level).map(|known| known.leaving.clone()).unwrap_or_default()
    }

    /// Somebody begins, or ends, to remove a name.
    pub(crate) fn leaves(&self, level: &Level, name: &str, leaving: bool) {
        if let Some(known) = self.known.lock().get_mut(level) {
            if leaving {
                known.leaving.insert(name.to_owned());
            } else {
                known.leaving.remove(name);
            }
        }
    }
}

impl Provider {
    /// A `<h4>` directory is on disk from now on: what it has follows before this returns.
    pub(crate) async fn appeared(self: &Arc<Self>, level: Level, node: NodeId) {
        self.levels.add(level.clone(), node, true);
        self.settle(&level).await;
    }

    /// The view has something else in this directory than it had.
    pub(crate) async fn listing_changed(self: &Arc<Self>, directory: NodeId) {
        if let Some(level) = self.levels.of(directory) {
            self.settle(&level).await;
        }
    }

    /// Makes what is on disk equal to what the view has.
    pub(crate) async fn settle(self: &Arc<Self>, level: &Level) {
        let (provider, level) = (Arc::clone(self), level.clone());
        let settling = self.runtime.spawn(async move {
            let _turn = Arc::clone(&provider.levels.turn).lock_owned().await;
            if let Err(error) = provider.settle_in_turn(&level).await {
                // What is on disk stays as it is until something changes again.
                provider.view.tell(format!("{level}: could not be brought up to date: {error}"));
            }
        });
        let _ = tokio::time::timeout(PATIENCE, settling).await;
    }

    async fn settle_in_turn(self: &Arc<Self>, level: &Level) -> Result<(), ViewError> {
        if self.is_closing() {
            return Ok(());
        }
        if self.levels.node(level).is_none() {
            // Left by a provider before this one, or made by somebody.
            if !matches!(self.ground.there(&level.names()), Ok(There::Directory)) {
                return Ok(());
            }
            let names = level.names().map(str::to_owned);
            let Some(shelf) = self.shelf(&names, 0).await? else { return Ok(()) };
            self.levels.add(level.clone(), shelf.node, false);
        }
        let Some(wanted) = self.wanted(level).await? else { return Ok(()) };
        let (provider, place) = (Arc::clone(self), level.clone());
        let applied = tokio::task::spawn_blocking(move || provider.apply(&place, &wanted)).await;
        let (retired, empty) = applied.map_err(|_| ViewError::Failed)?;
        retired.into_iter().for_each(|tree| self.retire(tree));
        if empty {
            self.remove_if_unused(level).await?;
        }
        Ok(())
    }

    /// What the view has there; `None` where there is no such directory.
    pub(crate) async fn wanted(
        self: &Arc<Self>,
        level: &Level,
    ) -> Result<Option<Wanted>, ViewError> {
        let node = match self.levels.node(level) {
            Some(node) => node,
            None => {
                let names = level.names().map(str::to_owned);
                let Some(shelf) = self.shelf(&names, 0).await? else { return Ok(None) };
                shelf.node
            }
        };
        let listed = match self.view.list_directory(node, None).await {
            Err(ViewError::Stale) => return Ok(Some(Wanted::default())),
            listed => listed?,
        };
        let mut wanted = Wanted::default();
        for place in 0.. {
            let entry = match listed.place(place) {
                Listed::Entry(entry, _) => entry,
                Listed::Gone => continue,
                Listed::End => break,
            };
            let Ok(name) = String::from_utf8(entry.name.into_vec()) else { continue };
            match (entry.kind, entry.node) {
                (NodeKind::Directory, Some(node)) => {
                    wanted.trees.insert(name, node);
                }
                (NodeKind::Directory, None) => {
                    wanted.staged.insert(name);
                }
                _ => {
                    // It may be gone by now.
                    if let Some(file) = self.file_in(node, &name).await? {
                        wanted.files.insert(name, file);
                    }
                }
            }
        }
        Ok(Some(wanted))
    }

    async fn file_in(
        self: &Arc<Self>,
        level: NodeId,
        name: &str,
    ) -> Result<Option<File>, ViewError> {
        let found = self.view.lookup(level, name.as_bytes(), self.caller).await?;
        let Lookup::Found(found) = found else { return Ok(None) };
        let opener = Opener { pid: 0, all_told: false, has_bytes: false };
        let handle = match self.view.open_file(found.attributes.node, false, opener).await {
            Err(ViewError::NotFound) => return Ok(None),
            handle => handle?,
        };
        let bytes = self.view.read(handle, 0, LONGEST_FILE as usize).await;
        self.view.release(handle);
        Ok(Some(File { bytes: bytes?, mtime: found.attributes.mtime }))
    }

    /// Trees that nothing leads to any more, and whether nothing is left.
    fn apply(self: &Arc<Self>, level: &Level, wanted: &Wanted) -> (Vec<Tree>, bool) {
        let (before, links, leaving, fresh) = {
            let mut known = self.levels.known.lock();
            let Some(known) = known.get_mut(level) else { return Default::default() };
            let fresh = std::mem::take(&mut known.fresh);
            (known.names.clone(), known.links.clone(), known.leaving.clone(), fresh)
        };
        let failed = |name: &str, outcome: io::Result<()>| {
            if let Err(error) = outcome {
                self.view.tell(format!("{level}\\{name}: {error}"));
            }
        };
        let place = |name: &str| -> Vec<String> {
            level.names().into_iter().chain([name]).map(str::to_owned).collect()
        };
        let mut retired = Vec::new();
        let mut now = HashMap::new();
        for (stem, node) in wanted.trees.iter().filter(|(stem, _)| !leaving.contains(*stem)) {
            let tree = Tree { life: self.life, node: *node };
            let copied = before.contains(stem) && !links.contains_key(stem);
            if copied && self.way() != Way::OnDisk {
                // rez's own copy, now sealed: what is projected shows when it is gone.
                let place = [&*level.name, &*level.version, &*level.h4, stem.as_str()];
                failed(stem, self.ground.remove_tree(&place));
            }
            failed(stem, self.lead(level, stem, tree, fresh || links.contains_key(stem)));
            now.insert(stem.clone(), tree);
        }
        for (name, file) in wanted.files.iter().filter(|(name, _)| !leaving.contains(*name)) {
            let place = place(name);
            let place: Vec<&str> = place.iter().map(String::as_str).collect();
            // A file that was removed before may have left a mark that hides this one.
            if !fresh && matches!(self.ground.there(&place), Ok(There::Nothing)) {
                let _ = self.projection.delete_tombstone(&joined(place.iter().copied()));
            }
            failed(name, self.ground.write_new(&place, &file.bytes, file.mtime));
        }
        let names: BTreeSet<String> = (wanted.files.keys().cloned())
            .chain(wanted.trees.keys().cloned())
            .chain(wanted.staged.iter().cloned())
            .collect();
        let on_disk: BTreeSet<String> =
            self.ground.names(&level.names()).unwrap_or_default().into_iter().collect();
        for name in before.union(&on_disk).filter(|name| !names.contains(*name)) {
            let ours = before.contains(name);
            let place = place(name);
            let place: Vec<&str> = place.iter().map(String::as_str).collect();
            match self.ground.there(&place) {
                Ok(There::Link(_)) => failed(name, self.ground.unlink(&place)),
                Ok(There::File) if ours => failed(name, self.ground.remove_file(&place)),
                _ => {}
            }
            if ours {
                let _ = self.projection.delete_tombstone(&joined(place.iter().copied()));
            }
        }
        for (stem, tree) in links {
            if now.get(&stem) != Some(&tree) {
                retired.push(tree);
                match self.way() {
                    Way::OnDisk => {}
                    Way::Projected => {
                        let _ = self.projection.delete(&entry_path(level, &stem));
                    }
                    Way::Within => {
                        self.sweep(&[&level.name, &level.version, &level.h4, &stem]);
                    }
                }
            }
        }
        if let Some(known) = self.levels.known.lock().get_mut(level) {
            known.names = names;
            known.links = now;
        }
        (retired, wanted.is_empty())
    }

    /// Has `<inc>` lead to this tree.
    fn lead(
        self: &Arc<Self>,
        level: &Level,
        stem: &str,
        tree: Tree,
        is_ours: bool,
    ) -> io::Result<()> {
        // What a provider before this one projected leads to a tree of its own.
        let forget = || {
            if !is_ours {
                let _ = self.projection.delete(&entry_path(level, stem));
            }
        };
        if self.way() != Way::OnDisk {
            forget();
            return Ok(());
        }
        let place = [&*level.name, &*level.version, &*level.h4, stem];
        let name = tree.to_string();
        let target = [TREES, &name];
        let same = |there: &Path| there.file_name().is_some_and(|last| last == name.as_str());
        match self.ground.there(&place)? {
            There::Link(there) if same(&there) => return Ok(()),
            There::Link(_) => self.ground.unlink(&place)?,
            There::Nothing if is_ours => {}
            There::Nothing => {
                let _ = self.projection.delete_tombstone(&entry_path(level, stem));
            }
            There::Directory => return self.replace_copy(&place, &target),
            There::File => {
                return Err(io::Error::other("a file stands where the payload would be"));
            }
        }
        match self.ground.link(&place, &target) {
            Err(error) if has_no_links(&error) => {
                self.has_no_links();
                forget();
                Ok(())
            }
            made => made,
        }
    }

    /// rez's own copy was sealed: a link takes its place. Its files may be in use; then it stays until
    /// the next change, with the right bytes, but not protected.
    fn replace_copy(&self, place: &[&str; 4], target: &[&str]) -> io::Result<()> {
        let [name, version, h4, stem] = *place;
        let (aside, new) = (format!(".gone-{stem}"), format!(".link-{stem}"));
        let aside = [name, version, h4, &aside];
        let new = [name, version, h4, &new];
        self.ground.unlink(&new)?;
        match self.ground.link(&new, target) {
            Err(error) if has_no_links(&error) => {
                self.has_no_links();
                return self.ground.remove_tree(place);
            }
            made => made?,
        }
        if let Err(error) = self.ground.rename(place, &aside) {
            let _ = self.ground.unlink(&new);
            return Err(error);
        }
        self.ground.unlink(&new)?;
        self.ground.link(place, target)?;
        self.ground.remove_tree(&aside)
    }

    /// A directory that the view has no more goes, and those above it that it emptied: a look-up then
    /// asks anew.
    async fn remove_if_unused(self: &Arc<Self>, level: &Level) -> Result<(), ViewError> {
        let names = level.names();
        for depth in (1..=3).rev() {
            let mut above = NodeId::ROOT;
            for name in &names[..depth - 1] {
                let found = self.view.lookup(above, name.as_bytes(), self.caller).await?;
                let Lookup::Found(found) = found else { break };
                above = found.attributes.node;
            }
            let listed = self.names_in(above).await?;
            if listed.iter().any(|name| *name == names[depth - 1]) {
                return Ok(());
            }
            let gone = self.projection.delete(&joined(names[..depth].iter().copied()));
            if depth == 3 && gone.is_ok() {
                self.levels.forget(level);
            }
            if gone.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Brings what a provider before this one left on disk up to date.
    pub(crate) async fn settle_leavings(self: &Arc<Self>) {
        let ground = Arc::clone(&self.ground);
        let found = tokio::task::spawn_blocking(move || {
            let directories = |names: &[&str]| ground.names(names).unwrap_or_default();
            let mut found = Vec::new();
            for name in directories(&[]).into_iter().filter(|name| !name.starts_with('.')) {
                for version in directories(&[&name]) {
                    for h4 in directories(&[&name, &version]) {
                        found.extend(Level::of(&[name.clone(), version.clone(), h4]));
                    }
                }
            }
            found
        });
        for level in found.await.unwrap_or_default() {
            self.settle(&level).await;
        }
    }

    /// A name in a directory means something else than it did.
    pub(crate) async fn name_changed(self: &Arc<Self>, parent: NodeId) {
        self.payloads.forget();
        self.listing_changed(parent).await;
    }

    /// Whether the view has a directory of the registry for good, and not because a repository has it.
    pub(crate) async fn is_registered(self: &Arc<Self>, place: &Place) -> Result<bool, ViewError> {
        let Place::Level(names) = place else { return Ok(false) };
        let mut node = NodeId::ROOT;
        for name in names {
            match self.view.lookup(node, name.as_bytes(), self.caller).await? {
                Lookup::Found(found) if found.name == Keep::Lasting => node = found.attributes.node,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
