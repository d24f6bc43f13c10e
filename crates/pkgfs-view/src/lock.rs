//! rez's lock, seen from the file system.
//!
//! rez takes its lock by hard-linking a file of its own to `.sys/.lock.lock`
//! (vendor/lockfile/linklockfile.py). Two things follow. What the view registers by
//! itself must not fall between two steps of a rez that holds the lock, so both go
//! through [`RezLock::exclusive`]. And a rez that was killed leaves the link for good:
//! here its holder is known, so a dead one's lock is broken.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use pkgfs_manifest::os_name::bytes_of;
use tokio::sync::{MutexGuard, Notify};

use crate::{sys, writable::os_name};

/// The name that decides who holds rez's lock, in `.sys`.
pub(crate) const LOCK_NAME: &[u8] = b".lock.lock";

/// A lock whose holder cannot be told is believed for this long; rez holds its lock for
/// as long as it takes to write two small files, and gives up waiting after 10 s.
const BELIEVED: Duration = Duration::from_secs(60);

/// How long a registration of our own waits for a live holder.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct RezLock {
    sys: PathBuf,
    /// Held while the view registers, and while a rez takes the lock.
    ours: tokio::sync::Mutex<()>,
    /// Who made each file in `.sys` that may become the lock: thread or process.
    makers: Mutex<HashMap<Box<[u8]>, u32>>,
    freed: Notify,
}

/// Somebody else holds rez's lock and did not let go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held;

impl RezLock {
    pub(crate) fn new(sys: PathBuf) -> Self {
        Self {
            sys,
            ours: tokio::sync::Mutex::new(()),
            makers: Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// A file was made in `.sys` that may come to hold the lock.
    pub(crate) fn made(&self, name: &[u8], pid: u32) {
        if pid != 0 {
            self.makers.lock().insert(name.into(), pid);
        }
    }

    /// A name in `.sys` was unlinked.
    pub(crate) fn unlinked(&self, name: &[u8]) {
        if name == LOCK_NAME {
            self.freed.notify_waiters();
        } else {
            self.makers.lock().remove(name);
        }
    }

    /// For a rez about to link the lock: excludes the view's own registrations.
    pub(crate) async fn taking(&self) -> MutexGuard<'_, ()> {
        self.ours.lock().await
    }

    /// For a registration of the view's own: while the guard lives, no rez holds the
    /// lock or takes it. Does not wait for a lock that the caller itself holds.
    pub(crate) async fn exclusive(&self, caller: u32) -> Result<MutexGuard<'_, ()>, Held> {
        let patience = tokio::time::Instant::now() + PATIENCE;
        loop {
            let guard = self.ours.lock().await;
            // Asked for before looking, so that no release is missed in between.
            let freed = self.freed.notified();
            self.break_if_abandoned();
            if !self.path().exists() {
                return Ok(guard);
            }
            drop(guard);
            if caller != 0 && self.holder() == Some(caller) {
                return Err(Held);
            }
            // A holder that dies says nothing: look again now and then.
            let again = (tokio::time::Instant::now() + Duration::from_millis(100)).min(patience);
            if tokio::time::timeout_at(again, freed).await.is_err()
                && tokio::time::Instant::now() >= patience
            {
                return Err(Held);
            }
        }
    }

    /// Removes a lock whose holder is gone. Told in the log.
    pub(crate) fn break_if_abandoned(&self) {
        let path = self.path();
        let Ok(data) = fs::symlink_metadata(&path) else { return };
        let twin = self.twin();
        let known = twin.as_deref().and_then(|name| self.makers.lock().get(name).copied());
        let age = data
            .modified()
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok())
            .unwrap_or_default();
        let named = twin.as_deref().and_then(|name| std::str::from_utf8(name).ok());
        let abandoned = match (known, named.and_then(pkgfs_rez::LockOwner::parse)) {
            (Some(pid), _) if sys::is_alive(pid) => false,
            // The thread that took it may have ended before its process did.
            (Some(_), Some(owner)) if owner.host == sys::host_name() => {
                !owner.pids.iter().any(|pid| sys::is_alive(*pid))
            }
            (Some(_), _) => true,
            (None, Some(owner)) if owner.host == sys::host_name() => {
                !owner.pids.iter().any(|pid| sys::is_alive(*pid))
            }
            // Without a second name it is being released, or its holder died doing so.
            (None, None) if twin.is_none() => age > Duration::from_secs(5),
            (None, _) => age > BELIEVED,
        };
        if !abandoned || sys::remove_file(&path).is_err() {
            return;
        }
        tracing::warn!(
            holder = named.unwrap_or("unknown"),
            "rez's lock was left by a process that is gone; it has been removed"
        );
        if let Some(name) = twin {
            let _ = sys::remove_file(&self.sys.join(os_name(&name).unwrap_or_default()));
            self.makers.lock().remove(&name);
        }
        self.freed.notify_waiters();
    }

    fn path(&self) -> PathBuf {
        self.sys.join(".lock.lock")
    }

    /// Who holds the lock, where it was taken through this daemon.
    fn holder(&self) -> Option<u32> {
        self.makers.lock().get(&self.twin()?).copied()
    }

    /// The other name of the lock file: `<host>-<thread>.<pid><n>`.
    fn twin(&self) -> Option<Box<[u8]>> {
        let lock = sys::file_id(&self.path()).ok()?;
        fs::read_dir(&self.sys).ok()?.filter_map(Result::ok).find_map(|entry| {
            let name = entry.file_name();
            let name = bytes_of(&name);
            let twin = name != LOCK_NAME && sys::file_id(&entry.path()).ok()? == lock;
            twin.then(|| name.into())
        })
    }
}
