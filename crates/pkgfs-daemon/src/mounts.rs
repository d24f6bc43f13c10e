//! The mounts that a daemon serves: made, taken away, and noticed when they end.
//!
//! A mount ends when the kernel closes its connection, whoever unmounted it; a task
//! waits for that, removes the directory, and with the last mount the daemon is done.
//! Mounting and unmounting take turns under one lock. Invariant: once the last mount
//! has ended no new one is made.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_fuse::{Connection, Former, Mode, Mount, MountError, MountRequest, SessionOptions};
use pkgfs_view::View;
use tokio::sync::{Mutex, watch};

use crate::{
    DaemonError, LiveMount, Settings,
    holder::{Keeper, MountToKeep},
    mountpoint::{self, Readiness, remove_mountpoint},
};

/// How long the end of a mount is waited for after the kernel took it away.
const END: Duration = Duration::from_secs(10);
/// How long what is under way may take before an unmount.
const SETTLE: Duration = Duration::from_secs(30);

pub(crate) struct Mounts {
    view: Arc<View>,
    store: PathBuf,
    settings: Settings,
    /// Who keeps the mounts when this process dies.
    keeper: Option<Arc<Keeper>>,
    live: Mutex<State>,
    remaining: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    mounts: Vec<Live>,
    /// The last one has ended.
    over: bool,
    /// Number of the next mount.
    next: u64,
}

struct Live {
    number: u64,
    /// The kernel's number of the mount, while it stands in the mount table.
    id: Option<u64>,
    mountpoint: PathBuf,
    mount: Mount,
    detached: bool,
}

