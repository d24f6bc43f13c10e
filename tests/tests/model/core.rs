//! The view itself: calls as a platform makes them, with a store and a worker of its own.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pkgfs_origin::{Origin, OriginSettings};
use pkgfs_rez::{Locations, RezSettings};
use pkgfs_store::Store;
use pkgfs_tests::{Scene, VariantHandle};
use pkgfs_view::{
    Caller, Change, Listed, Lookup, NodeAttributes, NodeId, NodeKind, Opener, Place,
    ProfileSettings, RepositoryPlace, RestOfLargeFiles, ScrubSettings, StoreLimits, Target,
    Timestamp, View, ViewError, ViewSettings,
};
use rustix::io::Errno;
use tokio::runtime::Runtime;

use crate::files::{Attempt, Files, Subject, Way, whole};

pub(crate) struct Core {
    store: PathBuf,
    repository: PathBuf,
    running: Option<Running>,
}

struct Running {
    view: Arc<View>,
    store: Arc<Store>,
    runtime: Runtime,
}

const OPENER: Opener = Opener { pid: 0, all_told: true, has_bytes: false };

/// Each thread is a process of its own to rez's lock, as it is to a kernel's file system.
fn caller() -> Caller {
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    Caller { uid: 0, gid: 0, pid: thread.cast_unsigned() }
}

/// What the platforms make of errors, where rez can tell them apart.
fn errno(error: ViewError) -> io::Error {
    let errno = match error {
        ViewError::NotFound => Errno::NOENT,
        ViewError::ReadOnly => Errno::ROFS,
        ViewError::Denied => Errno::ACCESS,
        ViewError::Exists => Errno::EXIST,
        ViewError::NotEmpty => Errno::NOTEMPTY,
        ViewError::IsADirectory => Errno::ISDIR,
        ViewError::NotADirectory => Errno::NOTDIR,
        ViewError::Stale => Errno::STALE,
        ViewError::NoSpace => Errno::NOSPC,
        ViewError::TimedOut => Errno::TIMEDOUT,
        _ => Errno::IO,
    };
    errno.into()
}

fn start(store: &Path, repository: &Path) -> Running {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = Arc::new(Store::open(store).unwrap());
    let (view, store) = runtime.block_on(async {
        let origin = Origin::start(OriginSettings {
            command: vec![pkgfs_tests::built("pkgfs").into(), "origin-worker".into()],
            ..OriginSettings::default()
        });
        let settings = ViewSettings {
            repositories: vec![RepositoryPlace::Known(repository.to_owned())],
            locations: Locations::default(),
            rez: RezSettings {
                package_cache_same_device: true,
                tmpdir: "/tmp".to_owned(),
                ..RezSettings::default()
            },
            rez_worker: None,
            on_lookup: true,
            on_pending: true,
            believe: Duration::ZERO,
            tombstone: Duration::from_secs(3600),
            freshness: Duration::from_secs(3600),
            owner: (0, 0),
            rest_of_large_files: RestOfLargeFiles::Background,
            limits: StoreLimits { quota: Some(1 << 20), floor: 0 },
            scrub: ScrubSettings {
                bytes_per_second: 8 << 20,
                every: Duration::from_secs(3600),
                delay: Duration::from_secs(3600),
            },
            profiles: ProfileSettings { learn: false, ahead_bytes: 0, ahead_files: 0 },
            shared: false,
        };
        (View::open(Arc::clone(&store), origin.unwrap(), settings, None).unwrap(), store)
    });
    Running { view, store, runtime }
}

impl Running {
    fn end(self, killed: bool) {
        if !killed {
            self.runtime.block_on(self.view.settle());
        }
        drop(self.view);
        self.runtime.shutdown_timeout(Duration::from_secs(10));
        // Threads of the view end when they see that it is gone; the store's lock is theirs, too.
        let late = Instant::now() + Duration::from_secs(20);
        while Arc::strong_count(&self.store) > 1 {
            assert!(Instant::now() < late, "somebody holds on to the store");
            std::thread::yield_now();
        }
    }
}

