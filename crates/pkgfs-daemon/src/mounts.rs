//! The mounts that a daemon serves: made, taken away, and noticed when they end.
//!
//! A mount ends when the system says so, whoever unmounted it; a task
//! waits for that, removes the directory, and with the last mount the daemon is done.
//! Mounting and unmounting take turns under one lock. Invariant: once the last mount
//! has ended no new one is made.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_view::View;
use tokio::sync::{Mutex, watch};

use crate::{
    DaemonError, LiveMount, Settings,
    blocking::blocking,
    platform::{MountError, Platform, Readiness, Served, remove_mountpoint},
};

/// How long the end of a mount is waited for after the system took it away.
const END: Duration = Duration::from_secs(10);
/// How long what is under way may take before an unmount.
const SETTLE: Duration = Duration::from_secs(30);

pub(crate) struct Mounts {
    view: Arc<View>,
    settings: Settings,
    platform: Arc<Platform>,
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
    mountpoint: PathBuf,
    served: Served,
    detached: bool,
}

impl Mounts {
    pub(crate) fn new(view: Arc<View>, settings: Settings, platform: Arc<Platform>) -> Arc<Self> {
        let (live, remaining) = (Mutex::default(), watch::Sender::new(0));
        Arc::new(Self { view, settings, platform, live, remaining })
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
        let number = state.next;
        let (found, served) = self.platform.mount(number, path, &self.view, &self.settings).await?;
        let Some(served) = served else { return Ok(found) };
        self.add(&mut state, number, path.to_owned(), served);
        tracing::info!(mountpoint = %path.display(), "mounted");
        Ok(found)
    }

    /// Counts a mount as one of these that is served already.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "no daemon is followed by another there")
    )]
    pub(crate) async fn adopt(self: &Arc<Self>, number: u64, mountpoint: PathBuf, served: Served) {
        let mut state = self.live.lock().await;
        self.add(&mut state, number, mountpoint, served);
    }

    fn add(self: &Arc<Self>, state: &mut State, number: u64, mountpoint: PathBuf, served: Served) {
        state.next = state.next.max(number + 1);
        tokio::spawn(Arc::clone(self).wait_for_end(number, served.end()));
        state.mounts.push(Live { number, mountpoint, served, detached: false });
        self.remaining.send_replace(state.mounts.len());
    }

    /// Does something with each mount.
    #[cfg_attr(windows, expect(dead_code, reason = "no daemon is followed by another there"))]
    pub(crate) async fn each(&self, act: impl Fn(&Served)) {
        let state = self.live.lock().await;
        tokio::task::block_in_place(|| state.mounts.iter().for_each(|live| act(&live.served)));
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
        self.platform.unmount(&live.served, path, lazy).await?;
        live.detached = true;
        let mut ended = live.served.end();
        let number = live.number;
        drop(state);
        remove_directory(path).await;
        tracing::info!(mountpoint = %path.display(), lazy, "unmounted");
        // An unmount that the system granted ends at once; a lazy one with its last file.
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

    /// Somebody may have taken mounts away; what is open is served on. `look` tells which still
    /// stand.
    pub(crate) async fn detach_vanished<S>(
        &self,
        look: impl FnOnce() -> Result<S, DaemonError> + Send + 'static,
    ) -> Result<(), DaemonError>
    where
        S: Fn(&Served) -> bool + Send + 'static,
    {
        let mut state = self.live.lock().await;
        // Looked at under the lock: a mount made meanwhile would be missing.
        let stands = blocking(look).await?;
        let gone = |live: &&mut Live| !live.detached && !stands(&live.served);
        for live in state.mounts.iter_mut().filter(gone) {
            live.detached = true;
            tracing::info!(mountpoint = %live.mountpoint.display(), "unmounted from outside");
            remove_directory(&live.mountpoint).await;
        }
        Ok(())
    }

    pub(crate) async fn list(&self) -> Vec<LiveMount> {
        let state = self.live.lock().await;
        let describe = |live: &Live| LiveMount {
            mountpoint: live.mountpoint.clone(),
            mode: live.served.mode().to_owned(),
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
            remove_directory(&live.mountpoint).await;
            tracing::info!(mountpoint = %live.mountpoint.display(), "unmounted from outside");
        }
        state.over = state.mounts.is_empty();
        self.remaining.send_replace(state.mounts.len());
        self.platform.ended(number, &live.mountpoint).await;
    }
}

async fn remove_directory(path: &Path) {
    let place = path.to_owned();
    let removed = blocking(move || {
        remove_mountpoint(&place);
        Ok(())
    });
    // Only a panic in it could fail, and that is logged by then.
    let _ = removed.await;
}
