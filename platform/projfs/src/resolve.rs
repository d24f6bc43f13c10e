//! What is at a path, and what is in a directory.

use std::sync::Arc;

use pkgfs_view::{Keep, Lookup, NodeId, Place as Listed, Timestamp, ViewError};

use crate::{
    codes::{Win32, win32},
    enumeration::{Item, in_order},
    names::{Wide, shown, wide},
    path::{Level, Place, TREES, Tree, joined, with_last},
    payload::{Projected, Trail},
    placeholder::{ARCHIVE, Basic, DIRECTORY, HIDDEN, Kind, REPARSE_POINT},
    projection::Request,
    provider::{Provider, Way},
};

/// What was found at a path, as it is to be projected.
pub(crate) struct Found {
    /// The path, its last name as it is spelled here.
    pub(crate) path: Wide,
    pub(crate) node: NodeId,
    pub(crate) basic: Basic,
    pub(crate) security: Option<Arc<[u8]>>,
    /// The tree that it is in.
    pub(crate) tree: Option<Tree>,
    /// The `<h4>` directory that it is.
    pub(crate) level: Option<Level>,
}

/// A directory of the registry.
pub(crate) struct Shelf {
    pub(crate) names: Vec<String>,
    pub(crate) node: NodeId,
    pub(crate) mtime: Timestamp,
}

impl Provider {
    /// What is to be projected at a path; `None` where that is nothing.
    pub(crate) async fn resolve(
        self: &Arc<Self>,
        request: &Request,
    ) -> Result<Option<Found>, Win32> {
        match Place::of(&request.path) {
            // What is in `.sys` is on disk.
            Place::Root | Place::Sys(_) | Place::Nowhere => Ok(None),
            Place::Trees => {
                let mut basic = Basic::directory(Timestamp::now());
                basic.attributes |= HIDDEN;
                Ok(Some(Found {
                    path: wide(TREES),
                    node: NodeId::ROOT,
                    basic,
                    security: Some(Arc::clone(&self.descriptors.directory)),
                    tree: None,
                    level: None,
                }))
            }
            Place::Tree(tree, below) => self.in_tree(request, tree, &below).await,
            Place::Level(names) => self.level(request, &names).await,
            Place::Entry(level, entry, below) => {
                // What there is, is on disk; or will be when this returns.
                self.settle(&level).await;
                match self.way() {
                    Way::OnDisk => Ok(None),
                    Way::Projected if below.is_empty() => {
                        self.projected_link(request, &level, &entry).await
                    }
                    Way::Projected => Ok(None),
                    Way::Within => self.within(request, &level, &entry, &below).await,
                }
            }
        }
    }

    async fn level(
        self: &Arc<Self>,
        request: &Request,
        names: &[String],
    ) -> Result<Option<Found>, Win32> {
        let found = self.shelf(names, request.pid).await.map_err(|error| win32(&error))?;
        let Some(Shelf { names, node, mtime }) = found else { return Ok(None) };
        let last = names.last().map(|name| wide(name)).unwrap_or_default();
        Ok(Some(Found {
            path: with_last(&request.path, &last),
            node,
            basic: Basic::directory(mtime),
            security: None,
            tree: None,
            level: Level::of(&names),
        }))
    }

    /// A directory of the registry, spelled as it is known there: Windows asks in any case.
    pub(crate) async fn shelf(
        self: &Arc<Self>,
        names: &[String],
        pid: u32,
    ) -> Result<Option<Shelf>, ViewError> {
        let caller = self.caller(pid);
        let mut shelf =
            Shelf { names: Vec::new(), node: NodeId::ROOT, mtime: Timestamp { secs: 0, nanos: 0 } };
        for name in names {
            let mut found = self.view.lookup(shelf.node, name.as_bytes(), caller).await?;
            let mut spelled = name.clone();
            let registered = matches!(found, Lookup::Found(found) if found.name == Keep::Lasting);
            // Storage may take it for the same as another name, and rez does not.
            if !registered && let Some(other) = self.spelled_otherwise(shelf.node, name).await? {
                found = self.view.lookup(shelf.node, other.as_bytes(), caller).await?;
                spelled = other;
            }
            let Lookup::Found(found) = found else { return Ok(None) };
            shelf.names.push(spelled);
            shelf.node = found.attributes.node;
            shelf.mtime = found.attributes.mtime;
        }
        Ok(Some(shelf))
    }

    async fn spelled_otherwise(
        self: &Arc<Self>,
        above: NodeId,
        name: &str,
    ) -> Result<Option<String>, ViewError> {
        let wanted = wide(name);
        let all = self.names_in(above).await?;
        let same =
            |other: &String| other != name && self.rules.compare(&wide(other), &wanted).is_eq();
        Ok(all.into_iter().find(same))
    }

