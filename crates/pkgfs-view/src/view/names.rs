//! Names and what they mean: look-up, attributes, links, extended attributes.

use std::sync::Arc;

use pkgfs_manifest::Kind;
use pkgfs_rez::layout::Entry as LayoutEntry;
use pkgfs_store::{Directory, FileKey, RegistrationId};

use crate::{
    Caller, Found, Keep, Lookup, NodeAttributes, NodeId, NodeKind, View, ViewError,
    node::{LevelId, Node, Part, SlotId},
    payload::{Origination, Payloads},
    registry::{LevelPath, Payload},
    sys,
    view::blocking,
};

/// The key of a payload's root directory where entries have theirs.
pub(crate) const OWN: u32 = u32::MAX;

/// Extended attributes other than these are the host's own affair.
const SHOWN_XATTRS: &[u8] = b"user.";

/// A name in a `<h4>` directory, with its node and kind.
type SlotName = (Box<[u8]>, NodeId, NodeKind);

/// A missing name that may be believed to be missing, or not.
fn absent(keep: Keep) -> Result<Lookup, ViewError> {
    Ok(Lookup::Absent(keep))
}

impl View {
    /// What `name` in `parent` is.
    ///
    /// # Errors
    /// [`ViewError::TimedOut`] and the like when origin must be asked and does not
    /// answer: never [`Lookup::Absent`].
    pub async fn lookup(
        self: &Arc<Self>,
        parent: NodeId,
        name: &[u8],
        caller: Caller,
    ) -> Result<Lookup, ViewError> {
        if sys::is_too_long(name) {
            return Err(ViewError::NameTooLong);
        }
        match parent.decode().ok_or(ViewError::Stale)? {
            Node::Root if name == b".sys" => {
                let attributes = self.writable.attributes(self.sys)?;
                Ok(Lookup::Found(Found { attributes, name: Keep::Lasting, values: Keep::Never }))
            }
            Node::Root => match std::str::from_utf8(name) {
                Ok(name) => self.lookup_level(LevelPath::of_name(name), caller).await,
                Err(_) => absent(Keep::Never),
            },
            Node::Level(level) => {
                let path = self.registry.lock().level(level).ok_or(ViewError::Stale)?;
                let Ok(name) = std::str::from_utf8(name) else { return absent(Keep::Never) };
                match path.child(name) {
                    Some(child) => self.lookup_level(child, caller).await,
                    None => self.lookup_slot(&path, name, caller).await,
                }
            }
            Node::Slot(_, Part::Json | Part::Copying) => Err(ViewError::NotADirectory),
            Node::Slot(..) | Node::Entry(_) => {
                let Some(directory) = self.payload_directory(parent).await? else {
                    return absent(Keep::Never);
                };
                match directory.listing.find(name) {
                    Some(index) => Ok(Lookup::Found(entry_found(&directory, index))),
                    None => absent(Keep::Lasting),
                }
            }
            Node::Writable(parent) => {
                if parent == self.sys && name == crate::lock::LOCK_NAME {
                    self.lock.break_if_abandoned();
                }
                match self.writable.lookup(parent, name) {
                    Ok(attributes) => Ok(Lookup::Found(Found {
                        attributes,
                        name: Keep::Never,
                        values: Keep::Never,
                    })),
                    Err(ViewError::NotFound) => absent(Keep::Never),
                    Err(error) => Err(error),
                }
            }
        }
    }

    async fn lookup_level(
        self: &Arc<Self>,
        path: LevelPath,
        caller: Caller,
    ) -> Result<Lookup, ViewError> {
        let there = self.registry.lock().has_level(&path)?;
        // A `<h4>` directory that rez made may still wait for its variant.
        let bare = path.h4.is_some() && self.registry.lock().slots_in(&path)?.is_empty();
        let offered = (!there || bare) && self.offer_level(&path, caller.pid).await?;
        if !there && !offered {
            return absent(Keep::Never);
        }
        let level = self.registry.lock().level_id(&path);
        Ok(Lookup::Found(Found {
            attributes: self.level_attributes(self.level_node(level)),
            name: self.keep_level(&path)?,
            values: Keep::Lasting,
        }))
    }

