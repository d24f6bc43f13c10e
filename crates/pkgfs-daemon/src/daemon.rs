//! The daemon from its start to its end.
//!
//! Order matters: the mountpoint is looked at before a store is made; the store's lock
//! is taken before its socket is touched, and the socket stands before the view is
//! open, so that a second command waits for an answer instead of starting a rival. At
//! the end the socket goes first, the lock last.

use std::{io, path::Path, sync::Arc, time::Duration};

use pkgfs_store::Store;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    DaemonError, MountOrder, Mounted, control_socket, log_file, mountpoint,
    mounts::{Mounts, blocking},
    outside,
    places::log_path,
    public,
    server::{self, Desk},
    startup::{self, Opened},
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
        // Already a leader only if started by hand; then there is nothing to leave.
        let _ = rustix::process::setsid();
    }
    std::env::set_current_dir("/").map_err(system("leave the current directory"))?;
    startup::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(system("start threads"))?;
    let result = runtime.block_on(serve(order, &log, ready));
    // A thread that hangs in the kernel must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match &result {
        Ok(()) => tracing::info!("ended"),
        Err(error) => tracing::error!("{error}"),
    }
    result
}

async fn serve(
    order: MountOrder,
    log: &Path,
    ready: impl FnOnce(&Mounted) + Send,
) -> Result<(), DaemonError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(system("listen for signals"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("listen for signals"))?;
    let settings = order.settings.clone();
    let (place, directory) = (order.mountpoint.clone(), settings.store.clone());
    let store = blocking(move || {
        let recovered = mountpoint::examine(&place, &directory)?;
        Ok((recovered, Arc::new(Store::open(&directory)?)))
    });
    let (found, store) = store.await?;
    let socket = control_socket::path(&settings.store);
    let listener = control_socket::listen(&settings.store)
        .map_err(|source| DaemonError::Socket { path: socket, source })?;
    tracing::info!(store = %settings.store.display(), "started");

    let opened = tokio::select! {
        opened = startup::open(&settings, Arc::clone(&store)) => opened,
        _ = terminate.recv() => Err(DaemonError::Stopping),
        _ = interrupt.recv() => Err(DaemonError::Stopping),
    };
    let Opened { view, origin, rez_worker, notes } = match opened {
        Ok(opened) => opened,
        Err(error) => {
            control_socket::remove(&settings.store);
            return Err(error);
        }
    };
    let mounts = Mounts::new(Arc::clone(&view), settings.store.clone(), settings.clone());
    let desk = Arc::new(Desk {
        view: Arc::clone(&view),
        mounts: Arc::clone(&mounts),
        settings: settings.clone(),
        log: log.to_owned(),
        notes,
        started: std::time::SystemTime::now(),
    });
    let mounted = desk.mount(&order).await;
    let result = match mounted {
        Err(error) => Err(error),
        Ok(mut mounted) => {
            mounted.recovered |= found == mountpoint::Readiness::Recovered;
            ready(&mounted);
            let watching = tokio::spawn(outside::watch(Arc::clone(&mounts)));
            let (finish, finished) = watch::channel(false);
            let public = public::listen(&settings).map(|listener| {
                let done = until(finished.clone());
                tokio::spawn(server::serve_all(listener, Arc::clone(&desk), done))
            });
            let answering = tokio::spawn(server::serve(listener, desk, until(finished)));
            tokio::select! {
                () = all_gone(&mounts) => {}
                _ = terminate.recv() => stop(&mounts).await,
                _ = interrupt.recv() => stop(&mounts).await,
            }
            watching.abort();
            control_socket::remove(&settings.store);
            if let Some(public) = public {
                control_socket::remove_public(&settings.store);
                public.abort();
            }
            finish.send_replace(true);
            // A caller that never reads its answer is not waited for.
            let _ = tokio::time::timeout(Duration::from_secs(2), answering).await;
            Ok(())
        }
    };
    if result.is_err() {
        control_socket::remove(&settings.store);
    }
    if tokio::time::timeout(LINGER, view.settle()).await.is_err() {
        tracing::warn!("ending, although something under way has not come to rest");
    }
    origin.stop().await;
    if let Some(rez_worker) = rez_worker {
        rez_worker.stop().await;
    }
    result
}

async fn until(mut finished: watch::Receiver<bool>) {
    // A sender that is gone has finished too.
    let _ = finished.wait_for(|finished| *finished).await;
}

async fn all_gone(mounts: &Mounts) {
    let _ = mounts.remaining().wait_for(|remaining| *remaining == 0).await;
}

/// Told to stop: those who have files open are served for a while.
async fn stop(mounts: &Mounts) {
    tracing::info!("told to stop");
    mounts.unmount_all().await;
    if tokio::time::timeout(LINGER, all_gone(mounts)).await.is_err() {
        tracing::warn!("ending, although files of a detached mount are still open");
    }
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> DaemonError {
    move |source| DaemonError::System { action, source }
}
