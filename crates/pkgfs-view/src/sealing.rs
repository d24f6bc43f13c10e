//! Making rez's own copy of a variant read-only for good.
//!
//! When rez unlinks `.copying-<inc>`, its copy is whole. Writing through handles that
//! are still open ends first; then every file becomes a blob of its own digest and the
//! tree a set of listings, like any other payload. Until that is recorded the tree stays as it is, so that
//! whoever takes over from a daemon that died meanwhile can do it again. The numbers of the tree change with
//! it, so nothing a platform cached of the writable files is ever taken for the sealed
//! ones.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use pkgfs_manifest::{Attributes, Entry, Kind, Listing, os_name};
use pkgfs_store::{
    DirectoryId, FileKey, NewDirectory, RegistrationId, RegistrationState, Store, StoreError,
};

use crate::{
    View, ViewError,
    node::SlotId,
    registry::Payload,
    sys::{self, Status},
    view::{blocking, names::OWN},
};

impl View {
    /// Seals the staging tree of a registration: durable when it returns.
    pub(crate) async fn seal(
        self: &Arc<Self>,
        id: SlotId,
        registration: RegistrationId,
    ) -> Result<(), ViewError> {
        let (level, stem, handle) = {
            let mut registry = self.registry.lock();
            let mut slot = registry.slot_mut(id).ok_or(ViewError::NotFound)?;
            slot.payload = Payload::Sealing;
            (slot.level, slot.stem.clone(), slot.handle.clone())
        };
        self.handles.revoke(registration);
        // Where the variant's own root is known, its bytes can be fetched again.
        let root = match handle {
            Some(handle) => self.repositories.candidate(handle).await.ok().map(|known| known.root),
            None => None,
        };
        let store = Arc::clone(&self.store);
        let source = root.clone();
        let sealed = blocking(move || seal_tree(&store, registration, source.as_deref())).await;
        let mut registry = self.registry.lock();
        let mut slot = registry.slot_mut(id).ok_or(ViewError::NotFound)?;
        match sealed {
            Ok(attributes) => {
                slot.payload = Payload::Sealed;
                slot.root = root;
                slot.root_attributes = attributes;
            }
            Err(error) => {
                // As it was: rez sees the failure, and its mark ages into "stalled".
                slot.payload = Payload::Staging;
                self.problems.tell(error.to_string());
                return Err(error.into());
            }
        }
        drop(slot);
        drop(registry);
        self.notices.name(self.level_node(level), stem.as_bytes());
        self.discard_staging(registration);
        tracing::info!(registration = registration.0, "rez's copy is sealed");
        Ok(())
    }
}

fn seal_tree(
    store: &Store,
    registration: RegistrationId,
    root: Option<&Path>,
) -> Result<Option<Attributes>, StoreError> {
    let staging = store.staging_dir(registration);
    let anchor = root.unwrap_or(&staging).to_path_buf();
    let mut root_attributes = None;
    let mut adopted = BTreeSet::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        let here = staging.join(&below);
        let (listing, carried) = seal_directory(store, &here)?;
        if below.as_os_str().is_empty() {
            root_attributes = Some(*listing.attributes());
        }
        let directories = listing.entries().iter().filter(|entry| entry.kind == Kind::Directory);
        let names = directories.filter_map(|entry| os_name::name_from(entry.name.to_vec()));
        pending.extend(names.map(|name| below.join(name)));
        let known = listing.entries().iter().enumerate();
        let known: Vec<_> = known
            .filter(|(_, entry)| matches!(entry.kind, Kind::File | Kind::Directory))
            .map(|(index, _)| index as u32)
            .collect();
        let own = below.as_os_str().is_empty().then_some(OWN);
        adopted.extend(carried.iter().map(|(_, digest)| *digest));
        let directory = store.record_directory(&NewDirectory {
            registration,
            path: sys::joined(&below),
            source: if below.as_os_str().is_empty() { anchor.clone() } else { anchor.join(&below) },
            anchor: anchor.clone(),
            listing,
            carried,
        })?;
        without_xattrs(store, directory, known.into_iter().chain(own))?;
    }
    // Durable, and with it all that was recorded before.
    if let Some(root) = root {
        store.set_root(registration, root)?;
    }
    store.set_state(registration, RegistrationState::Sealed)?;
    store.protect(&adopted)?;
    Ok(root_attributes)
}

/// A copy under way takes no extended attributes: origin is not asked for any later, when it may
/// be gone, or was never known.
fn without_xattrs(
    store: &Store,
    directory: DirectoryId,
    entries: impl Iterator<Item = u32>,
) -> Result<(), StoreError> {
    for entry in entries {
        store.record_xattrs(FileKey { directory, entry }, &[])?;
    }
    Ok(())
}

fn seal_directory(
    store: &Store,
    here: &Path,
) -> Result<(Listing, Vec<(u32, pkgfs_manifest::BlobDigest)>), StoreError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| StoreError::Io { action: "seal", path, source }
    };
    let own = sys::status_at(here).map_err(failed(here))?;
    let mut entries = Vec::new();
    let mut digests = std::collections::HashMap::new();
    for name in fs::read_dir(here).map_err(failed(here))? {
        let name = name.map_err(failed(here))?;
        let path = name.path();
        let kind = name.file_type().map_err(failed(&path))?;
        let status = sys::status_at(&path).map_err(failed(&path))?;
        let bytes = Box::<[u8]>::from(os_name::bytes_of(&name.file_name()));
        let kind = if kind.is_dir() {
            Kind::Directory
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(failed(&path))?;
            Kind::Link(os_name::path_bytes(&target).into())
        } else if kind.is_file() {
            if status.size > 0 {
                digests.insert(bytes.clone(), store.adopt(&path)?.0);
            }
            Kind::File
        } else {
            Kind::Special(sys::special(kind))
        };
        entries.push(Entry { name: bytes, kind, attributes: attributes(status), source: None });
    }
    let listing = Listing::new(attributes(own), entries);
    let carried = listing.entries().iter().enumerate();
    let carried = carried
        .filter_map(|(index, entry)| Some((index as u32, *digests.get(&entry.name)?)))
        .collect();
    Ok((listing, carried))
}

fn attributes(status: Status) -> Attributes {
    let Status { size, mode, owner, mtime, .. } = status;
    let (uid, gid) = owner.unwrap_or_default();
    Attributes { size, mode, uid, gid, mtime }
}
