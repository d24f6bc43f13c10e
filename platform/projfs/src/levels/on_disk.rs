//! Making what is on disk in a `<h4>` directory equal to what the view has.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::Path,
    sync::Arc,
};

use super::Wanted;
use crate::{
    ground::{There, has_no_links},
    path::{Level, TREES, Tree, joined},
    provider::{Provider, Way},
    resolve::entry_path,
};

impl Provider {
    /// Trees that nothing leads to any more, and whether nothing is left.
    pub(super) fn apply(self: &Arc<Self>, level: &Level, wanted: &Wanted) -> (Vec<Tree>, bool) {
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
            There::Link(_) => match self.ground.lead(&place, &target) {
                Ok(()) => return Ok(()),
                // One of another kind.
                Err(_) => self.ground.unlink(&place)?,
            },
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
}
