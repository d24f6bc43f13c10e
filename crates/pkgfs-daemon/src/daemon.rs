//! The daemon from its start to its end.
//!
//! Order matters: the mountpoint is looked at before a store is made; the store's lock
//! is taken before its socket is touched, and the socket stands before the view is
//! open, so that a second command waits for an answer instead of starting a rival. At
//! the end the socket goes first, the lock last.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_origin::Origin;
use pkgfs_store::Store;
use tokio::{
    net::UnixListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::{
    DaemonError, MountOrder, Mounted, Settings, control_socket,
    holder::{Inheritance, Keeper},
    log_file, mountpoint,
    mounts::{Mounts, blocking},
    outside,
    places::log_path,
    public,
    server::{self, Desk},
    startup::{self, Opened, Surroundings},
};

/// How long those who still have files open are served after a signal to stop.
const LINGER: Duration = Duration::from_secs(10);

/// How long requests under way, and what has arrived, may take before another daemon takes over:
/// whatever is left then is asked for again.
const HAND_OVER: Duration = Duration::from_millis(200);

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
        // Already a leader only if started by hand; then there is nothing to leave.
        let _ = rustix::process::setsid();
    }
    std::env::set_current_dir("/").map_err(system("leave the current directory"))?;
    let holds = presence == Presence::Background && order.settings.hand_over;
    in_runtime(serve_new(order, log, holds, ready))
}

/// Goes on for a daemon that has died; started by the process that held its mounts.
///
/// # Errors
/// Whatever kept it from going on; the holder tries again.
pub fn take_over() -> Result<(), DaemonError> {
    let inheritance = Keeper::inherit().map_err(system("take over a mount"))?;
    let log = log_path(&inheritance.settings.store);
    log_file::start(&inheritance.settings.log_level, Some(&log))?;
    in_runtime(go_on(inheritance, log))
}

