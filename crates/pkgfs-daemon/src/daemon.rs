//! The daemon from its start to its end.
//!
//! Order matters: the mountpoint is looked at before a store is made; the store's lock
//! is taken before its socket is touched, and the socket stands before the view is
//! open, so that a second command waits for an answer instead of starting a rival. At
//! the end the socket goes first, the lock last.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_origin::Origin;
use pkgfs_store::Store;
use tokio::sync::watch;

use crate::{
    DaemonError, MountOrder, Mounted, Settings,
    blocking::blocking,
    control, log_file,
    mounts::Mounts,
    places::log_path,
    platform::{self, Platform, Readiness},
    public,
    server::{self, Desk},
    startup::{self, Opened},
    sys::{self, Stop},
    system_error,
};

/// How long those who still have files open are served after a signal to stop.
const LINGER: Duration = Duration::from_secs(10);

/// Where the daemon lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// In the terminal: the log goes to standard error.
    Foreground,
    /// In a session of its own: the log goes to its file.
    Background,
}

/// Serves a store until its last mount is gone. `ready` is called once, when the first
/// mount answers.
///
/// # Errors
/// Whatever kept it from starting; nothing is left mounted then.
pub fn run(
    order: MountOrder,
    presence: Presence,
    ready: impl FnOnce(&Mounted) + Send,
) -> Result<(), DaemonError> {
    let log = log_path(&order.settings.store);
    let file = (presence == Presence::Background).then_some(log.as_path());
    log_file::start(&order.settings.log_level, file)?;
    if presence == Presence::Background {
        sys::leave_terminal();
    }
    std::env::set_current_dir(sys::root_directory())
        .map_err(system_error("leave the current directory"))?;
    in_runtime(serve_new(order, log, presence, ready))
}

/// Runs a daemon, and tells its end.
pub(crate) fn in_runtime(
    daemon: impl Future<Output = Result<(), DaemonError>>,
) -> Result<(), DaemonError> {
    sys::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(system_error("start threads"))?;
    let result = runtime.block_on(daemon);
    // A thread that hangs in the kernel must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match &result {
        Ok(()) => tracing::info!("ended"),
        Err(error) => tracing::error!("{error}"),
    }
    result
}

/// A daemon with its store open, before or after it serves.
pub(crate) struct Daemon {
    pub(crate) settings: Settings,
    pub(crate) log: PathBuf,
    pub(crate) listener: control::Listener,
    pub(crate) stop: Stop,
    pub(crate) origin: Origin,
    pub(crate) opened: Opened,
    pub(crate) notes: Vec<String>,
    pub(crate) platform: Arc<Platform>,
}

async fn serve_new(
    order: MountOrder,
    log: PathBuf,
    presence: Presence,
    ready: impl FnOnce(&Mounted) + Send,
) -> Result<(), DaemonError> {
    let mut stop = Stop::listen().map_err(system_error("listen for signals"))?;
    let settings = order.settings.clone();
    let (place, directory) = (order.mountpoint.clone(), settings.store.clone());
    let store = blocking(move || {
        let recovered = platform::examine(&place, &directory)?;
        Ok((recovered, Arc::new(Store::open(&directory)?)))
    });
    let (found, store) = store.await?;
    let listener = listen(&settings.store)?;
    tracing::info!(store = %settings.store.display(), "started");
    let opening = async {
        let origin = startup::start_origin(&settings)?;
        let surroundings = startup::look_around(&settings, &origin).await?;
        let notes = surroundings.notes.clone();
        let (platform, succession) =
            Platform::start(presence, &settings, &surroundings, &store).await?;
        let opened =
            startup::open(&settings, surroundings, Arc::clone(&store), origin.clone(), succession);
        Ok((origin, notes, Arc::new(platform), opened?))
    };
    let opened = tokio::select! {
        opened = opening => opened,
        () = stop.told() => Err(DaemonError::Stopping),
    };
    let (origin, notes, platform, opened) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            control::remove(&settings.store);
            return Err(error);
        }
    };
    let daemon = Daemon { settings, log, listener, stop, origin, opened, notes, platform };
    daemon
        .serve(async |desk| {
            let mut mounted = desk.mount(&order).await?;
            mounted.recovered |= found == Readiness::Recovered;
            ready(&mounted);
            Ok(())
        })
        .await
}

impl Daemon {
    /// Serves, once `begin` has mounted something, until the last mount is gone.
    pub(crate) async fn serve(
        self,
        begin: impl AsyncFnOnce(&Desk) -> Result<(), DaemonError>,
    ) -> Result<(), DaemonError> {
        let Self { settings, log, listener, mut stop, origin, opened, notes, platform } = self;
        let Opened { view, rez_worker } = opened;
        let store = settings.store.clone();
        let mounts = Mounts::new(Arc::clone(&view), settings.clone(), Arc::clone(&platform));
        let desk = Arc::new(Desk {
            view: Arc::clone(&view),
            mounts: Arc::clone(&mounts),
            settings,
            log,
            notes,
            started: std::time::SystemTime::now(),
            platform: Arc::clone(&platform),
        });
        let begun = begin(&desk).await;
        if begun.is_ok() {
            platform.serving().await;
            let watching = tokio::spawn(platform::watch(Arc::clone(&mounts)));
            let (finish, finished) = watch::channel(false);
            let public = public::listen(&desk.settings).map(|listener| {
                let done = until(finished.clone());
                tokio::spawn(server::serve_all(listener, Arc::clone(&desk), done))
            });
            let answering = tokio::spawn(server::serve(listener, desk, until(finished)));
            let successor = tokio::select! {
                () = all_gone(&mounts) => None,
                () = stop.told() => {
                    unmount_all(&mounts).await;
                    None
                }
                successor = platform.succeeded() => Some(successor),
            };
            watching.abort();
            control::remove(&store);
            if let Some(public) = public {
                control::remove_public(&store);
                public.abort();
            }
            finish.send_replace(true);
            // A caller that never reads its answer is not waited for.
            let _ = tokio::time::timeout(Duration::from_secs(2), answering).await;
            if let Some(successor) = successor {
                successor.give_way(&view, &mounts).await;
            }
        } else {
            control::remove(&store);
        }
        if tokio::time::timeout(LINGER, view.settle()).await.is_err() {
            tracing::warn!("ending, although something under way has not come to rest");
        }
        origin.stop().await;
        if let Some(rez_worker) = rez_worker {
            rez_worker.stop().await;
        }
        // A daemon that could not go on is followed by another try.
        if begun.is_ok() || mounts.is_empty() {
            platform.done().await;
        }
        begun
    }
}

/// Listens for the store's owner.
pub(crate) fn listen(store: &Path) -> Result<control::Listener, DaemonError> {
    control::listen(store)
        .map_err(|source| DaemonError::Socket { path: control::path(store), source })
}

async fn until(mut finished: watch::Receiver<bool>) {
    // A sender that is gone has finished too.
    let _ = finished.wait_for(|finished| *finished).await;
}

async fn all_gone(mounts: &Mounts) {
    let _ = mounts.remaining().wait_for(|remaining| *remaining == 0).await;
}

/// Told to stop: those who have files open are served for a while.
async fn unmount_all(mounts: &Mounts) {
    tracing::info!("told to stop");
    mounts.unmount_all().await;
    if tokio::time::timeout(LINGER, all_gone(mounts)).await.is_err() {
        tracing::warn!("ending, although files of a detached mount are still open");
    }
}
