//! macOS: mounts that end with their daemon, since its FUSE sends nothing again that was not answered.
//! Nothing here was ever run.

use std::{io, os::fd::OwnedFd, path::Path, path::PathBuf, process::ExitCode, sync::Arc};

use pkgfs_fuse::Connection;
use pkgfs_view::Succession;
use tokio::time::{Duration, sleep};

use crate::{DaemonError, HandOver, Settings, startup::Surroundings};

/// Where it is read what is mounted, for messages.
pub(super) const MOUNT_TABLE: &str = "the list of mounts";
/// What failed, where it could not be read.
pub(super) const READ: &str = "read the list of mounts";
/// The same where it could not be followed.
pub(super) const WATCH: &str = "watch the list of mounts";

/// No daemon can go on for another.
pub(super) const HANDS_OVER: bool = false;

/// Between two looks at what is mounted.
const LOOK: Duration = Duration::from_secs(5);

/// Who keeps mounts when their daemon dies: nobody.
pub(super) enum Keeper {}

impl Keeper {
    pub(super) fn start(
        _: &Settings,
        _: &Surroundings,
        _: OwnedFd,
    ) -> io::Result<(Arc<Self>, Succession)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn mounted(
        &self,
        _: u64,
        _: &Path,
        _: Option<u64>,
        _: &Connection,
    ) -> io::Result<()> {
        match *self {}
    }

    pub(super) async fn unmounted(&self, _: u64) {
        match *self {}
    }

    pub(super) async fn serving(&self) {
        match *self {}
    }

    pub(super) async fn upgrade(&self, _: PathBuf) -> bool {
        match *self {}
    }

    pub(super) async fn done(&self) {
        match *self {}
    }

    pub(super) async fn status(&self) -> HandOver {
        match *self {}
    }
}

/// Changes of what is mounted. Nothing tells of them: it is looked now and then.
pub(super) struct Changes;

impl Changes {
    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn follow() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits until there may be one.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        sleep(LOOK).await;
        Ok(())
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