fn in_runtime(daemon: impl Future<Output = Result<(), DaemonError>>) -> Result<(), DaemonError> {
    startup::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(system("start threads"))?;
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
struct Daemon {
    settings: Settings,
    log: PathBuf,
    listener: UnixListener,
    stop: Stop,
    origin: Origin,
    opened: Opened,
    notes: Vec<String>,
    keeper: Option<Arc<Keeper>>,
}

/// The signals that end a daemon.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> Result<Self, DaemonError> {
        let listen = |kind| signal(kind).map_err(system("listen for signals"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn serve_new(
    order: MountOrder,
    log: PathBuf,
    holds: bool,
    ready: impl FnOnce(&Mounted) + Send,
) -> Result<(), DaemonError> {
    let mut stop = Stop::listen()?;
    let settings = order.settings.clone();
    let (place, directory) = (order.mountpoint.clone(), settings.store.clone());
    let store = blocking(move || {
        let recovered = mountpoint::examine(&place, &directory)?;
        Ok((recovered, Arc::new(Store::open(&directory)?)))
    });
    let (found, store) = store.await?;
    let listener = listen(&settings.store)?;
    tracing::info!(store = %settings.store.display(), "started");
    let opening = async {
        let origin = startup::start_origin(&settings)?;
        let surroundings = startup::look_around(&settings, &origin).await?;
        let notes = surroundings.notes.clone();
        let (keeper, succession) = if holds {
            let (settings, surroundings, lock) =
                (settings.clone(), surroundings.clone(), store.lock()?);
            let started = blocking(move || {
                Keeper::start(&settings, &surroundings, lock)
                    .map_err(system("start the process that holds the mount"))
            });
            started.await.map(|(keeper, succession)| (Some(keeper), Some(succession)))?
        } else {
            (None, None)
        };
        let opened =
            startup::open(&settings, surroundings, Arc::clone(&store), origin.clone(), succession);
        Ok((origin, notes, keeper, opened?))
    };
    let opened = tokio::select! {
        opened = opening => opened,
        () = stop.told() => Err(DaemonError::Stopping),
    };
    let (origin, notes, keeper, opened) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            control_socket::remove(&settings.store);
            return Err(error);
        }
    };
    let daemon = Daemon { settings, log, listener, stop, origin, opened, notes, keeper };
    daemon
        .serve(async |desk| {
            let mut mounted = desk.mount(&order).await?;
            mounted.recovered |= found == mountpoint::Readiness::Recovered;
            ready(&mounted);
            Ok(())
        })
        .await
}

/// Serves what another has served.
async fn go_on(inheritance: Inheritance, log: PathBuf) -> Result<(), DaemonError> {
    let Inheritance { keeper, settings, surroundings, lock, succession, mounts, former } =
        inheritance;
    let stop = Stop::listen()?;
    let directory = settings.store.clone();
    let store = blocking(move || Ok(Arc::new(Store::take_over(&directory, lock)?))).await?;
    let listener = listen(&settings.store)?;
    let Surroundings { notes, .. } = surroundings.clone();
    let origin = startup::start_origin(&settings)?;
    let opened = startup::open(&settings, surroundings, store, origin.clone(), Some(succession))?;
    let keeper = Some(keeper);
    let daemon = Daemon { settings, log, listener, stop, origin, opened, notes, keeper };
    daemon
        .serve(async |desk| {
            for mount in mounts {
                desk.mounts.take_over(mount, former.into()).await?;
            }
            desk.view.tell_what_is_in_doubt();
            Ok(())
        })
        .await
}

impl Daemon {
    /// Serves, once `begin` has mounted something, until the last mount is gone.
    async fn serve(
        self,
        begin: impl AsyncFnOnce(&Desk) -> Result<(), DaemonError>,
    ) -> Result<(), DaemonError> {
        let Self { settings, log, listener, mut stop, origin, opened, notes, keeper } = self;
        let Opened { view, rez_worker } = opened;
        let store = settings.store.clone();
        let mounts =
            Mounts::new(Arc::clone(&view), store.clone(), settings.clone(), keeper.clone());
        let (successor, mut succeeded) = watch::channel(false);
        let desk = Arc::new(Desk {
            view: Arc::clone(&view),
            mounts: Arc::clone(&mounts),
            settings,
            log,
            notes,
            started: std::time::SystemTime::now(),
            keeper: keeper.clone(),
            successor,
        });
        let begun = begin(&desk).await;
        if begun.is_ok() {
            if let Some(keeper) = &keeper {
                keeper.serving().await;
            }
            let watching = tokio::spawn(outside::watch(Arc::clone(&mounts)));
            let (finish, finished) = watch::channel(false);
            let public = public::listen(&desk.settings).map(|listener| {
                let done = until(finished.clone());
                tokio::spawn(server::serve_all(listener, Arc::clone(&desk), done))
            });
            let answering = tokio::spawn(server::serve(listener, desk, until(finished)));
            let is_succeeded = tokio::select! {
                () = all_gone(&mounts) => false,
                () = stop.told() => {
                    unmount_all(&mounts).await;
                    false
                }
                _ = succeeded.wait_for(|succeeded| *succeeded) => true,
            };
            watching.abort();
            control_socket::remove(&store);
            if let Some(public) = public {
                control_socket::remove_public(&store);
                public.abort();
            }
            finish.send_replace(true);
            // A caller that never reads its answer is not waited for.
            let _ = tokio::time::timeout(Duration::from_secs(2), answering).await;
            if is_succeeded {
                let _ = tokio::time::timeout(HAND_OVER, view.settle()).await;
                mounts.let_lie(HAND_OVER).await;
                tracing::info!("another program takes over");
                // Nothing is closed or dropped: the kernel is told nothing by who goes.
                std::process::exit(0);
            }
        } else {
            control_socket::remove(&store);
        }
        if tokio::time::timeout(LINGER, view.settle()).await.is_err() {
            tracing::warn!("ending, although something under way has not come to rest");
        }
        origin.stop().await;
        if let Some(rez_worker) = rez_worker {
            rez_worker.stop().await;
        }
        // A daemon that could not go on is followed by another try.
        if let Some(keeper) = keeper.filter(|_| begun.is_ok() || mounts.is_empty()) {
            keeper.done().await;
        }
        begun
    }
}

fn listen(store: &Path) -> Result<UnixListener, DaemonError> {
    control_socket::listen(store)
        .map_err(|source| DaemonError::Socket { path: control_socket::path(store), source })
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

fn system(action: &'static str) -> impl FnOnce(io::Error) -> DaemonError {
    move |source| DaemonError::System { action, source }
}