    async fn lookup_slot(
        self: &Arc<Self>,
        path: &LevelPath,
        name: &str,
        caller: Caller,
    ) -> Result<Lookup, ViewError> {
        let Some(entry) = LayoutEntry::classify(name) else { return absent(Keep::Never) };
        let Some(id) = self.registry.lock().slot_of_stem(path, entry.stem())? else {
            return absent(Keep::Never);
        };
        if matches!(entry, LayoutEntry::Copying(_)) {
            self.heal(id, caller.pid).await;
        }
        let part = part_of(entry);
        if part == Part::Payload {
            self.recall_root(id).await?;
        }
        let (shown, staged) = {
            let registry = self.registry.lock();
            let Some(slot) = registry.slot(id) else { return absent(Keep::Never) };
            let staging = matches!(slot.payload, Payload::Staging | Payload::Sealing);
            let staged = slot.registration.filter(|_| staging && part == Part::Payload);
            (self.slot_attributes(id, part, slot), staged)
        };
        if let Some(registration) = staged {
            return match self.writable.attributes(self.staging(registration)?) {
                Ok(attributes) => {
                    Ok(Lookup::Found(Found { attributes, name: Keep::Never, values: Keep::Never }))
                }
                Err(ViewError::NotFound) => absent(Keep::Never),
                Err(error) => Err(error),
            };
        }
        let Some(attributes) = shown else { return absent(Keep::Never) };
        let (name, values) = match part {
            Part::Json => (Keep::Lasting, Keep::Never),
            Part::Copying => (Keep::Never, Keep::Never),
            Part::Payload => (Keep::Lasting, Keep::Lasting),
        };
        Ok(Lookup::Found(Found { attributes, name, values }))
    }

    /// The attributes of a node.
    ///
    /// # Errors
    /// [`ViewError::Stale`] for a number that means nothing any more.
    pub async fn attributes(self: &Arc<Self>, node: NodeId) -> Result<Found, ViewError> {
        let lasting = |attributes| Found { attributes, name: Keep::Lasting, values: Keep::Lasting };
        let passing = |attributes| Found { attributes, name: Keep::Never, values: Keep::Never };
        match node.decode().ok_or(ViewError::Stale)? {
            Node::Root => Ok(lasting(self.level_attributes(node))),
            Node::Level(level) => {
                self.registry.lock().level(level).ok_or(ViewError::Stale)?;
                Ok(lasting(self.level_attributes(node)))
            }
            Node::Slot(id, part) => {
                if part == Part::Payload {
                    self.recall_root(id).await?;
                }
                let registry = self.registry.lock();
                let shown = registry.slot(id).and_then(|s| self.slot_attributes(id, part, s));
                match (shown, part) {
                    (Some(attributes), Part::Payload) => Ok(lasting(attributes)),
                    (Some(attributes), _) => Ok(passing(attributes)),
                    // Moved away by rez: an empty directory to whoever still holds it.
                    (None, Part::Payload) => Ok(passing(self.level_attributes(node))),
                    (None, _) => Err(ViewError::NotFound),
                }
            }
            Node::Entry(key) => {
                let (directory, index) = self.payloads.entry(key)?;
                Ok(entry_found(&directory, index))
            }
            Node::Writable(id) => Ok(passing(self.writable.attributes(id)?)),
        }
    }

    /// The target of a link.
    ///
    /// # Errors
    /// [`ViewError::Invalid`] for what is no link.
    pub async fn read_link(&self, node: NodeId) -> Result<Vec<u8>, ViewError> {
        let Some(Node::Entry(key)) = node.decode() else { return Err(ViewError::Invalid) };
        let (directory, index) = self.payloads.entry(key)?;
        match &directory.listing.entries()[index].kind {
            Kind::Link(target) => Ok(target.to_vec()),
            _ => Err(ViewError::Invalid),
        }
    }

    /// The listing of a payload directory; `None` for one that rez has removed.
    pub(crate) async fn payload_directory(
        self: &Arc<Self>,
        node: NodeId,
    ) -> Result<Option<Arc<Directory>>, ViewError> {
        let wanted = match node.decode() {
            Some(Node::Slot(id, Part::Payload)) => {
                let Some((registration, root)) = self.tree_of(id) else { return Ok(None) };
                if let Some(known) = self.payloads.known(registration, b"")? {
                    return Ok(Some(known));
                }
                let source = root.ok_or(ViewError::Failed)?;
                Origination { registration, path: Box::default(), anchor: source.clone(), source }
            }
            Some(Node::Entry(key)) => {
                let (directory, index) = self.payloads.entry(key)?;
                Payloads::below(&directory, index)?
            }
            _ => return Err(ViewError::NotADirectory),
        };
        if let Some(known) = self.payloads.known(wanted.registration, &wanted.path)? {
            return Ok(Some(known));
        }
        if self.registry.lock().of_registration(wanted.registration).is_none() {
            // Removed while somebody stood in it.
            return Err(ViewError::Stale);
        }
        let listed = self.payloads.directory(wanted).await?;
        if let Some(Node::Slot(id, _)) = node.decode()
            && let Some(mut slot) = self.registry.lock().slot_mut(id)
        {
            slot.root_attributes = Some(*listed.listing.attributes());
        }
        Ok(Some(listed))
    }

