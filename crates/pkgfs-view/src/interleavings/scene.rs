//! A view of one variant at the beginning of each schedule.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pkgfs_manifest::BlobDigest;
use pkgfs_origin::{CHUNK, Origin};
use pkgfs_rez::{Locations, RezSettings, VariantHandle};
use pkgfs_store::{
    DirectoryId, FileKey, NewDirectory, NewRegistration, RegistrationId, RegistrationState, Store,
};
use tempfile::TempDir;

use super::storage::Storage;
use crate::{
    Opener, ProfileSettings, RestOfLargeFiles, ScrubSettings, StoreLimits, View, ViewError,
    ViewSettings, node::Node, payload::Origination, room::Asked,
};

/// Of a small file.
pub(super) const SMALL: usize = 1000;
/// Of a large one: a chunk and some of the next.
pub(super) const LARGE: usize = CHUNK as usize + 1000;

/// What all schedules of a test share: a store in which each has a variant of its own.
pub(super) struct Ground {
    store: Arc<Store>,
    variants: AtomicU64,
    _directory: TempDir,
}

impl Ground {
    pub(super) fn new() -> Self {
        // Where there is a disk in memory, nobody waits for a real one.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let directory = tempfile::Builder::new().prefix("pkgfs-model-").tempdir_in(place).unwrap();
        let store = Arc::new(Store::open(directory.path()).unwrap());
        Self { store, variants: AtomicU64::new(0), _directory: directory }
    }
}

/// A view, the storage below it, and a variant with some files.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) view: Arc<View>,
    pub(super) storage: Arc<Storage>,
    pub(super) registration: RegistrationId,
    /// Its number: no two schedules have the same bytes.
    variant: u64,
    directory: DirectoryId,
}

impl Scene {
    /// A variant whose files f0, f1, … are of these sizes.
    pub(super) fn new(ground: &Ground, sizes: &[usize]) -> Self {
        Self::with(ground, sizes, RestOfLargeFiles::Background, None)
    }

    pub(super) fn with(
        ground: &Ground,
        sizes: &[usize],
        rest: RestOfLargeFiles,
        quota: Option<u64>,
    ) -> Self {
        let (scene, asked) = Self::without_keeper(ground, sizes, rest, quota);
        // Only when there is reason to.
        scene.view.keep_within_bounds(asked, Duration::MAX);
        scene
    }

    /// The same where nobody makes room by himself.
    pub(super) fn without_keeper(
        ground: &Ground,
        sizes: &[usize],
        rest: RestOfLargeFiles,
        quota: Option<u64>,
    ) -> (Self, Asked) {
        let (origin, asked) = Origin::played(4);
        let variant = ground.variants.fetch_add(1, Ordering::Relaxed);
        let root = PathBuf::from(format!("/sw/pkg/package{variant}/1.0.0"));
        let storage = Storage::play(&root, asked);
        let limits = StoreLimits { quota, floor: 0 };
        let (view, asked, _) =
            View::assemble(Arc::clone(&ground.store), origin, settings(rest, limits), None)
                .unwrap();
        for (n, size) in sizes.iter().enumerate() {
            storage.put(&format!("f{n}"), content(variant, n, 0, *size), 0);
        }
        let handle = VariantHandle {
            location: "/sw/pkg".to_owned(),
            name: format!("package{variant}"),
            version: Some("1.0.0".to_owned()),
            index: None,
        };
        let new = NewRegistration {
            name: handle.name.clone(),
            version_dir: handle.version_dir().to_owned(),
            h4: handle.h4(),
            stem: "a".into(),
            handle_key: handle.to_json(),
            json: pkgfs_rez::registration::encode(&handle),
            repository: "/sw/pkg".into(),
            root: Some(root.clone()),
            state: RegistrationState::Served,
        };
        let registration = view.store.register(new).unwrap().id;
        let directory = view.store.record_directory(&NewDirectory {
            registration,
            path: Box::default(),
            source: root.clone(),
            anchor: root,
            listing: storage.listing(),
            carried: Vec::new(),
        });
        let directory = directory.unwrap();
        (Self { view, storage, registration, variant, directory }, asked)
    }

