//! Mounts through FUSE; on Linux kept by a holder when the daemon dies.

mod mode;
pub mod mount_table;
mod outside;
mod place;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pkgfs_fuse::{Connection, Mode, Mount, MountRequest, SessionOptions, mode_for, mount_at};
use pkgfs_store::Store;
use pkgfs_view::{Succession, View};
use tokio::sync::watch;

use super::{Readiness, make_mountpoint, remove_mountpoint};
use crate::{
    DaemonError, HandOver, Presence, Settings, blocking::blocking, mounts::Mounts,
    startup::Surroundings, system_error,
};
use system::{HANDS_OVER, Keeper};

pub(crate) use outside::watch;
pub(crate) use pkgfs_fuse::{ModeError, MountError};
pub(crate) use place::examine;
pub use system::{holder_main, take_over};

/// How long requests under way, and what has arrived, may take before another daemon takes over:
/// whatever is left then is asked for again.
const HAND_OVER: Duration = Duration::from_millis(200);

/// What a daemon has of its system.
pub(crate) struct Platform {
    /// Who keeps the mounts when this process dies.
    keeper: Option<Arc<Keeper>>,
    /// Becomes true when another program is to take over.
    successor: watch::Sender<bool>,
}

/// A mount that is served.
pub(crate) struct Served {
    /// The kernel's number of the mount, while it stands in the mount table.
    id: Option<u64>,
    mount: Mount,
}

/// Another program is to take over.
pub(crate) struct Successor;

/// Makes the directory to mount on, with its parents. Who may enter is the mount's own affair.
pub(super) fn make_directory(path: &Path, _allow_other: bool) -> io::Result<()> {
    fs::create_dir_all(path)
}

impl Platform {
    fn new(keeper: Option<Arc<Keeper>>) -> Self {
        Self { keeper, successor: watch::Sender::new(false) }
    }

    /// Starts what a new daemon needs of its system; with the files that the view is to note in.
    pub(crate) async fn start(
        presence: Presence,
        settings: &Settings,
        surroundings: &Surroundings,
        store: &Store,
    ) -> Result<(Self, Option<Succession>), DaemonError> {
        if settings.origin.keep_acls {
            return Err(DaemonError::NoAccessLists);
        }
        if presence == Presence::Foreground || !settings.hand_over || !HANDS_OVER {
            return Ok((Self::new(None), None));
        }
        let (settings, surroundings, lock) =
            (settings.clone(), surroundings.clone(), store.lock()?);
        let started = blocking(move || {
            Keeper::start(&settings, &surroundings, lock)
                .map_err(system_error("start the process that holds the mount"))
        });
        let (keeper, succession) = started.await?;
        Ok((Self::new(Some(keeper)), Some(succession)))
    }

    /// Mounts at a place, unless it is mounted there already: nothing is served then.
    pub(crate) async fn mount(
        &self,
        number: u64,
        path: &Path,
        view: &Arc<View>,
        settings: &Settings,
    ) -> Result<(Readiness, Option<Served>), DaemonError> {
        let (place, store) = (path.to_owned(), settings.store.clone());
        let allow_other = settings.allow_other;
        let mode = mode_for(settings.mode.into(), allow_other)?;
        let (found, device) = blocking(move || {
            let found = examine(&place, &store)?;
            if found == Readiness::Mounted {
                return Ok((found, None));
            }
            make_mountpoint(&place, allow_other)?;
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
        let Some(device) = device else { return Ok((found, None)) };
        let (place, keeper) = (path.to_owned(), self.keeper.clone());
        let connected = blocking(move || {
            let id = mount_at(&place).ok().flatten().map(|mount| mount.id);
            Ok(Connection::new(device).and_then(|connection| {
                if let Some(keeper) = keeper.filter(|_| connection.can_be_inherited()) {
                    // Before the kernel hears anything.
                    keeper.mounted(number, &place, id, &connection)?;
                }
                Ok((id, connection))
            }))
        });
        let started = match connected.await? {
            Ok((id, connection)) => serve(id, connection, mode, view, settings).await?,
            Err(error) => Err(error),
        };
        match started {
            Ok(served) => Ok((found, Some(served))),
            Err(source) => {
                let mountpoint = path.to_owned();
                self.discard(path, number).await;
                Err(DaemonError::Session { mountpoint, source })
            }
        }
    }

    /// Takes a mount out of the tree of files.
    pub(crate) async fn unmount(
        &self,
        _served: &Served,
        path: &Path,
        lazy: bool,
    ) -> Result<(), DaemonError> {
        let place = path.to_owned();
        blocking(move || Ok(pkgfs_fuse::unmount(&place, lazy)?)).await
    }

    /// A mount has ended.
    pub(crate) async fn ended(&self, number: u64, _path: &Path) {
        if let Some(keeper) = &self.keeper {
            keeper.unmounted(number).await;
        }
    }

    /// The daemon serves.
    pub(crate) async fn serving(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.serving().await;
        }
    }

    /// Nothing is to be kept any more.
    pub(crate) async fn done(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.done().await;
        }
    }

    /// For `status`.
    pub(crate) async fn hand_over(&self) -> HandOver {
        match &self.keeper {
            Some(keeper) => keeper.status().await,
            None => HandOver::default(),
        }
    }

    /// Has another program take over.
    pub(crate) async fn upgrade(&self, program: PathBuf) -> Result<(), DaemonError> {
        let keeper = self.keeper.as_ref().ok_or(DaemonError::NoHolder)?;
        if !keeper.upgrade(program).await {
            return Err(DaemonError::HolderSilent);
        }
        self.successor.send_replace(true);
        Ok(())
    }

    /// Waits until another program is to take over.
    pub(crate) async fn succeeded(&self) -> Successor {
        // The sender lives as long as this.
        let _ = self.successor.subscribe().wait_for(|succeeded| *succeeded).await;
        Successor
    }

    async fn discard(&self, path: &Path, number: u64) {
        self.ended(number, path).await;
        let place = path.to_owned();
        let discarded = blocking(move || {
            if let Err(error) = pkgfs_fuse::unmount(&place, true) {
                tracing::error!(%error, "a mount that could not be served stays");
            }
            remove_mountpoint(&place);
            Ok(())
        });
        // Only a panic in it could fail, and that is logged by then.
        let _ = discarded.await;
    }
}

impl Successor {
    /// Ends this process, so that another can go on.
    pub(crate) async fn give_way(self, view: &View, mounts: &Mounts) -> ! {
        let _ = tokio::time::timeout(HAND_OVER, view.settle()).await;
        mounts.each(|served| served.mount.let_lie(HAND_OVER)).await;
        tracing::info!("another program takes over");
        // Nothing is closed or dropped: the kernel is told nothing by who goes.
        std::process::exit(0);
    }
}

impl Served {
    /// Becomes true when the mount is gone and nobody has a file of it open.
    pub(crate) fn end(&self) -> watch::Receiver<bool> {
        self.mount.ended()
    }

    /// How files are served, for `status`.
    pub(crate) fn mode(&self) -> &'static str {
        self.mount.mode().name()
    }
}

async fn serve(
    id: Option<u64>,
    connection: Connection,
    mode: Mode,
    view: &Arc<View>,
    settings: &Settings,
) -> Result<io::Result<Served>, DaemonError> {
    let (view, runtime) = (Arc::clone(view), tokio::runtime::Handle::current());
    let options = SessionOptions { threads: settings.session_threads(), mode };
    let started = blocking(move || Ok(Mount::start(view, connection, options, runtime))).await?;
    Ok(started.map(|mount| Served { id, mount }))
}
