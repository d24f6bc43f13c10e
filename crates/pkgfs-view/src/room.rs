//! Keeping the store within its bounds.
//!
//! There are two: what the store may hold (the *quota*), and what others find free on its disk (the
//! *floor*). They are looked at after whatever was made durable, when a write did not fit, and now
//! and then, since others fill the disk, too. Beyond them, blobs go, the one used longest ago
//! first; which may go the store says, and what somebody has open stays. Where too little may
//! go, nothing more is kept: what is read comes from origin and is not written anywhere.
//!
//! The same while the disk refuses for another reason (it was made read-only, or fails). It is asked
//! again every few seconds, and all goes on as before once it takes something.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use pkgfs_manifest::BlobDigest;
use pkgfs_store::{StoreError, Usage};
use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    View, ViewError,
    problems::Problems,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    view::blocking,
};

/// How often the bounds are looked at, whatever happens.
pub(crate) const EVERY: Duration = Duration::from_secs(10);
/// How often a disk that refused a write is asked again.
const REFUSED: Duration = Duration::from_secs(2);
/// After a look that made too little room, the next one is not before: it reads the use of all
/// blobs.
const HOPELESS: Duration = Duration::from_secs(30);
/// A request waits for room no longer than this.
const LONGEST: Duration = Duration::from_secs(10);
/// More goes than must, so that the next file does not need the same again: this part of a bound.
const SLACK: u64 = 20;

/// No more than this part of a disk is left free.
const SMALL_DISK: u64 = 10;

/// How much the store may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of blobs and partial files; without it as many as the floor allows.
    pub quota: Option<u64>,
    /// Bytes that are to be free on the disk.
    pub floor: u64,
}

/// How the store does within its bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RoomStatus {
    /// What the store may hold, if that is bounded.
    pub quota: Option<u64>,
    /// What is to be free on the disk.
    pub floor: u64,
    /// Blobs that went since the start, and their bytes.
    pub evicted_blobs: u64,
    /// Their bytes.
    pub evicted_bytes: u64,
    /// Nothing more is kept: too little may go, or the disk refuses.
    pub full: bool,
    /// Why the disk refuses.
    pub refused: Option<String>,
}

impl StoreLimits {
    /// Bytes beyond the bounds, and how many are to go for them.
    fn excess(&self, usage: &Usage) -> Option<(u64, u64)> {
        let held = usage.blob_bytes + usage.partial_bytes;
        let over = self.quota.map_or(0, |quota| held.saturating_sub(quota));
        // A disk that does not tell its size is not judged by it.
        let told = usage.disk_total > 0;
        // Of a disk that is hardly larger than the floor, a part.
        let floor = self.floor.min(usage.disk_total / SMALL_DISK);
        let short = if told { floor.saturating_sub(usage.disk_available) } else { 0 };
        let slack = |excess: u64, bound: u64| if excess > 0 { excess + bound / SLACK } else { 0 };
        let going = slack(over, self.quota.unwrap_or(0)).max(slack(short, floor));
        (going > 0).then(|| (over.max(short), going))
    }
}

/// Where room is asked for.
pub(crate) struct Room {
    limits: StoreLimits,
    bell: Notify,
    asked: mpsc::UnboundedSender<oneshot::Sender<()>>,
    full: AtomicBool,
    refused: Mutex<Option<Refused>>,
    problems: Arc<Problems>,
    evicted_blobs: AtomicU64,
    evicted_bytes: AtomicU64,
}

/// The disk does not take what is written.
struct Refused {
    asked: Instant,
    reason: String,
}

/// Those who ask for room.
pub(crate) type Asked = mpsc::UnboundedReceiver<oneshot::Sender<()>>;

impl Room {
    pub(crate) fn new(limits: StoreLimits, problems: Arc<Problems>) -> (Arc<Self>, Asked) {
        let (asked, receiver) = mpsc::unbounded_channel();
        let room = Self {
            limits,
            bell: Notify::new(),
            asked,
            full: AtomicBool::new(false),
            refused: Mutex::new(None),
            problems,
            evicted_blobs: AtomicU64::new(0),
            evicted_bytes: AtomicU64::new(0),
        };
        (Arc::new(room), receiver)
    }

