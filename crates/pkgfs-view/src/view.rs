//! The view itself: what every platform shows.
//!
//! Each operation is an `async` method that is ready at once unless it must wait for
//! origin, for the store's disk or for rez's lock; so a platform polls it once where
//! the request arrived and moves it elsewhere only if it has to wait.

mod changes;
mod directories;
mod files;
mod heirs;
mod local;
mod marks;
pub(crate) mod names;
mod platforms;
mod requests;

use std::{
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use pkgfs_manifest::Timestamp;
use pkgfs_origin::Origin;
use pkgfs_rez::{Locations, RezSettings};
use pkgfs_rez_worker::RezWorker;
use pkgfs_store::{RegistrationId, Store, StoreError};

use crate::{
    Caches, NodeAttributes, NodeId, NodeKind, ViewError,
    caches::Notices,
    checking::{Checks, ScrubSettings},
    foresight::Foresight,
    handles::Handles,
    hydration::{Hydration, RestOfLargeFiles},
    ledger::Succession,
    lock::RezLock,
    node::{LevelId, Node, Part, SlotId, WritableId},
    open_blobs::OpenBlobs,
    payload::Payloads,
    problems::Problems,
    profiles::{self, ProfileSettings, Profiles},
    recency::Recency,
    registry::{Registry, Slot},
    repositories::Repositories,
    room::{self, Room, StoreLimits},
    sync::atomic::AtomicU64,
    sys,
    tombstones::Tombstones,
    warming::Warmings,
    whereabouts::{RepositoryPlace, Whereabouts},
    writable::Writable,
};

pub use directories::{DirectoryEntry, Listed, Place};

/// The largest share of the disk that is ever shown as used, in percent: above it rez
/// walks whole packages at origin before it adds one.
const MOST_USED: u64 = 80;

/// How the view behaves.
#[derive(Debug, Clone)]
pub struct ViewSettings {
    /// Where rez's repositories lie.
    pub repositories: Vec<RepositoryPlace>,
    /// Other spellings of repositories' locations, in handles that were written elsewhere.
    pub locations: Locations,
    /// rez's own settings.
    pub rez: RezSettings,
    /// Asked what only rez can tell; without it, what depends on that is not offered.
    pub rez_worker: Option<RezWorker>,
    /// Register what is looked up in the repositories.
    pub on_lookup: bool,
    /// Register what is written to `.sys/pending`.
    pub on_pending: bool,
    /// How long an answer of origin about repositories is believed.
    pub believe: Duration,
    /// How long look-ups leave alone what rez removed.
    pub tombstone: Duration,
    /// Least time between two comparisons of a variant with origin.
    pub freshness: Duration,
    /// User and group of the daemon.
    pub owner: (u32, u32),
    /// What becomes of the bytes of large files that nobody has read.
    pub rest_of_large_files: RestOfLargeFiles,
    /// How much the store may hold.
    pub limits: StoreLimits,
    /// How blobs are checked in the background.
    pub scrub: ScrubSettings,
    /// What is learnt of launches, and how much is fetched for it.
    pub profiles: ProfileSettings,
    /// Several users are let in: only the repositories named above are acted on.
    pub shared: bool,
}

/// The virtual tree.
pub struct View {
    pub(crate) settings: ViewSettings,
    pub(crate) store: Arc<Store>,
    pub(crate) origin: Origin,
    pub(crate) registry: Mutex<Registry>,
    pub(crate) whereabouts: Arc<Whereabouts>,
    pub(crate) repositories: Repositories,
    pub(crate) payloads: Arc<Payloads>,
    pub(crate) hydration: Arc<Hydration>,
    pub(crate) foresight: Foresight,
    pub(crate) profiles: Profiles,
    pub(crate) handles: Handles,
    pub(crate) open_blobs: OpenBlobs,
    pub(crate) writable: Writable,
    pub(crate) lock: RezLock,
    pub(crate) notices: Notices,
    pub(crate) problems: Arc<Problems>,
    pub(crate) tombstones: Tombstones,
    pub(crate) recency: Recency,
    pub(crate) warmings: Warmings,
    pub(crate) room: Arc<Room>,
    pub(crate) checks: Checks,
    /// When it was opened: the time that directories of its own show.
    since: Timestamp,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    /// The numbers of `.sys` and `.sys/to_delete`.
    pub(crate) sys: WritableId,
    pub(crate) to_delete: WritableId,
}

/// Numbers for a platform's `statfs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes in all.
    pub total: u64,
    /// Bytes that may still be used, counting what could be evicted.
    pub free: u64,
}

