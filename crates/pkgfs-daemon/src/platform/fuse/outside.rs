//! Noticing what others do to our mounts.
//!
//! A mount that somebody detached (`umount -l`) keeps its connection for as long as a
//! file is open, so its end is no sign; but the kernel wakes whoever polls
//! `/proc/self/mountinfo` at each change of the mount table (proc(5)). The directory
//! that was mounted on is then removed at once: rez would fill it.

use std::{collections::HashSet, fs::File, io, sync::Arc, thread};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc;

use super::Served;
use crate::{DaemonError, mounts::Mounts};

/// Watches until the daemon ends.
pub(crate) async fn watch(mounts: Arc<Mounts>) {
    if let Err(error) = follow(&mounts).await {
        tracing::warn!(%error, "changes of the mount table are not noticed from here on");
    }
}

async fn follow(mounts: &Mounts) -> Result<(), DaemonError> {
    let table = File::open("/proc/self/mountinfo").map_err(system)?;
    // One message stands for any number of changes.
    let (changed, mut changes) = mpsc::channel(1);
    let thread = thread::Builder::new().name("mount-table".into()).spawn(move || {
        while wait_for_change(&table).is_ok() {
            if let Err(mpsc::error::TrySendError::Closed(())) = changed.try_send(()) {
                break;
            }
        }
    });
    thread.map_err(system)?;
    loop {
        mounts.detach_vanished(standing).await?;
        if changes.recv().await.is_none() {
            return Err(system(io::Error::other("it cannot be polled")));
        }
    }
}

fn system(source: io::Error) -> DaemonError {
    DaemonError::System { action: "watch /proc/self/mountinfo", source }
}

fn wait_for_change(table: &File) -> rustix::io::Result<()> {
    let mut polled = [PollFd::new(table, PollFlags::PRI)];
    rustix::io::retry_on_intr(|| poll(&mut polled, None)).map(drop)
}

/// Which mounts stand in the mount table.
fn standing() -> Result<impl Fn(&Served) -> bool + Send + 'static, DaemonError> {
    let there = pkgfs_fuse::mounts()
        .map_err(|source| DaemonError::System { action: "read /proc/self/mountinfo", source })?;
    let there: HashSet<u64> = there.into_iter().map(|mount| mount.id).collect();
    Ok(move |served: &Served| served.id.is_none_or(|id| there.contains(&id)))
}
