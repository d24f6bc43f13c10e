//! What was projected of trees, and how it is taken away again.
//!
//! A tree that does not show any more goes from the disk placeholder by placeholder, the deepest first.
//! What somebody has open stays until it is closed: its reader goes on with bytes that were right when
//! it began, and nobody gets to them anew, since the link leads elsewhere.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use pkgfs_view::NodeId;

use crate::{
    names::{Wide, readable},
    own::What,
    path::{TREES, Tree},
    provider::Provider,
};

/// Between attempts at what is in use, at first and at most.
const SOON: Duration = Duration::from_millis(500);
const SELDOM: Duration = Duration::from_secs(30);

/// Placeholders of trees, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Trees {
    made: Mutex<HashMap<Tree, Vec<(Wide, NodeId)>>>,
    retired: Mutex<HashSet<Tree>>,
}

impl Trees {
    /// A placeholder is made.
    pub(crate) fn projected(&self, tree: Tree, path: &Wide, node: NodeId) {
        let mut made = self.made.lock();
        let paths = made.entry(tree).or_default();
        // Most are asked for once. One that is asked for again was taken away.
        paths.push((path.clone(), node));
    }

    /// Whether a tree is going, so that nothing of it need be kept.
    pub(crate) fn is_retired(&self, tree: Tree) -> bool {
        self.retired.lock().contains(&tree)
    }

    fn paths_of(&self, node: NodeId) -> Vec<Wide> {
        let made = self.made.lock();
        let all = made.values().flatten();
        all.filter(|(_, own)| *own == node).map(|(path, _)| path.clone()).collect()
    }
}

impl Provider {
    /// A tree does not show any more.
    pub(crate) fn retire(self: &Arc<Self>, tree: Tree) {
        if !self.trees.retired.lock().insert(tree) {
            return;
        }
        self.payloads.forget();
        let provider = Arc::clone(self);
        self.runtime.spawn(async move {
            let mut pause = SOON;
            loop {
                let again = Arc::clone(&provider);
                let left = tokio::task::spawn_blocking(move || again.take_away(tree)).await;
                if matches!(left, Ok(0)) || provider.is_closing() {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(SELDOM);
            }
        });
    }

    /// Takes placeholders of a tree away; how many are in use.
    fn take_away(&self, tree: Tree) -> usize {
        let _doing = self.own.doing(&[TREES, &tree.to_string()], What::ChangeBelow);
        let paths = self.trees.made.lock().remove(&tree).unwrap_or_default();
        let mut left = Vec::new();
        for (path, node) in paths.into_iter().rev() {
            match self.projection.delete(&path) {
                Ok(()) => {}
                Err(error) if error.is_missing() => {}
                Err(error) => {
                    tracing::debug!(path = readable(&path), %error, "still in use");
                    left.push((path, node));
                }
            }
        }
        // What an earlier provider made, or ProjFS by itself.
        if left.is_empty() {
            self.sweep(&[TREES, &tree.to_string()]);
        }
        let count = left.len();
        if count > 0 {
            left.reverse();
            let mut made = self.trees.made.lock();
            let paths = made.entry(tree).or_default();
            left.append(paths);
            *paths = left;
        }
        count
    }

    /// Takes away what is on disk in a directory that was projected, and the directory; whether that
    /// went.
    pub(crate) fn sweep(&self, names: &[&str]) -> bool {
        let _doing = self.own.doing(names, What::ChangeBelow);
        sweep(&*self.projection, &self.ground, names)
    }

    /// Takes all trees away; the paths of what is in use.
    pub(crate) fn take_all_away(&self) -> Vec<String> {
        let trees: Vec<Tree> = self.trees.made.lock().keys().copied().collect();
        let mut used = Vec::new();
        for tree in trees {
            if self.take_away(tree) > 0 {
                let made = self.trees.made.lock();
                let paths = made.get(&tree).into_iter().flatten();
                used.extend(paths.map(|(path, _)| readable(path)));
            }
        }
        // A directory is in use because something in it is.
        let above =
            |path: &String| used.iter().any(|other| other.starts_with(&format!("{path}\\")));
        let deepest: Vec<_> = used.iter().filter(|path| !above(path)).cloned().collect();
        deepest
    }

    /// Bytes of a file are not to be believed: its placeholders are made anew when somebody asks.
    pub(crate) fn dehydrate(&self, node: NodeId) {
        for path in self.trees.paths_of(node) {
            if let Err(error) = self.projection.delete(&path)
                && !error.is_missing()
            {
                tracing::warn!(path = readable(&path), %error, "could not be dehydrated");
            }
        }
    }

    /// Has what earlier providers left of trees go.
    pub(crate) fn retire_leavings(self: &Arc<Self>) {
        for name in self.ground.names(&[TREES]).unwrap_or_default() {
            if let crate::path::Place::Tree(tree, _) =
                crate::path::Place::of(&crate::path::joined([TREES, &name]))
                && tree.life != self.life
            {
                self.retire(tree);
            }
        }
    }
}

/// Takes away what is on disk in a projected directory, and the directory; whether that went.
pub(crate) fn sweep(
    projection: &dyn crate::projection::Projection,
    ground: &crate::ground::Ground,
    names: &[&str],
) -> bool {
    use crate::ground::There;
    let mut gone = true;
    for name in ground.names(names).unwrap_or_default() {
        let below: Vec<&str> = names.iter().copied().chain([name.as_str()]).collect();
        gone &= match ground.there(&below) {
            Ok(There::Directory) => sweep(projection, ground, &below),
            Ok(There::Link(_)) => {
                ground.unlink(&below).is_ok()
                    || projection.delete(&crate::path::joined(below.iter().copied())).is_ok()
            }
            _ => {
                let path = crate::path::joined(below.iter().copied());
                projection.delete(&path).is_ok() || ground.remove_file(&below).is_ok()
            }
        };
    }
    let path = crate::path::joined(names.iter().copied());
    let went = match projection.delete(&path) {
        Ok(()) => true,
        Err(error) => error.is_missing() || ground.remove_directory(names).is_ok(),
    };
    gone && went
}
