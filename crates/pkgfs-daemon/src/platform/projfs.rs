//! Mounts through ProjFS. No daemon is followed by another here: what was read of a mount stays
//! readable when its daemon dies, and the next `pkgfs mount` takes the root over.

pub mod mount_table;
mod record;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use pkgfs_projfs::{Mount, MountOptions};
use pkgfs_store::Store;
use pkgfs_view::{Succession, View};
use pkgfs_win32::{ownership, shared_dir};
use tokio::{
    sync::{Mutex, watch},
    time::sleep,
};

use super::{Readiness, make_mountpoint, remove_mountpoint};
use crate::{
    DaemonError, HandOver, Presence, Settings, blocking::blocking, mounts::Mounts,
    settings::ModeKey, startup::Surroundings, system_error,
};
use mount_table::PathState;
use record::Record;

pub(crate) use pkgfs_projfs::MountError;

/// Between two looks at whether roots are still there.
const LOOK: Duration = Duration::from_secs(5);

/// A mode was asked for that is another system's.
#[derive(Debug, thiserror::Error)]
#[error("the setting mode is for FUSE, and files are projected here: set mode to auto")]
pub struct ModeError;

/// What a daemon has of its system: what stands in the records of what is mounted.
pub(crate) struct Platform {
    records: Mutex<BTreeMap<u64, Record>>,
}

/// A mount that is served.
pub(crate) struct Served {
    root: PathBuf,
    mount: Arc<Mount>,
}

