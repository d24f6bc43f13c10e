//! The trees of variants: one directory at a time, listed once.
//!
//! A directory of a payload is asked for at origin the first time something in it is
//! looked up or listed; its listing is recorded in the store and answers everything
//! after that, names that do not exist included, across restarts. Listings never
//! change: one that proves outdated is replaced as a whole by a new one with a new
//! number, while whoever still holds the old one goes on reading it.
//!
//! A listing that the store's disk does not take is kept in memory, under a number of its own, and
//! asked for again once the disk takes something.

mod kept;

use std::{
    collections::HashMap,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use pkgfs_manifest::{BlobDigest, Entry, Kind, Listing, Timestamp, os_name};
use pkgfs_origin::{LinkBounds, Origin};
use pkgfs_store::{
    Directory, DirectoryId, FileKey, NewDirectory, RegistrationId, Store, StoreError,
};
use tokio::sync::{OnceCell, RwLock};

use crate::{
    ViewError, hydration::Wanted, node::MOST_ENTRIES, room::Room, view::blocking,
    whereabouts::Whereabouts,
};
use kept::{FIRST_PASSING, Kept};

/// No more listings than so many a second cannot be recorded.
const PASSING_A_SECOND: u64 = 16;

/// A directory of a payload by its place: registration and path below the root.
type Place = (RegistrationId, Box<[u8]>);

/// Where a directory's content comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origination {
    pub registration: RegistrationId,
    /// '/'-separated path below the variant's root, empty for the root.
    pub path: Box<[u8]>,
    pub source: PathBuf,
    /// Root of the tree at origin that is shown in one piece around it.
    pub anchor: PathBuf,
}

/// The payloads of all registrations.
pub(crate) struct Payloads {
    store: Arc<Store>,
    origin: Origin,
    room: Arc<Room>,
    /// Canonical locations of the repositories whose content may stand in for links.
    repositories: Arc<Whereabouts>,
    kept: Mutex<Kept>,
    under_way: Mutex<HashMap<Place, Arc<OnceCell<Arc<Directory>>>>>,
    /// The next listing that cannot be recorded, counted from the first there may be.
    passing: AtomicU64,
    /// Held for writing while a tree is forgotten, for reading while a listing is recorded: what
    /// origin said before a tree was forgotten is not recorded after.
    forgetting: RwLock<()>,
}

impl Payloads {
    pub(crate) fn new(
        store: Arc<Store>,
        origin: Origin,
        room: Arc<Room>,
        repositories: Arc<Whereabouts>,
    ) -> Self {
        let (kept, under_way) = (Mutex::default(), Mutex::default());
        // Behind those of a process that this one takes over from, which platforms may still name.
        let since = u32::try_from(Timestamp::now().secs).unwrap_or(0);
        let passing = AtomicU64::new(u64::from(since) * PASSING_A_SECOND);
        let forgetting = RwLock::new(());
        Self { store, origin, room, repositories, kept, under_way, passing, forgetting }
    }

    /// A listing by its number, from memory or the store.
    pub(crate) fn by_id(&self, id: DirectoryId) -> Result<Arc<Directory>, ViewError> {
        if let Some(known) = self.kept.lock().get(id) {
            return Ok(known);
        }
        let directory = Arc::new(self.store.directory(id)?.ok_or(ViewError::Stale)?);
        self.kept.lock().keep(Arc::clone(&directory), false);
        Ok(directory)
    }

    /// An entry, by its number.
    pub(crate) fn entry(&self, key: FileKey) -> Result<(Arc<Directory>, usize), ViewError> {
        let directory = self.by_id(key.directory)?;
        let index = key.entry as usize;
        if index < directory.listing.entries().len() {
            Ok((directory, index))
        } else {
            Err(ViewError::Stale)
        }
    }

    /// The listing of a directory if it is known already.
    pub(crate) fn known(
        &self,
        registration: RegistrationId,
        path: &[u8],
    ) -> Result<Option<Arc<Directory>>, ViewError> {
        let place = (registration, Box::from(path));
        let forgotten = {
            let mut kept = self.kept.lock();
            if let Some(id) = kept.current.get(&place).copied()
                && let Some(known) = kept.get(id)
            {
                return Ok(Some(known));
            }
            kept.forgotten(registration)
        };
        let Some(directory) = self.recorded(registration, path)? else { return Ok(None) };
        let directory = Arc::new(directory);
        let mut kept = self.kept.lock();
        let current = kept.forgotten(registration) == forgotten;
        kept.keep(Arc::clone(&directory), current);
        Ok(Some(directory))
    }

    /// What the store knows; nothing where its disk fails, since origin can tell, too.
    fn recorded(
        &self,
        registration: RegistrationId,
        path: &[u8],
    ) -> Result<Option<Directory>, ViewError> {
        match self.store.current_directory(registration, path) {
            Err(error) if error.is_of_the_disk() => {
                self.room.refused(&error);
                Ok(None)
            }
            recorded => Ok(recorded?),
        }
    }

