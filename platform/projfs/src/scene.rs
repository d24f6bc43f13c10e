//! For tests: a provider over a real view, with a repository and a root, and ProjFS played by what it
//! would remember. Programs' own changes are made on disk, and told of as ProjFS does.

mod played;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use pkgfs_origin::{ACL_XATTR, Origin, OriginSettings};
use pkgfs_rez::{Locations, RezSettings, VariantHandle};
use pkgfs_store::{DirectoryId, FileKey, Store};
use pkgfs_view::{
    Caches, NodeId, ProfileSettings, RepositoryPlace, RestOfLargeFiles, ScrubSettings, StoreLimits,
    View, ViewSettings,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    codes::Win32,
    commands::Outcome,
    enumeration::{Asked, Buffer, Item},
    ground::{Ground, Links as _},
    names::{Portable, readable, wide},
    own::Own,
    placeholder::{Placeholder, Version},
    projection::{Answers, Event, Projection, Request},
    provider::{Parts, Provider},
};

use played::{HostLinks, Played};

const LONG: Duration = Duration::from_secs(30);
/// A program other than this.
const PROGRAM: u32 = 1;

struct Told(Arc<Provider>);

impl Caches for Told {
    fn forget_name(&self, parent: NodeId, _name: &[u8]) {
        self.0.runtime.block_on(self.0.name_changed(parent));
    }
    fn forget_listing(&self, directory: NodeId) {
        self.0.runtime.block_on(self.0.listing_changed(directory));
    }
    fn forget_bytes(&self, file: NodeId) {
        self.0.dehydrate(file);
    }
    fn let_go_of_blobs(&self) {}
}