    /// The bytes of a file; it has others after it changed that many times.
    pub(super) fn content(&self, n: usize, change: u32, size: usize) -> Arc<[u8]> {
        content(self.variant, n, change, size)
    }

    /// Another file in the place of this one.
    pub(super) fn change(&self, n: usize, size: usize) -> Arc<[u8]> {
        let bytes = self.content(n, 1, size);
        self.storage.put(&format!("f{n}"), Arc::clone(&bytes), 1);
        bytes
    }

    pub(super) fn key(&self, n: usize) -> FileKey {
        let listing = self.view.payloads.by_id(self.directory).unwrap();
        let entry = listing.listing.find(format!("f{n}").as_bytes()).unwrap();
        FileKey { directory: self.directory, entry: entry as u32 }
    }

    /// What a listing of its root asks for.
    pub(super) fn root(&self, path: &str) -> Origination {
        Origination {
            registration: self.registration,
            path: path.as_bytes().into(),
            source: self.storage.directory.clone(),
            anchor: self.storage.directory.clone(),
        }
    }

    /// Which blob a file has, by the database.
    pub(super) fn blob(&self, n: usize) -> Option<BlobDigest> {
        self.view.store.content(self.key(n)).unwrap()
    }

    /// Opens a file, reads these parts of it one after the other, and closes it.
    pub(super) async fn read(
        &self,
        n: usize,
        parts: &[Range<usize>],
    ) -> Result<Vec<Vec<u8>>, ViewError> {
        let open = self.view.open_file(Node::Entry(self.key(n)).into(), false, OPENER).await?;
        let mut read = Vec::new();
        for part in parts {
            match self.view.read(open, part.start as u64, part.len()).await {
                Ok(bytes) => read.push(bytes),
                Err(error) => {
                    self.view.release(open);
                    return Err(error);
                }
            }
        }
        self.view.release(open);
        Ok(read)
    }

    /// Everything under way comes to its end, and the variant goes with all its bytes.
    pub(super) async fn end(self) {
        self.view.hydration.settle().await;
        assert_eq!(self.view.handles.count(), 0, "handles are left");
        let files = self.view.payloads.by_id(self.directory).unwrap().listing.entries().len();
        for n in 0..files {
            assert!(!self.view.hydration.is_known(self.key(n)), "a flight of f{n} is left");
        }
        self.view.store.unregister(self.registration, false).unwrap();
    }
}

pub(super) const OPENER: Opener = Opener { pid: 0, all_told: true, has_bytes: false };

/// Bytes that tell where they are from, in every eight of them.
fn content(variant: u64, n: usize, change: u32, size: usize) -> Arc<[u8]> {
    let word = (variant << 16) | ((n as u64) << 8) | u64::from(change) | 1 << 63;
    let mut bytes = word.to_le_bytes().repeat(size.div_ceil(8));
    bytes.truncate(size);
    bytes.into()
}

fn settings(rest: RestOfLargeFiles, limits: StoreLimits) -> ViewSettings {
    ViewSettings {
        repositories: Vec::new(),
        locations: Locations::default(),
        rez: RezSettings::default(),
        rez_worker: None,
        on_lookup: false,
        on_pending: false,
        believe: Duration::from_secs(5),
        tombstone: Duration::from_secs(60),
        freshness: Duration::MAX,
        owner: (0, 0),
        rest_of_large_files: rest,
        limits,
        scrub: ScrubSettings { bytes_per_second: 0, every: Duration::MAX, delay: Duration::MAX },
        profiles: ProfileSettings { learn: false, ahead_bytes: 0, ahead_files: 0 },
        shared: false,
    }
}