    /// The listing of a directory, asked for at origin if it is not known.
    pub(crate) async fn directory(
        self: &Arc<Self>,
        wanted: Origination,
    ) -> Result<Arc<Directory>, ViewError> {
        let source = wanted.source.clone();
        self.directory_unasked(wanted).await.inspect_err(|error| {
            tracing::warn!(%error, directory = %source.display(), "could not be listed");
        })
    }

    /// The same where nobody has asked for it: a failure is nobody's trouble.
    pub(crate) async fn directory_unasked(
        self: &Arc<Self>,
        wanted: Origination,
    ) -> Result<Arc<Directory>, ViewError> {
        if let Some(known) = self.known(wanted.registration, &wanted.path)? {
            return Ok(known);
        }
        let place = (wanted.registration, wanted.path.clone());
        let cell = Arc::clone(self.under_way.lock().entry(place.clone()).or_default());
        let payloads = Arc::clone(self);
        let listed = cell.get_or_try_init(|| payloads.list(wanted)).await.cloned();
        if let Ok(directory) = &listed {
            self.list_along(directory);
        }
        let mut under_way = self.under_way.lock();
        if under_way.get(&place).is_some_and(|current| Arc::ptr_eq(current, &cell)) {
            under_way.remove(&place);
        }
        listed
    }

    /// Whoever imports a module looks into the directory that holds it, and then, if it
    /// is there, into the one that holds its compiled form: asked for while the first is
    /// being used. Names only; no file is fetched for it.
    fn list_along(self: &Arc<Self>, directory: &Arc<Directory>) {
        let Some(index) = directory.listing.find(b"__pycache__") else { return };
        let Ok(below) = Self::below(directory, index) else { return };
        if matches!(self.known(below.registration, &below.path), Ok(None)) {
            let payloads = Arc::clone(self);
            // Boxed, since listing along is part of listing.
            let listing: Pin<Box<dyn Future<Output = _> + Send>> =
                Box::pin(async move { payloads.directory_unasked(below).await });
            tokio::spawn(listing);
        }
    }

    /// Lists a directory at origin and records it as the current one of its place.
    async fn list(self: Arc<Self>, wanted: Origination) -> Result<Arc<Directory>, ViewError> {
        loop {
            // It may have been recorded since the caller looked.
            if let Some(known) = self.known(wanted.registration, &wanted.path)? {
                return Ok(known);
            }
            let forgotten = self.kept.lock().forgotten(wanted.registration);
            let listing = self.ask(&wanted).await?;
            if let Some(new) = self.record(wanted.clone(), listing, Vec::new(), forgotten).await? {
                return Ok(new);
            }
        }
    }

    async fn ask(&self, wanted: &Origination) -> Result<Listing, ViewError> {
        let bounds = Arc::new(self.bounds(wanted)?);
        let listing = self.origin.list(&wanted.source, &bounds).await?;
        if listing.entries().len() > MOST_ENTRIES {
            tracing::error!(
                directory = %wanted.source.display(),
                "more than {MOST_ENTRIES} entries; such a directory cannot be served"
            );
            return Err(ViewError::Failed);
        }
        Ok(listing)
    }

    /// What decides how links in this directory are shown: where its tree begins, and
    /// which links were passed on the way down to it.
    fn bounds(&self, wanted: &Origination) -> Result<LinkBounds, ViewError> {
        let mut above = self.known(wanted.registration, b"")?;
        let root = above.as_ref().map_or(&wanted.source, |root| &root.source);
        let mut bounds = LinkBounds::of_variant(root.clone(), self.repositories.known());
        for part in wanted.path.split(|byte| *byte == b'/') {
            let Some(holder) = above.take() else { break };
            let Some(index) = holder.listing.find(part) else { break };
            if holder.listing.entries()[index].kind != Kind::Directory {
                break;
            }
            let below = Self::below(&holder, index)?;
            if holder.listing.entries()[index].source.is_some() {
                bounds = bounds.beyond_link(&holder.source, below.source.clone());
            }
            above = self.known(wanted.registration, &below.path)?;
        }
        Ok(bounds)
    }

    /// Nothing if the tree was forgotten since it was so often.
    async fn record(
        &self,
        wanted: Origination,
        listing: Listing,
        carried: Vec<(u32, BlobDigest)>,
        forgotten: u64,
    ) -> Result<Option<Arc<Directory>>, ViewError> {
        let _recording = self.forgetting.read().await;
        if self.kept.lock().forgotten(wanted.registration) != forgotten {
            return Ok(None);
        }
        let Origination { registration, path, source, anchor } = wanted;
        let new = Arc::new(NewDirectory { registration, path, source, anchor, listing, carried });
        let store = Arc::clone(&self.store);
        let recorded = Arc::clone(&new);
        let id = match self.room.fit(move || store.record_directory(&recorded)).await {
            // What it holds is known all the same, for as long as memory keeps it.
            Err(error) if error.is_of_the_disk() => {
                self.room.refused(&error);
                DirectoryId(FIRST_PASSING + self.passing.fetch_add(1, Ordering::Relaxed))
            }
            recorded => recorded?,
        };
        let new = Arc::unwrap_or_clone(new);
        let NewDirectory { registration, path, source, anchor, listing, .. } = new;
        let directory = Arc::new(Directory { id, registration, path, source, anchor, listing });
        self.kept.lock().keep(Arc::clone(&directory), true);
        Ok(Some(directory))
    }