/// A repository, a store, a root, and who provides it.
pub(crate) struct Scene {
    pub(crate) provider: Arc<Provider>,
    pub(crate) played: Arc<Played>,
    pub(crate) view: Arc<View>,
    store: Arc<Store>,
    told: mpsc::Receiver<(i32, Outcome)>,
    commands: std::cell::Cell<i32>,
    runtime: Runtime,
    _caches: Arc<Told>,
    directory: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(false, true)
    }

    /// With rez's look-ups registering or not, and links in payloads shown or not.
    pub(crate) fn with(links: bool, on_lookup: bool) -> Self {
        Self::of_origin(links, on_lookup, OriginSettings::default())
    }

    /// With the access lists that files have at origin.
    pub(crate) fn keeping_acls() -> Self {
        let origin = OriginSettings { keep_acls: true, ..OriginSettings::default() };
        Self::of_origin(false, true, origin)
    }

    fn of_origin(links: bool, on_lookup: bool, origin: OriginSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |part: &str| directory.path().join(part);
        for part in ["store", "root", "repository"] {
            fs::create_dir(at(part)).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .unwrap();
        let repository = canonical(&at("repository"));
        let store = Arc::new(Store::open(&at("store")).unwrap());
        let view = runtime.block_on(async {
            let origin =
                Origin::start(OriginSettings { command: vec![worker().into()], ..origin }).unwrap();
            let settings = settings_of(&repository, on_lookup);
            View::open(Arc::clone(&store), origin, settings, None).unwrap()
        });
        let (sender, told) = mpsc::channel();
        let root = at("root");
        let played = Arc::new(Played {
            root: root.clone(),
            links,
            placeholders: Mutex::default(),
            written: Mutex::default(),
            open: Mutex::default(),
            completed: Mutex::new(sender),
        });
        let own = Arc::<Own>::default();
        let provider = Provider::new(Parts {
            view: Arc::clone(&view),
            projection: Arc::clone(&played) as Arc<dyn Projection>,
            ground: Ground::new(root, Box::new(HostLinks), Arc::clone(&own)),
            own,
            rules: Arc::new(Portable),
            runtime: runtime.handle().clone(),
            life: 1,
        })
        .unwrap();
        let caches = Arc::new(Told(Arc::clone(&provider)));
        view.add_caches(Arc::downgrade(&(Arc::clone(&caches) as Arc<dyn Caches>)));
        runtime.block_on(provider.mirror_sys()).unwrap();
        Self {
            provider,
            played,
            view,
            store,
            told,
            commands: std::cell::Cell::new(0),
            runtime,
            _caches: caches,
            directory,
        }
    }

    pub(crate) fn on_disk(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path.replace('\\', "/"))
    }

    /// A package with these files; its `<h4>` directory.
    pub(crate) fn package(&self, name: &str, files: &[(&str, &[u8])]) -> String {
        let repository = self.directory.path().join("repository");
        let at = repository.join(name).join("1.0");
        fs::create_dir_all(&at).unwrap();
        let definition = format!("name = {name:?}\nversion = \"1.0\"\ncachable = True\n");
        fs::write(at.join("package.py"), definition).unwrap();
        for (path, bytes) in files {
            let path = at.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        format!(r"{name}\1.0\{}", self.handle(name).h4())
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    pub(crate) fn handle(&self, name: &str) -> VariantHandle {
        VariantHandle {
            location: canonical(&self.repository()).to_string_lossy().into_owned(),
            name: name.to_owned(),
            version: Some("1.0".to_owned()),
            index: None,
        }
    }

    fn request(&self, path: &str, version: Option<Version>) -> Request {
        self.commands.set(self.commands.get() + 1);
        Request { command: self.commands.get(), path: wide(path), pid: PROGRAM, version }
    }

    /// What a callback comes to, at once or later.
    fn outcome(&self, command: i32, outcome: Outcome) -> Outcome {
        if outcome != Err(Win32::IO_PENDING) {
            return outcome;
        }
        let (completed, outcome) = self.told.recv_timeout(LONG).unwrap();
        assert_eq!(completed, command);
        outcome
    }

    /// Looks at a path as a program does, name by name.
    pub(crate) fn look(&self, path: &str) -> Result<Placeholder, Win32> {
        let mut below = String::new();
        for name in path.split('\\') {
            below = if below.is_empty() { name.to_owned() } else { format!("{below}\\{name}") };
            if !self.played.placeholders.lock().contains_key(&below) {
                self.ask(&below)?;
            }
        }
        Ok(self.played.placeholders.lock()[&below].clone())
    }

    pub(crate) fn ask(&self, path: &str) -> Outcome {
        let request = self.request(path, None);
        let command = request.command;
        self.outcome(command, self.provider.placeholder(request))
    }

    /// Has origin say that a file or directory of a payload, which nobody has looked at yet, has this
    /// descriptor.
    pub(crate) fn origin_says(&self, path: &str, descriptor: &[u8]) {
        let request = self.request(path, None);
        let node = self.block_on(self.provider.payload_at(&request)).unwrap().unwrap();
        self.block_on(self.view.settle());
        // A number of a payload's file is that of its directory and its index there
        // (docs/architecture.md).
        let number = node.raw() & ((1 << 61) - 1);
        let directory = DirectoryId(number >> 24);
        let file = FileKey { directory, entry: u32::try_from(number & 0xFF_FFFF).unwrap() };
        let told = (ACL_XATTR.as_bytes().into(), descriptor.into());
        self.store.record_xattrs(file, &[told]).unwrap();
    }

    /// A payload's file, by the tree that its link leads to.
    pub(crate) fn through(&self, h4: &str, below: &str) -> String {
        let link = HostLinks.target(&self.on_disk(&format!(r"{h4}\a"))).unwrap().unwrap();
        let tree = link.file_name().unwrap().to_string_lossy().into_owned();
        let below = if below.is_empty() { String::new() } else { format!("\\{below}") };
        format!(r".pkgfs\{tree}{below}")
    }

    /// Reads a file as ProjFS has it hydrated.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, Win32> {
        let placeholder = self.look(path)?;
        let size = placeholder.basic.size;
        let request = self.request(path, Some(placeholder.version));
        let command = request.command;
        let stream = u128::from(command.unsigned_abs()).to_le_bytes();
        let length = u32::try_from(size).unwrap();
        self.outcome(command, self.provider.file_data(request, stream, 0, length))?;
        let mut bytes = Vec::new();
        for (of, at, data) in &*self.played.written.lock() {
            if *of == stream {
                assert_eq!(*at, bytes.len() as u64);
                bytes.extend(data);
            }
        }
        Ok(bytes)
    }

    pub(crate) fn list(&self, path: &str) -> Result<Vec<String>, Win32> {
        struct Names(Vec<String>);
        impl Buffer for Names {
            fn add(&mut self, item: &Item) -> Outcome {
                self.0.push(readable(&item.name));
                Ok(())
            }
        }
        let request = self.request(path, None);
        let command = request.command;
        let session = u128::from(command.unsigned_abs()).to_le_bytes();
        self.outcome(command, self.provider.start_listing(request, session))?;
        let mut names = Names(Vec::new());
        self.provider.next_listing(&session, Asked::default(), None, &mut names)?;
        self.provider.end_listing(&session);
        Ok(names.0)
    }

    pub(crate) fn tell(
        &self,
        event: Event,
        path: &str,
        directory: bool,
        to: Option<&str>,
    ) -> Outcome {
        let request = self.request(path, None);
        let command = request.command;
        let told = self.provider.notify(request, directory, event, to.map(wide));
        self.outcome(command, told)
    }

    /// Writes a file as a program does.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.on_disk(path), b"").unwrap();
        self.tell(Event::Created, path, false, None).unwrap();
        fs::write(self.on_disk(path), bytes).unwrap();
        self.tell(Event::ClosedModified, path, false, None).unwrap();
    }

    /// Deletes a file as a program does.
    pub(crate) fn delete(&self, path: &str) -> Outcome {
        self.tell(Event::PreDelete, path, false, None)?;
        fs::remove_file(self.on_disk(path)).unwrap();
        self.tell(Event::ClosedDeleted, path, false, None)
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Waits until something is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let late = Instant::now() + LONG;
        while !is_so() {
            assert!(Instant::now() < late, "{what} did not come about");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Paths as rez has them in handles.
fn canonical(path: &Path) -> PathBuf {
    let real = fs::canonicalize(path).unwrap();
    if !cfg!(windows) {
        return real;
    }
    let text = real.to_string_lossy().to_lowercase();
    PathBuf::from(text.strip_prefix(r"\\?\").unwrap_or(&text))
}

fn settings_of(repository: &Path, on_lookup: bool) -> ViewSettings {
    let hour = Duration::from_secs(3600);
    ViewSettings {
        repositories: vec![RepositoryPlace::Known(repository.to_owned())],
        locations: Locations::default(),
        rez: RezSettings {
            package_cache_same_device: true,
            tmpdir: "/nowhere".to_owned(),
            ..RezSettings::default()
        },
        rez_worker: None,
        on_lookup,
        on_pending: true,
        believe: Duration::ZERO,
        tombstone: hour,
        freshness: hour,
        owner: owner(),
        rest_of_large_files: RestOfLargeFiles::Background,
        limits: StoreLimits { quota: None, floor: 0 },
        scrub: ScrubSettings { bytes_per_second: 8 << 20, every: hour, delay: hour },
        profiles: ProfileSettings { learn: false, ahead_bytes: 0, ahead_files: 0 },
        shared: false,
    }
}

#[cfg(unix)]
fn owner() -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(std::env::temp_dir()).map_or((0, 0), |data| (data.uid(), data.gid()))
}

#[cfg(windows)]
fn owner() -> (u32, u32) {
    (0, 0)
}

/// The process that reads repositories: an example of this crate, which cargo builds beside its tests.
fn worker() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.ancestors().nth(2).unwrap().join("examples");
    let program = examples.join(format!("projfs-origin-worker{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{}: not built; run all targets of this crate", program.display());
    program
}