impl Core {
    fn run<T>(&self, call: impl AsyncFnOnce(&Arc<View>) -> Result<T, ViewError>) -> io::Result<T> {
        let running = self.running.as_ref().unwrap();
        running.runtime.block_on(call(&running.view)).map_err(errno)
    }

    /// A part of a file as far as it comes, and which part of it there should be.
    fn read_to_end(
        &self,
        path: &str,
        part: Range<usize>,
        way: Way,
    ) -> io::Result<(Vec<u8>, Range<usize>)> {
        // A platform reads what is mapped a page at a time.
        let step = if way == Way::Mapped { 4096 } else { 128 << 10 };
        self.run(async |view| {
            let file = resolve(view, path).await?;
            if file.kind != NodeKind::File {
                return Err(ViewError::IsADirectory);
            }
            let handle = view.open_file(file.node, false, OPENER).await?;
            let mut bytes = Vec::new();
            let size = usize::try_from(file.size).unwrap();
            let (start, end) = (part.start.min(size), part.end.min(size));
            let read = async {
                while start + bytes.len() < end {
                    let at = start + bytes.len();
                    let more = view.read(handle, at as u64, step.min(end - at)).await?;
                    if more.is_empty() {
                        break;
                    }
                    bytes.extend(more);
                }
                Ok(())
            };
            let read = read.await;
            view.release(handle);
            read.map(|()| (bytes, start..end))
        })
    }
}

async fn lookup(view: &Arc<View>, parent: NodeId, name: &str) -> Result<NodeAttributes, ViewError> {
    match view.lookup(parent, name.as_bytes(), caller()).await? {
        // Never forgotten: as a kernel with room for all names.
        Lookup::Found(found) => Ok(found.attributes),
        Lookup::Absent(_) => Err(ViewError::NotFound),
    }
}

async fn resolve(view: &Arc<View>, path: &str) -> Result<NodeAttributes, ViewError> {
    let mut here = view.attributes(NodeId::ROOT).await?.attributes;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        here = lookup(view, here.node, name).await?;
    }
    Ok(here)
}

/// The directory of a path, and its last name.
async fn parent<'a>(view: &Arc<View>, path: &'a str) -> Result<(NodeId, &'a str), ViewError> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    Ok((resolve(view, directory).await?.node, name))
}

async fn create(view: &Arc<View>, path: &str, bytes: &[u8]) -> Result<(), ViewError> {
    let (directory, name) = parent(view, path).await?;
    let handle = match lookup(view, directory, name).await {
        Ok(known) => {
            let handle = view.open_file(known.node, true, OPENER).await?;
            view.change(known.node, Change { size: Some(0), ..Change::default() }).await?;
            handle
        }
        Err(ViewError::NotFound) => {
            let made = view.create_file(directory, name.as_bytes(), 0o644, true, caller()).await;
            made?.1
        }
        Err(error) => return Err(error),
    };
    let written = async {
        let mut at = 0;
        while at < bytes.len() {
            at += view.write(handle, at as u64, &bytes[at..]).await?;
        }
        view.flush_file(handle, caller()).await
    };
    let written = written.await;
    view.release(handle);
    written
}

fn listed(listing: &Listed) -> Vec<String> {
    let mut names = Vec::new();
    for place in 0.. {
        match listing.place(place) {
            Place::Entry(entry, _) => names.push(String::from_utf8(entry.name.into()).unwrap()),
            Place::Gone => {}
            Place::End => break,
        }
    }
    names
}

impl Subject for Core {
    fn start(scene: &Scene) -> Self {
        let (store, repository) = (scene.path("store"), scene.repository().location().to_owned());
        let running = Some(start(&store, &repository));
        Self { store, repository, running }
    }

    fn restart(&mut self, killed: bool) {
        self.running.take().unwrap().end(killed);
        self.running = Some(start(&self.store, &self.repository));
    }

    fn flush(&self, variant: Option<&VariantHandle>) {
        let targets = variant.map(|variant| Target::Text(variant.uri()));
        self.run(async |view| view.flush(targets.as_slice()).await).unwrap();
    }