    /// Where the content of a directory entry comes from.
    pub(crate) fn below(directory: &Directory, index: usize) -> Result<Origination, ViewError> {
        let entry = &directory.listing.entries()[index];
        if entry.kind != Kind::Directory {
            return Err(ViewError::NotADirectory);
        }
        let mut path = directory.path.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&entry.name);
        let source = source_of(directory, entry);
        let anchor = if entry.source.is_some() { source.clone() } else { directory.anchor.clone() };
        Ok(Origination {
            registration: directory.registration,
            path: path.into_boxed_slice(),
            source,
            anchor,
        })
    }

    /// What to fetch for a file.
    pub(crate) fn wanted(directory: &Directory, index: usize) -> Wanted {
        let entry = &directory.listing.entries()[index];
        Wanted {
            key: FileKey { directory: directory.id, entry: index as u32 },
            source: source_of(directory, entry),
            state: entry.attributes.state(),
        }
    }

    /// Compares every known directory of a registration with origin. If any differs, all
    /// are replaced, so that no number of the old tree shows in the new one; what did not
    /// change keeps its bytes. `Ok(true)` if anything did.
    pub(crate) async fn refresh(
        self: &Arc<Self>,
        registration: RegistrationId,
    ) -> Result<bool, ViewError> {
        let forgotten = self.kept.lock().forgotten(registration);
        let store = Arc::clone(&self.store);
        let known = blocking(move || store.current_directories(registration)).await?;
        let mut changed = false;
        let mut replacing = Vec::new();
        for id in known {
            let old = self.by_id(id)?;
            let place = Origination {
                registration,
                path: old.path.clone(),
                source: old.source.clone(),
                anchor: old.anchor.clone(),
            };
            let new = match self.ask(&place).await {
                Ok(new) => new,
                // It went with its parent, whose own listing says so.
                Err(ViewError::NotFound) if !old.path.is_empty() => continue,
                Err(error) => return Err(error),
            };
            if new != old.listing {
                changed = true;
                tracing::warn!(directory = %old.source.display(), "changed at origin");
            }
            replacing.push((old, place, new));
        }
        if changed {
            for (old, place, new) in replacing {
                let carried = self.carried(&old, &new)?;
                if self.record(place, new, carried, forgotten).await?.is_none() {
                    // What is listed from now on is as new as this.
                    return Ok(false);
                }
            }
        }
        Ok(changed)
    }

    /// Contents that the new listing shares with the old one.
    fn carried(&self, old: &Directory, new: &Listing) -> Result<Vec<(u32, BlobDigest)>, ViewError> {
        let contents = self.store.contents(old.id)?;
        let same = contents.into_iter().filter_map(|(index, digest)| {
            let before = old.listing.entries().get(index as usize)?;
            let place = new.find(&before.name)?;
            let after = &new.entries()[place];
            let same = before.kind == after.kind
                && before.source == after.source
                && before.attributes.state() == after.attributes.state();
            same.then_some((place as u32, digest))
        });
        Ok(same.collect())
    }

    /// Drops listings that could not be recorded, and tells of which registrations they are;
    /// numbers given out still resolve.
    pub(crate) fn forget_passing(&self) -> Vec<RegistrationId> {
        self.kept.lock().forget_passing()
    }

    /// Drops all that is remembered.
    pub(crate) fn forget_all(&self) {
        self.kept.lock().forget_all();
    }

    /// Drops what is remembered of a registration; numbers given out still resolve.
    pub(crate) fn forget(&self, registration: RegistrationId) {
        self.kept.lock().forget(registration);
    }

    /// The same when the store has forgotten its tree. What is being listed is listed anew.
    pub(crate) async fn forget_when(
        &self,
        registration: RegistrationId,
        done: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        let _forgetting = self.forgetting.write().await;
        done.await?;
        self.forget(registration);
        Ok(())
    }
}

fn source_of(directory: &Directory, entry: &Entry) -> PathBuf {
    // Bytes that are no name of this system's are of no file that can be asked for.
    let named = |bytes: &[u8]| {
        os_name::name_from(bytes.to_vec())
            .unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned().into())
    };
    match &entry.source {
        Some(source) => named(source).into(),
        None => directory.source.join(named(&entry.name)),
    }
}