    /// There may be more in the store than there should be.
    pub(crate) fn look(&self) {
        self.bell.notify_one();
    }

    /// The disk has refused a write.
    pub(crate) fn refused(&self, error: &impl ToString) {
        let reason = error.to_string();
        self.problems.tell(reason.clone());
        *self.refused.lock() = Some(Refused { asked: Instant::now(), reason });
        self.look();
    }

    /// Whether it is time to ask the disk again.
    fn is_to_be_asked(&self) -> bool {
        self.refused.lock().as_ref().is_some_and(|refused| refused.asked.elapsed() >= REFUSED)
    }

    /// Returns when room was made, if that could be, or it took too long.
    pub(crate) async fn make(&self) {
        let (sender, made) = oneshot::channel();
        // Nobody makes room any more once the view is gone.
        if self.asked.send(sender).is_ok() {
            let _ = tokio::time::timeout(LONGEST, made).await;
        }
    }

    /// Something was freed, or may go now: where nothing more was kept, there may be room again.
    pub(crate) async fn freed(&self) {
        if self.is_full() {
            self.make().await;
        }
    }

    /// How long nothing needs to be looked at.
    fn rest(&self, every: Duration) -> Duration {
        if self.refused.lock().is_some() { REFUSED } else { every }
    }

    /// Writes something to the store; once more, after room was made, if there was none.
    pub(crate) async fn fit<T: Send + 'static>(
        &self,
        write: impl Fn() -> Result<T, StoreError> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let write = Arc::new(write);
        let again = Arc::clone(&write);
        match blocking(move || write()).await {
            Err(StoreError::NoSpace { .. }) => {
                self.make().await;
                blocking(move || again()).await
            }
            other => other,
        }
    }

    /// Whether a file of this size is never kept: all else would go for it, in vain.
    pub(crate) fn is_too_large(&self, size: u64) -> bool {
        self.limits.quota.is_some_and(|quota| size > quota)
    }

    /// Whether nothing more is to be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.refused.lock().is_some()
    }

    pub(crate) fn status(&self) -> RoomStatus {
        RoomStatus {
            quota: self.limits.quota,
            floor: self.limits.floor,
            evicted_blobs: self.evicted_blobs.load(Ordering::Relaxed),
            evicted_bytes: self.evicted_bytes.load(Ordering::Relaxed),
            full: self.is_full(),
            refused: self.refused.lock().as_ref().map(|refused| refused.reason.clone()),
        }
    }
}

impl View {
    /// Keeps the store within its bounds for as long as the view lives; looks at them `every` so
    /// often, and when there is reason to.
    pub(crate) fn keep_within_bounds(self: &Arc<Self>, mut asked: Asked, every: Duration) {
        let (view, room) = (Arc::downgrade(self), Arc::clone(&self.room));
        tokio::spawn(async move {
            let mut hopeless: Option<Instant> = None;
            loop {
                let mut waiting = Vec::new();
                tokio::select! {
                    first = asked.recv() => waiting.extend(first),
                    () = room.bell.notified() => {}
                    () = tokio::time::sleep(room.rest(every)) => {}
                }
                // All who ask meanwhile are served by one look.
                while let Ok(more) = asked.try_recv() {
                    waiting.push(more);
                }
                let Some(view) = view.upgrade() else { return };
                if room.is_to_be_asked() {
                    view.ask_the_disk().await;
                }
                if !waiting.is_empty() || hopeless.is_none_or(|at| at.elapsed() >= HOPELESS) {
                    let enough = view.make_room().await.unwrap_or_else(|error| {
                        view.problems.tell(format!("no room could be made in the store: {error}"));
                        false
                    });
                    hopeless = (!enough).then(Instant::now);
                    view.room.full.store(!enough, Ordering::Relaxed);
                }
                // Who asked may have stopped waiting.
                waiting.into_iter().for_each(|waiting| _ = waiting.send(()));
            }
        });
    }