impl View {
    /// The view of a store, with all that the store remembers, and what earlier processes told
    /// platforms. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the store cannot be read, its `sys` directory not be made, or what was handed on not be
    /// understood.
    pub fn open(
        store: Arc<Store>,
        origin: Origin,
        settings: ViewSettings,
        succession: Option<Succession>,
    ) -> Result<Arc<Self>, StoreError> {
        let (view, asked, messages) = Self::assemble(store, origin, settings, succession)?;
        view.keep_up_with_rebuilding();
        view.keep_writing_recency();
        view.keep_within_bounds(asked, room::EVERY);
        view.keep_learning(messages);
        view.keep_scrubbing().map_err(in_use(view.store.dir()))?;
        Ok(view)
    }

    /// The view without what goes on by itself at times of its own.
    pub(crate) fn assemble(
        store: Arc<Store>,
        origin: Origin,
        settings: ViewSettings,
        succession: Option<Succession>,
    ) -> Result<(Arc<Self>, room::Asked, profiles::Messages), StoreError> {
        let sys_dir = store.sys_dir();
        for part in ["log", "pending", "to_delete"] {
            let path = sys_dir.join(part);
            std::fs::create_dir_all(&path).map_err(in_use(&path))?;
        }
        let device = sys::device(store.dir()).map_err(in_use(store.dir()))?;
        let writable = Writable::new(store.dir(), settings.owner);
        let life = succession.as_ref().map_or(0, |succession| succession.life);
        let problems = Arc::new(Problems::default());
        let mut registry = Registry::new(Arc::clone(&store), Arc::clone(&problems), settings.owner);
        if let Some(Succession { registry: of_registry, writable: of_writable, .. }) = succession {
            writable.inherit(of_writable).map_err(in_use(&sys_dir))?;
            registry.inherit(of_registry).map_err(in_use(store.dir()))?;
        }
        let sys = writable.node_of("sys".as_ref());
        let to_delete = writable.node_of("sys/to_delete".as_ref());
        store.clear_tombstones(Tombstones::expired(settings.tombstone))?;
        let tombstones = Tombstones::new(settings.tombstone, store.tombstones()?);
        let whereabouts = Arc::new(Whereabouts::new(
            origin.clone(),
            settings.rez.local_packages_path.clone().into(),
            settings.repositories.clone(),
            settings.believe,
        ));
        let repositories = Repositories::new(
            origin.clone(),
            Arc::clone(&whereabouts),
            settings.locations.clone(),
            settings.rez.clone(),
            settings.rez_worker.clone(),
            device,
            settings.believe,
        );
        let (room, asked) = Room::new(settings.limits, Arc::clone(&problems));
        let payloads = Arc::new(Payloads::new(
            Arc::clone(&store),
            origin.clone(),
            Arc::clone(&room),
            Arc::clone(&whereabouts),
        ));
        let hydration = Hydration::start(
            origin.clone(),
            Arc::clone(&store),
            Arc::clone(&problems),
            Arc::clone(&room),
            settings.rest_of_large_files,
        )
        .map_err(in_use(store.dir()))?;
        let notices = Notices::start().map_err(in_use(store.dir()))?;
        registry.tell_of_listings(notices.of_listings());
        let (profiles, messages) = Profiles::new(settings.profiles, origin.parallel());
        let view = Arc::new(Self {
            registry: Mutex::new(registry),
            whereabouts,
            repositories,
            payloads,
            hydration,
            foresight: Foresight::new(origin.parallel()),
            profiles,
            handles: Handles::new(life),
            open_blobs: OpenBlobs::default(),
            writable,
            lock: RezLock::new(sys_dir),
            notices,
            problems,
            tombstones,
            recency: Recency::default(),
            warmings: Warmings::default(),
            room,
            checks: Checks::default(),
            since: Timestamp::now(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            sys,
            to_delete,
            settings,
            store,
            origin,
        });
        Ok((view, asked, messages))
    }

    /// Has a platform told from now on of what it must not believe any more.
    pub fn add_caches(&self, caches: Weak<dyn Caches>) {
        self.notices.add(caches);
    }

    /// A platform has forgotten a node that many times.
    pub fn forget(&self, node: NodeId, times: u64) {
        if let Some(Node::Writable(id)) = node.decode() {
            self.writable.forget(id, times);
        }
    }

    /// The store's room. What could be evicted counts as free, and never more than 80 %
    /// shows as used (the total is shown smaller where it must be, never the free space
    /// larger), since rez goes by both before it adds a variant.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let usage = self.store.usage();
        let free = usage.disk_available.saturating_add(usage.blob_bytes).min(usage.disk_total);
        let most = free.saturating_mul(100) / (100 - MOST_USED);
        Statistics { total: usage.disk_total.min(most), free }
    }

