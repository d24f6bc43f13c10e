//! Listing, making and removing directories.

use std::sync::Arc;

use pkgfs_rez::layout::Entry as LayoutEntry;

use crate::{
    Caller, Found, HandleId, Keep, NodeId, NodeKind, View, ViewError,
    handles::{Handle, OpenListing},
    node::{LevelId, Node, Part},
    registry::{LevelPath, Payload, Removal},
    view::{blocking, names::entry_found},
};

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name.
    pub name: Box<[u8]>,
    /// What it is.
    pub kind: NodeKind,
    /// Its node; `None` where only a look-up gives it one (writable files).
    pub node: Option<NodeId>,
}

impl View {
    /// Opens a directory for listing: what is read from it is what was there now.
    ///
    /// # Errors
    /// Origin's, for a payload directory that is not known yet.
    pub async fn open_directory(self: &Arc<Self>, node: NodeId) -> Result<HandleId, ViewError> {
        let listed = OpenListing::Names;
        let listing = match node.decode().ok_or(ViewError::Stale)? {
            Node::Root => {
                let mut names = self.level_names(None)?;
                names.push(DirectoryEntry {
                    name: b".sys".as_slice().into(),
                    kind: NodeKind::Directory,
                    node: Some(Node::Writable(self.sys).into()),
                });
                listed(names)
            }
            Node::Level(level) => {
                let path = self.registry.lock().level(level).ok_or(ViewError::Stale)?;
                listed(match path.h4 {
                    None => self.level_names(Some(&path))?,
                    Some(_) => self.h4_names(level)?,
                })
            }
            Node::Slot(_, Part::Payload) | Node::Entry(_) => {
                match self.payload_directory(node).await? {
                    Some(directory) => OpenListing::Payload(directory),
                    None => listed(Vec::new()),
                }
            }
            Node::Slot(..) => return Err(ViewError::NotADirectory),
            Node::Writable(id) => listed(self.writable.names(id)?),
        };
        Ok(self.handles.add(Handle::Listed(Arc::new(listing))))
    }

    fn level_names(&self, path: Option<&LevelPath>) -> Result<Vec<DirectoryEntry>, ViewError> {
        let mut registry = self.registry.lock();
        let names = registry.sublevels(path)?;
        let child = |name: &str| match path {
            Some(path) => path.child(name),
            None => Some(LevelPath::of_name(name)),
        };
        let entries = names.iter().filter_map(|name| {
            let level = registry.level_id(&child(name)?);
            Some(DirectoryEntry {
                name: name.as_bytes().into(),
                kind: NodeKind::Directory,
                node: Some(self.level_node(level)),
            })
        });
        Ok(entries.collect())
    }

    fn h4_names(&self, level: LevelId) -> Result<Vec<DirectoryEntry>, ViewError> {
        let staged = |node: NodeId| match node.decode() {
            Some(Node::Slot(id, Part::Payload)) => {
                let registry = self.registry.lock();
                registry.slot(id).is_some_and(|slot| !slot.payload.is_tree())
            }
            _ => false,
        };
        let names = self.slot_names(level)?.into_iter();
        let entries = names.map(|(name, node, kind)| DirectoryEntry {
            name,
            kind,
            node: (!staged(node)).then_some(node),
        });
        Ok(entries.collect())
    }

    /// The entry at `index` of an open directory, with its attributes where a look-up is
    /// not needed to know them. `None` at the end.
    ///
    /// # Errors
    /// [`ViewError::Stale`] for a handle that is no open directory.
    pub fn directory_entry(
        &self,
        handle: &DirectoryHandle,
        index: usize,
    ) -> Option<(DirectoryEntry, Option<Found>)> {
        match &*handle.0 {
            OpenListing::Payload(directory) => {
                let entry = directory.listing.entries().get(index)?;
                let found = entry_found(directory, index);
                let entry = DirectoryEntry {
                    name: (*entry.name).into(),
                    kind: found.attributes.kind,
                    node: Some(found.attributes.node),
                };
                Some((entry, Some(found)))
            }
            OpenListing::Names(names) => Some((names.get(index)?.clone(), None)),
        }
    }

    /// The open directory behind a handle.
    ///
    /// # Errors
    /// [`ViewError::Stale`] for a handle that is not open.
    pub fn directory_handle(&self, handle: HandleId) -> Result<DirectoryHandle, ViewError> {
        match self.handles.get(handle)? {
            Handle::Listed(listing) => Ok(DirectoryHandle(listing)),
            _ => Err(ViewError::NotADirectory),
        }
    }

