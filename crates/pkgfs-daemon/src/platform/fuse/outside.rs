//! Noticing what others do to our mounts.
//!
//! A mount that somebody detached (`umount -l`) keeps its connection for as long as a
//! file is open, so its end is no sign; what is mounted is. The directory
//! that was mounted on is then removed at once: rez would fill it.

use std::{collections::HashSet, io, sync::Arc};

use super::{
    Served,
    system::{Changes, READ, WATCH},
};
use crate::{DaemonError, mounts::Mounts};

/// Watches until the daemon ends.
pub(crate) async fn watch(mounts: Arc<Mounts>) {
    if let Err(error) = follow(&mounts).await {
        tracing::warn!(%error, "changes of the mount table are not noticed from here on");
    }
}

async fn follow(mounts: &Mounts) -> Result<(), DaemonError> {
    let mut changes = Changes::follow().map_err(failed)?;
    loop {
        mounts.detach_vanished(standing).await?;
        changes.next().await.map_err(failed)?;
    }
}

fn failed(source: io::Error) -> DaemonError {
    DaemonError::System { action: WATCH, source }
}

/// Which mounts stand in the mount table.
fn standing() -> Result<impl Fn(&Served) -> bool + Send + 'static, DaemonError> {
    let there =
        pkgfs_fuse::mounts().map_err(|source| DaemonError::System { action: READ, source })?;
    let there: HashSet<u64> = there.into_iter().map(|mount| mount.id).collect();
    Ok(move |served: &Served| served.id.is_none_or(|id| there.contains(&id)))
}