    pub(crate) fn level_attributes(&self, node: NodeId) -> NodeAttributes {
        let (uid, gid) = self.settings.owner;
        NodeAttributes {
            node,
            kind: NodeKind::Directory,
            size: 4096,
            mode: 0o777,
            links: 1,
            uid,
            gid,
            mtime: self.since,
            device: 0,
        }
    }

    pub(crate) fn slot_attributes(
        &self,
        id: SlotId,
        part: Part,
        slot: &Slot,
    ) -> Option<NodeAttributes> {
        let node = slot.node(id, part);
        let file = |mark: &crate::registry::Mark, mtime| NodeAttributes {
            node,
            kind: NodeKind::File,
            size: mark.text.len() as u64,
            mode: 0o666,
            links: 1,
            uid: mark.owner.0,
            gid: mark.owner.1,
            mtime,
            device: 0,
        };
        match part {
            // rez's own clean goes by this time: what is pinned is always in use.
            Part::Json if slot.pinned => {
                slot.json.as_ref().map(|json| file(json, Timestamp::now()))
            }
            Part::Json => slot.json.as_ref().map(|json| file(json, slot.shown_mtime())),
            Part::Copying => slot.copying.as_ref().map(|mark| file(mark, mark.mtime)),
            Part::Payload if slot.payload.is_tree() => {
                let own = self.level_attributes(node);
                let Some(root) = slot.root_attributes else {
                    return Some(NodeAttributes { mtime: slot.created, ..own });
                };
                let shown = NodeAttributes { mtime: root.mtime, ..own };
                if !self.settings.shared {
                    return Some(shown);
                }
                // Who gets in is for origin to say. That all may write is what rez asks for before
                // it moves a payload away; nothing can be made in it.
                let mode = root.mode & 0o5555 | own.mode & 0o222;
                Some(NodeAttributes { mode, uid: root.uid, gid: root.gid, ..shown })
            }
            Part::Payload => None,
        }
    }

    pub(crate) fn level_node(&self, level: LevelId) -> NodeId {
        Node::Level(level).into()
    }

    pub(crate) fn discard_staging(&self, registration: RegistrationId) {
        self.handles.revoke(registration);
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = store.discard_staging(registration) {
                tracing::warn!(%error, "what is left of a copy could not be removed");
            }
        });
    }

    /// The staging tree of a registration, as a node.
    pub(crate) fn staging(&self, registration: RegistrationId) -> Result<WritableId, ViewError> {
        let path = self.store.staging_dir(registration);
        let below = path.strip_prefix(self.store.dir()).map_err(|_| ViewError::Failed)?;
        Ok(self.writable.node_of(below))
    }
}

fn in_use(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { action: "use", path, source }
}

/// Runs work that waits for the disk where it holds nobody up.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and whoever waits here with it.
            Err(_) => std::future::pending().await,
        },
    }
}