impl Mounts {
    pub(crate) fn new(
        view: Arc<View>,
        store: PathBuf,
        settings: Settings,
        keeper: Option<Arc<Keeper>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            view,
            store,
            settings,
            keeper,
            live: Mutex::default(),
            remaining: watch::Sender::new(0),
        })
    }

    /// How many mounts there are; 0 after the first one is the end.
    pub(crate) fn remaining(&self) -> watch::Receiver<usize> {
        self.remaining.subscribe()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        *self.remaining.borrow() == 0
    }

    /// Mounts at a place; finding it mounted is a success.
    pub(crate) async fn mount(self: &Arc<Self>, path: &Path) -> Result<Readiness, DaemonError> {
        let mut state = self.live.lock().await;
        if state.over {
            return Err(DaemonError::Stopping);
        }
        let (place, store) = (path.to_owned(), self.store.clone());
        let allow_other = self.settings.allow_other;
        let mode = pkgfs_fuse::mode_for(self.settings.mode.into(), allow_other)?;
        let (found, device) = blocking(move || {
            let found = mountpoint::examine(&place, &store)?;
            if found == Readiness::Mounted {
                return Ok((found, None));
            }
            mountpoint::make(&place)?;
            let source = store.to_string_lossy();
            let request = MountRequest { mountpoint: &place, source: &source, allow_other };
            match pkgfs_fuse::mount(&request) {
                Ok(device) => Ok((found, Some(device))),
                Err(error) => {
                    remove_mountpoint(&place);
                    Err(DaemonError::from(error))
                }
            }
        })
        .await?;
        let Some(device) = device else { return Ok(found) };
        let number = state.next;
        let (place, keeper) = (path.to_owned(), self.keeper.clone());
        let connected = blocking(move || {
            let id = pkgfs_fuse::mount_at(&place).ok().flatten().map(|mount| mount.id);
            Ok(Connection::new(device).and_then(|connection| {
                if let Some(keeper) = keeper.filter(|_| connection.can_be_inherited()) {
                    // Before the kernel hears anything.
                    keeper.mounted(number, &place, id, &connection)?;
                }
                Ok((id, connection))
            }))
        });
        let started = match connected.await? {
            Ok((id, connection)) => self.start(number, id, path, connection, mode).await?,
            Err(error) => Err(error),
        };
        match started {
            Ok(live) => self.add(&mut state, live),
            Err(source) => {
                let mountpoint = path.to_owned();
                self.discard(path, number).await;
                return Err(DaemonError::Session { mountpoint, source });
            }
        }
        tracing::info!(mountpoint = %path.display(), "mounted");
        Ok(found)
    }

    /// Goes on serving a mount of a daemon that has died.
    pub(crate) async fn take_over(
        self: &Arc<Self>,
        to_keep: MountToKeep,
        former: Former,
    ) -> Result<(), DaemonError> {
        let MountToKeep { mount, device, open_files } = to_keep;
        let mut state = self.live.lock().await;
        let mode = pkgfs_fuse::mode_for(self.settings.mode.into(), self.settings.allow_other)?;
        let connection = Connection::inherited(device, mount.init, open_files, former);
        let path = &mount.mountpoint;
        match self.start(mount.number, mount.id, path, connection, mode).await? {
            Ok(live) => {
                self.add(&mut state, live);
                tracing::info!(mountpoint = %path.display(), "taken over");
            }
            // It was unmounted while nobody served it.
            Err(error) => {
                tracing::warn!(%error, mountpoint = %path.display(), "not taken over");
                if let Some(keeper) = &self.keeper {
                    keeper.unmounted(mount.number).await;
                }
            }
        }
        Ok(())
    }

    async fn start(
        &self,
        number: u64,
        id: Option<u64>,
        path: &Path,
        connection: Connection,
        mode: Mode,
    ) -> Result<io::Result<Live>, DaemonError> {
        let (view, runtime) = (Arc::clone(&self.view), tokio::runtime::Handle::current());
        let options = SessionOptions { threads: self.settings.session_threads(), mode };
        let started =
            blocking(move || Ok(Mount::start(view, connection, options, runtime))).await?;
        let mountpoint = path.to_owned();
        Ok(started.map(|mount| Live { number, id, mountpoint, mount, detached: false }))
    }

    fn add(self: &Arc<Self>, state: &mut State, live: Live) {
        state.next = state.next.max(live.number + 1);
        let ended = live.mount.ended();
        tokio::spawn(Arc::clone(self).wait_for_end(live.number, ended));
        state.mounts.push(live);
        self.remaining.send_replace(state.mounts.len());
    }

    /// Answers nothing from now on: another process is to take over.
    pub(crate) async fn let_lie(&self, at_most: Duration) {
        let state = self.live.lock().await;
        tokio::task::block_in_place(|| {
            state.mounts.iter().for_each(|live| live.mount.let_lie(at_most));
        });
    }

    /// Unmounts a place, after what is under way has come to rest; gives the number of
    /// mounts left.
    pub(crate) async fn unmount(&self, path: &Path, lazy: bool) -> Result<usize, DaemonError> {
        if tokio::time::timeout(SETTLE, self.view.settle()).await.is_err() {
            tracing::warn!("unmounting, although something under way has not come to rest");
        }
        let mut state = self.live.lock().await;
        let Some(live) =
            state.mounts.iter_mut().find(|live| live.mountpoint == path && !live.detached)
        else {
            return Err(MountError::NotMounted { mountpoint: path.to_owned() }.into());
        };
        let place = path.to_owned();
        blocking(move || Ok(pkgfs_fuse::unmount(&place, lazy)?)).await?;
        live.detached = true;
        let mut ended = live.mount.ended();
        let number = live.number;
        drop(state);
        self.remove_directory(path).await;
        tracing::info!(mountpoint = %path.display(), lazy, "unmounted");
        // An unmount that the kernel granted ends at once; a lazy one with its last file.
        let grace = if lazy { Duration::from_millis(200) } else { END };
        if tokio::time::timeout(grace, ended.wait_for(|ended| *ended)).await.is_ok() {
            self.forget(number).await;
        }
        Ok(self.live.lock().await.mounts.len())
    }

    /// Takes all away, busy ones out of the tree, for a daemon that was told to stop.
    pub(crate) async fn unmount_all(&self) {
        let places: Vec<_> = self.list().await;
        for live in places.into_iter().filter(|live| !live.detached) {
            let path = &live.mountpoint;
            let result = match self.unmount(path, false).await {
                Err(DaemonError::Mount(MountError::Busy { .. })) => self.unmount(path, true).await,
                other => other,
            };
            match result {
                // Somebody was faster.
                Ok(_) | Err(DaemonError::Mount(MountError::NotMounted { .. })) => {}
                Err(error) => tracing::error!(%error, "a mount could not be taken away"),
            }
        }
    }

    /// Somebody may have taken mounts out of the mount table; what is open is served on.
    pub(crate) async fn detach_vanished(&self) -> Result<(), DaemonError> {
        let mut state = self.live.lock().await;
        // Read under the lock: a mount made meanwhile would be missing.
        let there = blocking(|| {
            pkgfs_fuse::mounts().map_err(|source| DaemonError::System {
                action: "read /proc/self/mountinfo",
                source,
            })
        });
        let there: HashSet<u64> = there.await?.into_iter().map(|mount| mount.id).collect();
        let gone =
            |live: &&mut Live| !live.detached && live.id.is_some_and(|id| !there.contains(&id));
        for live in state.mounts.iter_mut().filter(gone) {
            live.detached = true;
            tracing::info!(mountpoint = %live.mountpoint.display(), "unmounted from outside");
            self.remove_directory(&live.mountpoint).await;
        }
        Ok(())
    }

    pub(crate) async fn list(&self) -> Vec<LiveMount> {
        let state = self.live.lock().await;
        let describe = |live: &Live| LiveMount {
            mountpoint: live.mountpoint.clone(),
            mode: live.mount.mode().name().to_owned(),
            detached: live.detached,
        };
        state.mounts.iter().map(describe).collect()
    }

    async fn wait_for_end(self: Arc<Self>, number: u64, mut ended: watch::Receiver<bool>) {
        // A sender that is gone without a word ended as well.
        let _ = ended.wait_for(|ended| *ended).await;
        self.forget(number).await;
    }

    /// A mount has ended, whoever ended it.
    async fn forget(&self, number: u64) {
        let mut state = self.live.lock().await;
        let Some(at) = state.mounts.iter().position(|live| live.number == number) else { return };
        let live = state.mounts.remove(at);
        // A place taken away by us may be in use again; one that somebody else unmounted
        // still has its directory.
        if !live.detached {
            self.remove_directory(&live.mountpoint).await;
            tracing::info!(mountpoint = %live.mountpoint.display(), "unmounted from outside");
        }
        state.over = state.mounts.is_empty();
        self.remaining.send_replace(state.mounts.len());
        if let Some(keeper) = &self.keeper {
            keeper.unmounted(number).await;
        }
    }

    async fn discard(&self, path: &Path, number: u64) {
        if let Some(keeper) = &self.keeper {
            keeper.unmounted(number).await;
        }
        let place = path.to_owned();
        let taken = blocking(move || Ok(pkgfs_fuse::unmount(&place, true)?)).await;
        if let Err(error) = taken {
            tracing::error!(%error, "a mount that could not be served stays");
        }
        self.remove_directory(path).await;
    }

    async fn remove_directory(&self, path: &Path) {
        let place = path.to_owned();
        let removed = blocking(move || {
            remove_mountpoint(&place);
            Ok(())
        });
        // Only a panic in it could fail, and that is logged by then.
        let _ = removed.await;
    }
}

/// Runs what asks the file system on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DaemonError> + Send + 'static,
) -> Result<T, DaemonError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(DaemonError::System { action: "finish", source: std::io::Error::other(error) })
    })
}
