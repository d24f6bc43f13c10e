//! Listing, making and removing directories.

use std::{collections::HashMap, sync::Arc};

use pkgfs_rez::layout::Entry as LayoutEntry;
use pkgfs_store::Directory;

use crate::{
    Caller, Found, Keep, NodeId, NodeKind, View, ViewError,
    node::{LevelId, Node, Part},
    registry::{LevelPath, Payload, Removal},
    view::{blocking, names::entry_found},
};

/// Places that may be empty however few names there are.
const MOST_GONE: usize = 1024;

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
    /// What is in a directory now.
    ///
    /// A name that `former` has keeps its place, so that whoever has got to some place in that goes
    /// on there in this, and misses no name that was there all the time and sees none twice. (The
    /// tree of a variant is replaced as a whole, and then this does not hold.)
    ///
    /// # Errors
    /// Origin's, for a payload directory that is not known yet.
    pub async fn list_directory(
        self: &Arc<Self>,
        node: NodeId,
        former: Option<&Listed>,
    ) -> Result<Listed, ViewError> {
        let names = match node.decode().ok_or(ViewError::Stale)? {
            Node::Root => {
                let mut names = self.level_names(None)?;
                names.push(DirectoryEntry {
                    name: b".sys".as_slice().into(),
                    kind: NodeKind::Directory,
                    node: Some(Node::Writable(self.sys).into()),
                });
                names
            }
            Node::Level(level) => {
                let path = self.registry.lock().level(level).ok_or(ViewError::Stale)?;
                match path.h4 {
                    None => self.level_names(Some(&path))?,
                    Some(_) => self.h4_names(level)?,
                }
            }
            Node::Slot(_, Part::Payload) | Node::Entry(_) => {
                match self.payload_directory(node).await? {
                    Some(directory) => return Ok(Listed(Names::Payload(directory))),
                    None => Vec::new(),
                }
            }
            Node::Slot(..) => return Err(ViewError::NotADirectory),
            Node::Writable(id) => self.writable.names(id)?,
        };
        Ok(Listed(Names::Places(in_places(names, former).into())))
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
        if !registry.takes_a_directory() {
            return Err(ViewError::NoSpace);
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

/// The names of a directory, each in a place of its own.
#[derive(Clone)]
pub struct Listed(Names);

#[derive(Clone)]
enum Names {
    Payload(Arc<Directory>),
    /// A place is empty when its name is gone.
    Places(Arc<[Option<DirectoryEntry>]>),
}

/// What stands in one place of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A name, with its attributes where a look-up is not needed to know them.
    Entry(DirectoryEntry, Option<Found>),
    /// Nothing any more.
    Gone,
    /// No place comes after this one.
    End,
}

impl Listed {
    /// What stands in a place.
    #[must_use]
    pub fn place(&self, place: usize) -> Place {
        match &self.0 {
            Names::Payload(directory) => {
                let Some(entry) = directory.listing.entries().get(place) else { return Place::End };
                let found = entry_found(directory, place);
                let entry = DirectoryEntry {
                    name: (*entry.name).into(),
                    kind: found.attributes.kind,
                    node: Some(found.attributes.node),
                };
                Place::Entry(entry, Some(found))
            }
            Names::Places(places) => match places.get(place) {
                Some(Some(entry)) => Place::Entry(entry.clone(), None),
                Some(None) => Place::Gone,
                None => Place::End,
            },
        }
    }
}

/// Names in the places that they have in `former`, and new ones after them.
fn in_places(names: Vec<DirectoryEntry>, former: Option<&Listed>) -> Vec<Option<DirectoryEntry>> {
    let Some(Listed(Names::Places(former))) = former else {
        return names.into_iter().map(Some).collect();
    };
    let known: HashMap<_, _> = (former.iter().enumerate())
        .filter_map(|(place, entry)| Some((&entry.as_ref()?.name, place)))
        .collect();
    // Mostly of names that are gone: whoever is still in it must bear with a new order.
    if former.len() > MOST_GONE + 2 * names.len() {
        return names.into_iter().map(Some).collect();
    }
    let mut places = vec![None; former.len()];
    for entry in names {
        match known.get(&entry.name) {
            Some(place) => places[*place] = Some(entry),
            None => places.push(Some(entry)),
        }
    }
    places
}