    /// The names that the view lists in a directory of the registry.
    pub(crate) async fn names_in(self: &Arc<Self>, node: NodeId) -> Result<Vec<String>, ViewError> {
        let listed = self.view.list_directory(node, None).await?;
        let mut names = Vec::new();
        for place in 0.. {
            match listed.place(place) {
                Listed::Entry(entry, _) => {
                    names.extend(String::from_utf8(entry.name.into_vec()).ok());
                }
                Listed::Gone => {}
                Listed::End => break,
            }
        }
        Ok(names)
    }

    async fn in_tree(
        self: &Arc<Self>,
        request: &Request,
        tree: Tree,
        below: &[Wide],
    ) -> Result<Option<Found>, Win32> {
        let Some((last, above)) = below.split_last() else {
            let root = self.current(tree).await?;
            let basic = Basic { attributes: DIRECTORY, ..Basic::directory(root.1) };
            return Ok(Some(Found {
                path: tree.path(),
                node: root.0,
                basic,
                security: Some(Arc::clone(&self.descriptors.directory)),
                tree: Some(tree),
                level: None,
            }));
        };
        let above = self.trail(tree, above).await?;
        let Some(above) = above else { return Ok(None) };
        let found = self.payloads.child(&above, last).await.map_err(|error| win32(&error))?;
        Ok(found.map(|found| self.found(request, tree, found)))
    }

    fn found(&self, request: &Request, tree: Tree, found: Projected) -> Found {
        let directory = found.basic.is_directory();
        let descriptors = &self.descriptors;
        let security = if directory { &descriptors.directory } else { &descriptors.file };
        Found {
            path: with_last(&request.path, &found.name),
            node: found.node,
            basic: found.basic,
            security: Some(Arc::clone(security)),
            tree: Some(tree),
            level: None,
        }
    }

    /// The root of a tree and its time, while that is what the variant shows.
    async fn current(self: &Arc<Self>, tree: Tree) -> Result<(NodeId, Timestamp), Win32> {
        if tree.life != self.life {
            return Err(Win32::FILE_INVALID);
        }
        let found = self.view.attributes(tree.node).await.map_err(|error| win32(&error))?;
        let attributes = found.attributes;
        // The number of a tree that was replaced still leads to its variant.
        if attributes.node != tree.node {
            return Err(Win32::FILE_INVALID);
        }
        Ok((attributes.node, attributes.mtime))
    }

    /// The way to a directory in a tree; `None` if there is none.
    async fn trail(self: &Arc<Self>, tree: Tree, below: &[Wide]) -> Result<Option<Trail>, Win32> {
        if tree.life != self.life {
            return Err(Win32::FILE_INVALID);
        }
        let root = self.current(tree).await?.0;
        self.payloads.walk(vec![root], below).await.map_err(|error| win32(&error))
    }

    /// The node at a path of a payload.
    pub(crate) async fn payload_at(
        self: &Arc<Self>,
        request: &Request,
    ) -> Result<Option<NodeId>, Win32> {
        Ok(self.resolve(request).await?.map(|found| found.node))
    }

    /// What is at `<h4>\<inc>\…` where no link can be there.
    async fn within(
        self: &Arc<Self>,
        request: &Request,
        level: &Level,
        entry: &str,
        below: &[Wide],
    ) -> Result<Option<Found>, Win32> {
        let Some(tree) = self.tree_at(level, entry).await? else { return Ok(None) };
        let Some((last, above)) = below.split_last() else {
            let (node, mtime) = self.current(tree).await?;
            return Ok(Some(Found {
                path: request.path.clone(),
                node,
                basic: Basic::directory(mtime),
                security: Some(Arc::clone(&self.descriptors.directory)),
                tree: Some(tree),
                level: None,
            }));
        };
        let Some(above) = self.trail(tree, above).await? else { return Ok(None) };
        let found = self.payloads.child(&above, last).await.map_err(|error| win32(&error))?;
        Ok(found.map(|found| self.found(request, tree, found)))
    }

    /// `<h4>\<inc>` as a projected link.
    async fn projected_link(
        self: &Arc<Self>,
        request: &Request,
        level: &Level,
        entry: &str,
    ) -> Result<Option<Found>, Win32> {
        let Some(tree) = self.tree_at(level, entry).await? else { return Ok(None) };
        let (node, mtime) = self.current(tree).await?;
        Ok(Some(Found {
            path: request.path.clone(),
            node,
            basic: link_to(tree, mtime),
            // Whoever removes a package moves it away.
            security: None,
            tree: None,
            level: None,
        }))
    }