    /// What the root of a payload is, after a restart: what the store knows of it. Where others are
    /// let in, origin is asked before they are: without its listing nothing in it is local anyway.
    async fn recall_root(&self, id: SlotId) -> Result<(), ViewError> {
        let unknown = {
            let registry = self.registry.lock();
            let slot = registry.slot(id).filter(|slot| slot.root_attributes.is_none());
            slot.and_then(|slot| Some((slot.registration?, slot.payload, slot.root.clone())))
        };
        let Some((registration, payload, root)) = unknown else { return Ok(()) };
        let attributes = match (self.payloads.known(registration, b"")?, root) {
            (Some(known), _) => *known.listing.attributes(),
            (None, Some(root)) if self.settings.shared && payload == Payload::Served => {
                self.origin.reach(&root).await?.attributes
            }
            _ => return Ok(()),
        };
        if let Some(mut slot) = self.registry.lock().slot_mut(id) {
            slot.root_attributes = Some(attributes);
        }
        Ok(())
    }

    fn tree_of(&self, id: SlotId) -> Option<(RegistrationId, Option<std::path::PathBuf>)> {
        let registry = self.registry.lock();
        let slot = registry.slot(id).filter(|slot| slot.payload.is_tree())?;
        Some((slot.registration?, slot.root.clone()))
    }

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// [`ViewError::NoAttribute`] where there is none of this name.
    pub async fn xattr(self: &Arc<Self>, node: NodeId, name: &[u8]) -> Result<Vec<u8>, ViewError> {
        if !name.starts_with(SHOWN_XATTRS) {
            return Err(ViewError::NoAttribute);
        }
        let all = self.xattrs(node).await?;
        let found = all.into_iter().find(|(own, _)| **own == *name);
        found.map(|(_, value)| value.into_vec()).ok_or(ViewError::NoAttribute)
    }

    /// The names of all extended attributes.
    ///
    /// # Errors
    /// As for [`attributes`](Self::attributes), and origin's.
    pub async fn xattr_names(self: &Arc<Self>, node: NodeId) -> Result<Vec<Box<[u8]>>, ViewError> {
        Ok(self.xattrs(node).await?.into_iter().map(|(name, _)| name).collect())
    }

    pub(super) async fn xattrs(
        self: &Arc<Self>,
        node: NodeId,
    ) -> Result<Vec<(Box<[u8]>, Box<[u8]>)>, ViewError> {
        let (key, source) = match node.decode().ok_or(ViewError::Stale)? {
            Node::Entry(key) => {
                let (directory, index) = self.payloads.entry(key)?;
                let entry = &directory.listing.entries()[index];
                if matches!(entry.kind, Kind::Link(_) | Kind::Special(_)) {
                    return Ok(Vec::new());
                }
                (key, Payloads::wanted(&directory, index).source)
            }
            Node::Slot(_, Part::Payload) => match self.payload_directory(node).await? {
                Some(root) => (FileKey { directory: root.id, entry: OWN }, root.source.clone()),
                None => return Ok(Vec::new()),
            },
            _ => return Ok(Vec::new()),
        };
        if let Some(known) = self.store.xattrs(key)? {
            return Ok(known);
        }
        let all = self.origin.xattrs(&source).await?;
        let store = Arc::clone(&self.store);
        let recorded = all.clone();
        match blocking(move || store.record_xattrs(key, &recorded)).await {
            // They are known all the same.
            Err(error) if error.is_of_the_disk() => self.room.refused(&error),
            recorded => recorded?,
        }
        Ok(all)
    }

    /// Names and kinds in a `<h4>` directory.
    pub(crate) fn slot_names(&self, level: LevelId) -> Result<Vec<SlotName>, ViewError> {
        let mut registry = self.registry.lock();
        let Some(path) = registry.level(level) else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for (id, slot) in registry.slots_in(&path)? {
            let mut add = |name: String, part, kind| {
                names.push((name.into_bytes().into_boxed_slice(), slot.node(id, part), kind));
            };
            if slot.json.is_some() {
                let name = pkgfs_rez::layout::registration_name(&slot.stem);
                add(name, Part::Json, NodeKind::File);
            }
            if slot.copying.is_some() {
                let name = pkgfs_rez::layout::copying_name(&slot.stem);
                add(name, Part::Copying, NodeKind::File);
            }
            if slot.payload != Payload::Absent {
                add(slot.stem.to_string(), Part::Payload, NodeKind::Directory);
            }
        }
        Ok(names)
    }
}

pub(crate) fn part_of(entry: LayoutEntry<'_>) -> Part {
    match entry {
        LayoutEntry::Registration(_) => Part::Json,
        LayoutEntry::Copying(_) => Part::Copying,
        LayoutEntry::Payload(_) => Part::Payload,
    }
}

/// An entry of a payload: its name and attributes last as long as its listing.
pub(crate) fn entry_found(directory: &Directory, index: usize) -> Found {
    let key = FileKey { directory: directory.id, entry: index as u32 };
    let entry = &directory.listing.entries()[index];
    let attributes = NodeAttributes::of_entry(Node::Entry(key).into(), entry);
    Found { attributes, name: Keep::Lasting, values: Keep::Lasting }
}