    /// Makes a directory: registry levels and `<inc>` as rez does, and below `.sys`.
    ///
    /// # Errors
    /// [`ViewError::ReadOnly`] wherever rez has no business to make one.
    pub async fn make_directory(
        self: &Arc<Self>,
        parent: NodeId,
        name: &[u8],
        mode: u16,
        caller: Caller,
    ) -> Result<Found, ViewError> {
        match parent.decode().ok_or(ViewError::Stale)? {
            Node::Writable(parent) => {
                let attributes = self.writable.make_directory(parent, name, mode, caller)?;
                Ok(Found { attributes, name: Keep::Never, values: Keep::Never })
            }
            Node::Root => {
                let name = std::str::from_utf8(name).map_err(|_| ViewError::ReadOnly)?;
                self.make_level(LevelPath::of_name(name))
            }
            Node::Level(level) => {
                let path = self.registry.lock().level(level).ok_or(ViewError::Stale)?;
                let name = std::str::from_utf8(name).map_err(|_| ViewError::ReadOnly)?;
                match path.child(name) {
                    Some(child) => self.make_level(child),
                    None => self.make_staging(&path, name, mode, caller).await,
                }
            }
            _ => Err(ViewError::ReadOnly),
        }
    }

    fn make_level(&self, path: LevelPath) -> Result<Found, ViewError> {
        let name = pkgfs_rez::names::is_valid_package_name(&path.name);
        let version = path.version.as_deref().is_none_or(|version| {
            version == pkgfs_rez::names::NO_VERSION
                || pkgfs_rez::names::is_valid_version_dir(version)
        });
        if !name || !version || !path.h4.as_deref().is_none_or(pkgfs_rez::layout::is_h4) {
            return Err(ViewError::ReadOnly);
        }
        let mut registry = self.registry.lock();
        if registry.has_level(&path)? {
            return Err(ViewError::Exists);
        }
        // What is above may have shown because a repository has it; now rez makes it real.
        let level = registry.make_level(&path)?;
        let attributes = self.level_attributes(self.level_node(level));
        Ok(Found { attributes, name: Keep::Lasting, values: Keep::Lasting })
    }

    /// `<inc>`, which rez is about to fill.
    async fn make_staging(
        self: &Arc<Self>,
        path: &LevelPath,
        name: &str,
        mode: u16,
        caller: Caller,
    ) -> Result<Found, ViewError> {
        let Some(LayoutEntry::Payload(stem)) = LayoutEntry::classify(name) else {
            return Err(ViewError::ReadOnly);
        };
        let registration = {
            let mut registry = self.registry.lock();
            let id = registry.slot_of_stem(path, stem)?.ok_or(ViewError::ReadOnly)?;
            let slot = registry.slot(id).ok_or(ViewError::ReadOnly)?;
            if slot.payload != Payload::Absent {
                return Err(ViewError::Exists);
            }
            let copying = slot.copying.is_some();
            slot.registration.filter(|_| copying).ok_or(ViewError::ReadOnly)?
        };
        let store = Arc::clone(&self.store);
        let made = blocking(move || store.make_staging(registration, mode)).await;
        let absolute = made?;
        let below = absolute.strip_prefix(self.store.dir()).map_err(|_| ViewError::Failed)?;
        self.writable.made_by(below, &absolute, caller);
        let mut registry = self.registry.lock();
        let id = registry.of_registration(registration).ok_or(ViewError::Stale)?;
        registry.slot_mut(id).ok_or(ViewError::Stale)?.payload = Payload::Staging;
        drop(registry);
        let attributes = self.writable.attributes(self.staging(registration)?)?;
        Ok(Found { attributes, name: Keep::Never, values: Keep::Never })
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`ViewError::NotEmpty`], or [`ViewError::ReadOnly`] in a payload.
    pub async fn remove_directory(&self, parent: NodeId, name: &[u8]) -> Result<(), ViewError> {
        let path = match parent.decode().ok_or(ViewError::Stale)? {
            Node::Writable(parent) => return self.writable.remove_directory(parent, name),
            Node::Root if name == b".sys" => return Err(ViewError::ReadOnly),
            Node::Root => None,
            Node::Level(level) => Some(self.registry.lock().level(level).ok_or(ViewError::Stale)?),
            _ => return Err(ViewError::ReadOnly),
        };
        let name = std::str::from_utf8(name).map_err(|_| ViewError::NotFound)?;
        let child = match path {
            None => Some(LevelPath::of_name(name)),
            Some(path) => path.child(name),
        };
        // Below `<h4>` only `<inc>` is a directory, and that is moved away, not removed.
        let child = child.ok_or(ViewError::ReadOnly)?;
        match self.registry.lock().remove_level(&child)? {
            Removal::Removed => Ok(()),
            Removal::Absent => Err(ViewError::NotFound),
            Removal::NotEmpty => Err(ViewError::NotEmpty),
        }
    }
}

/// An open directory, as it was when it was opened.
#[derive(Clone)]
pub struct DirectoryHandle(Arc<OpenListing>);