/// Makes the root's directory, with its parents, so that what rez does in it is for those who are let
/// in: with `allow_other` everybody works there, without it nobody else enters. One that is there keeps
/// what its user gave it.
pub(super) fn make_directory(path: &Path, allow_other: bool) -> io::Result<()> {
    let Some(above) = path.parent() else { return fs::create_dir_all(path) };
    fs::create_dir_all(above)?;
    match if allow_other { shared_dir::make(path) } else { ownership::make_private_dir(path) } {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

impl Platform {
    /// Starts what a new daemon needs of its system.
    pub(crate) async fn start(
        _presence: Presence,
        settings: &Settings,
        _surroundings: &Surroundings,
        _store: &Store,
    ) -> Result<(Self, Option<Succession>), DaemonError> {
        if settings.mode != ModeKey::Auto {
            return Err(ModeError.into());
        }
        Ok((Self { records: Mutex::default() }, None))
    }

    /// Mounts at a place, unless it is mounted there already: nothing is served then.
    pub(crate) async fn mount(
        &self,
        number: u64,
        path: &Path,
        view: &Arc<View>,
        settings: &Settings,
    ) -> Result<(Readiness, Option<Served>), DaemonError> {
        let (root, store, view) = (path.to_owned(), settings.store.clone(), Arc::clone(view));
        let options = MountOptions { threads: settings.session_threads() };
        let allow_other = settings.allow_other;
        let runtime = tokio::runtime::Handle::current();
        let (found, started) = blocking(move || {
            let found = examine(&root, &store)?;
            if found == Readiness::Mounted {
                return Ok((found, None));
            }
            make_mountpoint(&root, allow_other)?;
            match Mount::start(view, &root, options, runtime) {
                Ok(mount) => {
                    let record = Record::write(&root, &store)
                        .map_err(system_error("note what is mounted"))?;
                    Ok((found, Some((mount, record, root))))
                }
                Err(error) => {
                    remove_mountpoint(&root);
                    Err(error.into())
                }
            }
        })
        .await?;
        let Some((mount, record, root)) = started else { return Ok((found, None)) };
        self.records.lock().await.insert(number, record);
        Ok((found, Some(Served { root, mount: Arc::new(mount) })))
    }

    /// Takes away what is shown.
    pub(crate) async fn unmount(
        &self,
        served: &Served,
        _path: &Path,
        lazy: bool,
    ) -> Result<(), DaemonError> {
        let mount = Arc::clone(&served.mount);
        blocking(move || Ok(mount.unmount(lazy)?)).await
    }

    /// A mount has ended.
    pub(crate) async fn ended(&self, number: u64, _path: &Path) {
        if let Some(record) = self.records.lock().await.remove(&number) {
            record.remove();
        }
    }

    /// The daemon serves.
    pub(crate) async fn serving(&self) {}

    /// The daemon is about to end.
    pub(crate) async fn done(&self) {}

    /// For `status`.
    pub(crate) async fn hand_over(&self) -> HandOver {
        HandOver::default()
    }

    /// Nobody can take over.
    pub(crate) async fn upgrade(&self, _program: PathBuf) -> Result<(), DaemonError> {
        Err(DaemonError::NoHolder)
    }

    /// Nobody ever takes over.
    pub(crate) async fn succeeded(&self) -> Successor {
        std::future::pending().await
    }
}

/// Another program is to take over: that is never so.
pub(crate) struct Successor(Infallible);

impl Successor {
    pub(crate) async fn give_way(self, _view: &View, _mounts: &Mounts) -> ! {
        match self.0 {}
    }
}

impl Served {
    /// Becomes true when the mount is gone.
    pub(crate) fn end(&self) -> watch::Receiver<bool> {
        self.mount.ended()
    }

    /// How files are served, for `status`.
    pub(crate) fn mode(&self) -> &'static str {
        self.mount.mode().name()
    }
}

/// Looks at the place. What another store's daemon left there goes; what this store's left is taken
/// over with the mount.
pub(crate) fn examine(path: &Path, store: &Path) -> Result<Readiness, DaemonError> {
    let owned = || path.to_owned();
    match mount_table::state_of(path) {
        PathState::Missing | PathState::EmptyDirectory => Ok(Readiness::Free),
        PathState::MountOf { source, .. } if source == store => Ok(Readiness::Mounted),
        PathState::MountOf { fstype, source } => {
            Err(DaemonError::OtherMount { path: owned(), what: source, fstype })
        }
        PathState::Stale { source, .. } if source == store => Ok(Readiness::Recovered),
        PathState::Stale { .. } => {
            pkgfs_projfs::clear(path)?;
            Ok(Readiness::Recovered)
        }
        PathState::NotADirectory => Err(DaemonError::NotADirectory { path: owned() }),
        PathState::NonEmptyDirectory => Err(DaemonError::NotEmpty { path: owned() }),
        PathState::Unreadable { reason } => Err(DaemonError::Unreadable { path: owned(), reason }),
    }
}

/// Watches for roots that somebody took away, until the daemon ends.
pub(crate) async fn watch(mounts: Arc<Mounts>) {
    let look = || Ok(|served: &Served| served.root.exists());
    loop {
        sleep(LOOK).await;
        if let Err(error) = mounts.detach_vanished(look).await {
            tracing::warn!(%error, "roots could not be looked at");
        }
    }
}

/// Another daemon cannot take over here.
///
/// # Errors
/// Always.
pub fn take_over() -> Result<(), DaemonError> {
    Err(DaemonError::NoHolder)
}

/// Nothing is held for another daemon here.
#[must_use]
pub fn holder_main() -> ExitCode {
    ExitCode::FAILURE
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `S-1-1-0`
    const EVERYONE: &str = "S-1-1-0";

    #[test]
    fn a_root_that_is_made_lets_in_whom_it_is_for() {
        let dir = tempfile::tempdir().unwrap();
        for allow_other in [false, true] {
            let root = dir.path().join("root");
            make_directory(&root, allow_other).unwrap();
            let found = ownership::others(&root).unwrap();
            assert_eq!(found.iter().any(|other| other == EVERYONE), allow_other, "{found:?}");
            fs::write(root.join("file"), "").unwrap();
            fs::remove_dir_all(&root).unwrap();
        }
    }

    #[test]
    fn a_root_that_is_there_keeps_its_own_list() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        ownership::make_private(&root).unwrap();
        let before = ownership::others(&root).unwrap();
        make_directory(&root, true).unwrap();
        assert_eq!(ownership::others(&root).unwrap(), before);
    }
}