    /// Asks a disk that has refused a write whether it takes something by now.
    async fn ask_the_disk(self: &Arc<Self>) {
        let store = Arc::clone(&self.store);
        match blocking(move || store.probe()).await {
            Ok(()) => {
                *self.room.refused.lock() = None;
                tracing::info!("the disk of the store takes what is written again");
                for registration in self.payloads.forget_passing() {
                    self.show_anew(registration);
                }
            }
            Err(error) => {
                let reason = error.to_string();
                *self.room.refused.lock() = Some(Refused { asked: Instant::now(), reason });
            }
        }
    }

    /// Has blobs go as far as the bounds want it. Whether the store is within them.
    pub(crate) async fn make_room(self: &Arc<Self>) -> Result<bool, ViewError> {
        let store = Arc::clone(&self.store);
        let usage = blocking(move || Ok::<_, ViewError>(store.usage())).await?;
        let Some((excess, going)) = self.room.limits.excess(&usage) else { return Ok(true) };
        // The order is that of the last use up to now.
        self.recency.write(&self.store).await;
        // What platforms only keep open for the next reader is not in use.
        self.notices.let_go_of_blobs().await;
        let spared = self.blobs_in_use()?;
        let store = Arc::clone(&self.store);
        let evicted = blocking(move || store.evict(going, &spared)).await?;
        self.open_blobs.forget_blobs(&evicted.blobs.iter().copied().collect());
        self.notices.let_go_of_blobs().await;
        let blobs = evicted.blobs.len() as u64;
        self.room.evicted_blobs.fetch_add(blobs, Ordering::Relaxed);
        self.room.evicted_bytes.fetch_add(evicted.bytes, Ordering::Relaxed);
        if blobs > 0 {
            tracing::info!(blobs, bytes = evicted.bytes, "made room in the store");
        }
        let enough = evicted.bytes >= excess;
        if !enough {
            self.hydration.let_all_rest_go();
            self.problems.tell(
                "the store is full, and what it holds is pinned, in use or copied in by rez: what is \
                 read is not kept; unpin variants, free space on its disk or raise room.quota_megabytes"
                    .to_owned(),
            );
        }
        Ok(enough)
    }

    /// The blobs of files that somebody has open.
    fn blobs_in_use(&self) -> Result<HashSet<BlobDigest>, ViewError> {
        let files = self.handles.files();
        let digests = files.into_iter().map(|file| self.digest_of(file));
        Ok(digests.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(blobs: u64, partial: u64, available: u64) -> Usage {
        Usage {
            blob_bytes: blobs,
            partial_bytes: partial,
            disk_total: 10_000,
            disk_available: available,
            ..Usage::default()
        }
    }

    #[test]
    fn what_is_over_either_bound_goes_and_a_little_more() {
        let limits = StoreLimits { quota: Some(1000), floor: 200 };
        assert_eq!(limits.excess(&usage(900, 100, 200)), None);
        assert_eq!(limits.excess(&usage(900, 101, 200)), Some((1, 51)));
        assert_eq!(limits.excess(&usage(900, 0, 199)), Some((1, 11)));
        assert_eq!(limits.excess(&usage(1100, 0, 0)), Some((200, 210)));
    }

    #[test]
    fn without_a_quota_the_floor_alone_bounds_it() {
        let limits = StoreLimits { quota: None, floor: 200 };
        assert_eq!(limits.excess(&usage(u64::MAX / 2, 0, 200)), None);
        assert_eq!(limits.excess(&usage(0, 0, 100)), Some((100, 110)));
    }

    #[test]
    fn of_a_small_disk_a_tenth_is_left_free() {
        let limits = StoreLimits { quota: None, floor: 1 << 30 };
        assert_eq!(limits.excess(&usage(9000, 0, 1000)), None);
        assert_eq!(limits.excess(&usage(9000, 0, 999)), Some((1, 51)));
    }

    #[test]
    fn a_disk_that_does_not_tell_its_size_is_not_full() {
        let limits = StoreLimits { quota: None, floor: 200 };
        let silent = Usage { disk_total: 0, ..usage(100, 0, 0) };
        assert_eq!(limits.excess(&silent), None);
    }
}