    async fn tree_at(self: &Arc<Self>, level: &Level, entry: &str) -> Result<Option<Tree>, Win32> {
        let wanted = self.wanted(level).await.map_err(|error| win32(&error))?;
        Ok(wanted.and_then(|wanted| wanted.tree(entry)).map(|node| Tree { life: self.life, node }))
    }

    /// What is to be listed in a directory, in the order of Windows.
    pub(crate) async fn items(self: &Arc<Self>, request: &Request) -> Result<Vec<Item>, Win32> {
        let failed = |error: ViewError| win32(&error);
        let trail = match Place::of(&request.path) {
            Place::Root => {
                let mut items = self.level_items(NodeId::ROOT).await.map_err(failed)?;
                let mut trees = Basic::directory(Timestamp::now());
                trees.attributes |= HIDDEN;
                items.push(Item { name: wide(TREES), basic: trees });
                return Ok(in_order(items, &*self.rules));
            }
            Place::Level(names) => {
                let found = self.shelf(&names, request.pid).await.map_err(failed)?;
                let Some(shelf) = found else { return Err(Win32::PATH_NOT_FOUND) };
                let items = match Level::of(&shelf.names) {
                    None => self.level_items(shelf.node).await.map_err(failed)?,
                    Some(level) => {
                        self.settle(&level).await;
                        self.entry_items(&level).await.map_err(failed)?
                    }
                };
                return Ok(in_order(items, &*self.rules));
            }
            Place::Tree(tree, below) => self.trail(tree, &below).await?,
            Place::Entry(level, entry, below) if self.way() == Way::Within => {
                match self.tree_at(&level, &entry).await? {
                    Some(tree) => self.trail(tree, &below).await?,
                    None => None,
                }
            }
            // Only what is on disk.
            Place::Trees | Place::Sys(_) | Place::Entry(..) | Place::Nowhere => {
                return Ok(Vec::new());
            }
        };
        let Some(trail) = trail else { return Err(Win32::PATH_NOT_FOUND) };
        let children = self.payloads.children(&trail).await.map_err(failed)?;
        let item = |child: Projected| Item { name: child.name, basic: child.basic };
        Ok(in_order(children.into_iter().map(item).collect(), &*self.rules))
    }

    /// Directories of the registry below one, or below the root.
    async fn level_items(self: &Arc<Self>, node: NodeId) -> Result<Vec<Item>, ViewError> {
        let mtime = self.view.attributes(node).await?.attributes.mtime;
        let names = self.names_in(node).await?.into_iter();
        let names = names.filter(|name| name != ".sys");
        let item = |name: String| Item {
            name: shown(name.as_bytes()).into(),
            basic: Basic::directory(mtime),
        };
        Ok(names.map(item).collect())
    }

    /// What a `<h4>` directory has. It is on disk, too, which counts where both are; a name that is
    /// about to be written is listed all the same.
    async fn entry_items(self: &Arc<Self>, level: &Level) -> Result<Vec<Item>, ViewError> {
        let Some(wanted) = self.wanted(level).await? else { return Ok(Vec::new()) };
        let leaving = self.levels.leaving(level);
        let mut items = Vec::new();
        for (name, file) in wanted.files.iter().filter(|(name, _)| !leaving.contains(*name)) {
            let basic = Basic {
                kind: Kind::File,
                size: file.bytes.len() as u64,
                mtime: file.mtime,
                attributes: ARCHIVE,
            };
            items.push(Item { name: wide(name), basic });
        }
        for (stem, node) in wanted.trees.iter().filter(|(stem, _)| !leaving.contains(*stem)) {
            let mtime = self.view.attributes(*node).await?.attributes.mtime;
            let tree = Tree { life: self.life, node: *node };
            let basic = match self.way() {
                Way::Projected => link_to(tree, mtime),
                Way::OnDisk | Way::Within => Basic::directory(mtime),
            };
            items.push(Item { name: wide(stem), basic });
        }
        Ok(items)
    }
}

/// A link in a `<h4>` directory to a tree.
fn link_to(tree: Tree, mtime: Timestamp) -> Basic {
    let target = wide(&format!(r"..\..\..\{TREES}\{tree}"));
    let kind = Kind::Link { target, directory: true };
    Basic { kind, size: 0, mtime, attributes: DIRECTORY | REPARSE_POINT }
}

/// The path of a place in a `<h4>` directory.
pub(crate) fn entry_path(level: &Level, entry: &str) -> Wide {
    joined(level.names().into_iter().chain([entry]))
}