    fn end(mut self) {
        self.running.take().unwrap().end(false);
    }
}

impl Files for Core {
    fn exists(&self, path: &str) -> io::Result<bool> {
        match self.run(async |view| resolve(view, path).await) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn links(&self, path: &str) -> io::Result<u64> {
        Ok(self.run(async |view| resolve(view, path).await)?.links.into())
    }

    fn modified(&self, path: &str) -> io::Result<i64> {
        Ok(self.run(async |view| resolve(view, path).await)?.mtime.secs)
    }

    fn names(&self, path: &str) -> io::Result<Vec<String>> {
        self.run(async |view| {
            let directory = resolve(view, path).await?;
            Ok(listed(&view.list_directory(directory.node, None).await?))
        })
    }

    fn read(&self, path: &str, part: Range<usize>, way: Way) -> io::Result<Vec<u8>> {
        let (bytes, part) = self.read_to_end(path, part, way)?;
        whole(bytes, &part)
    }

    fn make_directory(&self, path: &str) -> io::Result<()> {
        self.run(async |view| {
            let (directory, name) = parent(view, path).await?;
            // A kernel looks first whether it is there.
            if lookup(view, directory, name).await.is_ok() {
                return Err(ViewError::Exists);
            }
            view.make_directory(directory, name.as_bytes(), 0o777, caller()).await.map(drop)
        })
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.run(async |view| create(view, path, bytes).await)
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.run(async |view| {
            let from = resolve(view, from).await?;
            let (directory, name) = parent(view, to).await?;
            view.link(from.node, directory, name.as_bytes()).await.map(drop)
        })
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        self.run(async |view| {
            let (directory, name) = parent(view, path).await?;
            view.unlink(directory, name.as_bytes()).await
        })
    }

    fn remove_directory(&self, path: &str) -> io::Result<()> {
        self.run(async |view| {
            let (directory, name) = parent(view, path).await?;
            view.remove_directory(directory, name.as_bytes()).await
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.run(async |view| {
            let (from, old) = parent(view, from).await?;
            let (to, new) = parent(view, to).await?;
            view.rename((from, old.as_bytes()), (to, new.as_bytes()), true).await
        })
    }

    fn touch(&self, path: &str) -> io::Result<()> {
        self.run(async |view| {
            let file = resolve(view, path).await?;
            let mtime = Some(Timestamp::now());
            view.change(file.node, Change { mtime, ..Change::default() }).await.map(drop)
        })
    }

    fn attempt(&self, attempt: Attempt, directory: &str, file: &str) -> io::Result<()> {
        self.run(async |view| {
            let (holder, name) = parent(view, file).await?;
            let node = lookup(view, holder, name).await?.node;
            let below = resolve(view, directory).await?.node;
            let change = |change| async move { view.change(node, change).await.map(drop) };
            let (name, new) = (name.as_bytes(), b"intruder".as_slice());
            match attempt {
                Attempt::Create => {
                    view.create_file(below, new, 0o666, true, caller()).await.map(drop)
                }
                Attempt::Write => view.open_file(node, true, OPENER).await.map(drop),
                Attempt::Truncate => change(Change { size: Some(0), ..Change::default() }).await,
                Attempt::Unlink => view.unlink(holder, name).await,
                Attempt::Rename => view.rename((holder, name), (below, new), true).await,
                Attempt::MakeDirectory => {
                    view.make_directory(below, new, 0o777, caller()).await.map(drop)
                }
                Attempt::RemoveDirectory => {
                    let (holder, name) = parent(view, directory).await?;
                    view.remove_directory(holder, name.as_bytes()).await
                }
                Attempt::Touch => {
                    let mtime = Some(Timestamp::now());
                    change(Change { mtime, ..Change::default() }).await
                }
                Attempt::Mode => change(Change { mode: Some(0o777), ..Change::default() }).await,
                Attempt::Link => view.link(node, below, new).await.map(drop),
            }
        })
    }
}
