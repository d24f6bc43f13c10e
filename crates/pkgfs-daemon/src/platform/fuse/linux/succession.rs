//! A daemon that goes on for another.

use std::{path::PathBuf, sync::Arc};

use pkgfs_fuse::{Connection, Former, mode_for};
use pkgfs_store::Store;
use pkgfs_view::View;

use super::{
    Platform, Served,
    holder::{Inheritance, Keeper, MountToKeep},
    serve,
};
use crate::{
    DaemonError, Settings,
    blocking::blocking,
    daemon::{self, Daemon},
    log_file,
    places::log_path,
    startup::{self, Surroundings},
    system_error,
};

/// Goes on for a daemon that has died; started by the process that held its mounts.
///
/// # Errors
/// Whatever kept it from going on; the holder tries again.
pub fn take_over() -> Result<(), DaemonError> {
    let inheritance = Keeper::inherit().map_err(system_error("take over a mount"))?;
    let log = log_path(&inheritance.settings.store);
    log_file::start(&inheritance.settings.log_level, Some(&log))?;
    daemon::in_runtime(go_on(inheritance, log))
}

impl Platform {
    /// Goes on serving a mount of a daemon that has died; none if it was unmounted meanwhile.
    async fn resume(
        &self,
        to_keep: MountToKeep,
        former: Former,
        view: &Arc<View>,
        settings: &Settings,
    ) -> Result<Option<(u64, PathBuf, Served)>, DaemonError> {
        let MountToKeep { mount, device, open_files } = to_keep;
        let mode = mode_for(settings.mode.into(), settings.allow_other)?;
        let connection = Connection::inherited(device, mount.init, open_files, former);
        match serve(mount.id, connection, mode, view, settings).await? {
            Ok(served) => Ok(Some((mount.number, mount.mountpoint, served))),
            Err(error) => {
                let path = mount.mountpoint.display();
                tracing::warn!(%error, mountpoint = %path, "not taken over");
                self.ended(mount.number, &mount.mountpoint).await;
                Ok(None)
            }
        }
    }
}

/// Serves what another has served.
async fn go_on(inheritance: Inheritance, log: PathBuf) -> Result<(), DaemonError> {
    let Inheritance { keeper, settings, surroundings, lock, succession, mounts, former } =
        inheritance;
    let stop = crate::sys::Stop::listen().map_err(system_error("listen for signals"))?;
    let directory = settings.store.clone();
    let store = blocking(move || Ok(Arc::new(Store::take_over(&directory, lock)?))).await?;
    let listener = daemon::listen(&settings.store)?;
    let Surroundings { notes, .. } = surroundings.clone();
    let origin = startup::start_origin(&settings)?;
    let opened = startup::open(&settings, surroundings, store, origin.clone(), Some(succession))?;
    let platform = Arc::new(Platform::new(Some(keeper)));
    let daemon = Daemon { settings, log, listener, stop, origin, opened, notes, platform };
    daemon
        .serve(async |desk| {
            for mount in mounts {
                let resumed =
                    desk.platform.resume(mount, former.into(), &desk.view, &desk.settings).await?;
                if let Some((number, mountpoint, served)) = resumed {
                    tracing::info!(mountpoint = %mountpoint.display(), "taken over");
                    desk.mounts.adopt(number, mountpoint, served).await;
                }
            }
            desk.view.tell_what_is_in_doubt();
            Ok(())
        })
        .await
}
