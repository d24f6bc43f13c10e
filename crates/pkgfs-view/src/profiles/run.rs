//! What is fetched ahead of one launch: in which order, and how much of it may lie unread.
//!
//! The bound: of what a launch had fetched and nobody has read, there are never more bytes and
//! files than the settings say; what is read makes room for more. No more directories are listed
//! than files may lie unread. A launch that is over, and one for which origin failed, fetches
//! nothing more.

use std::{
    cmp::Ordering as Order,
    collections::{BinaryHeap, HashSet},
    ops::Range,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use pkgfs_store::{Directory, FileKey, RegistrationId};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{Amount, View, ViewError, hydration::SMALL};

/// What may be fetched for one launch and lie unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub bytes: u64,
    pub files: u64,
}

/// What is fetched ahead of one launch.
pub(crate) struct Run {
    limits: Limits,
    unread: watch::Sender<Amount>,
    listed: AtomicU64,
    /// Files that are being fetched.
    fetching: AtomicUsize,
    over: watch::Sender<bool>,
    small: mpsc::UnboundedSender<Wish>,
    large: mpsc::UnboundedSender<Wish>,
    /// Variants whose profiles are followed.
    led: Mutex<HashSet<RegistrationId>>,
}

/// A file to be fetched; the greatest is the one that is touched first.
pub(super) struct Wish {
    pub(super) rank: u32,
    pub(super) directory: Arc<Directory>,
    pub(super) index: usize,
    /// Of a large file, what is read first.
    pub(super) spans: Vec<Range<u64>>,
}

impl Run {
    /// For a launch that begins. Must be called inside a tokio runtime.
    pub(super) fn begin(view: &Arc<View>, limits: Limits) -> Arc<Self> {
        let (small, small_wishes) = mpsc::unbounded_channel();
        let (large, large_wishes) = mpsc::unbounded_channel();
        let run = Arc::new(Self {
            limits,
            unread: watch::channel(Default::default()).0,
            listed: AtomicU64::new(0),
            fetching: AtomicUsize::new(0),
            over: watch::channel(Default::default()).0,
            small,
            large,
            led: Mutex::default(),
        });
        let ahead = &view.profiles.ahead;
        for (wishes, turns) in [(small_wishes, &ahead.small), (large_wishes, &ahead.large)] {
            let (view, run, turns) = (Arc::downgrade(view), Arc::clone(&run), Arc::clone(turns));
            tokio::spawn(async move {
                let mut over = run.over.subscribe();
                tokio::select! {
                    // The sender is the run's own.
                    _ = over.wait_for(|over| *over) => {}
                    () = run.serve(wishes, &turns, &view) => {}
                }
            });
        }
        run
    }

    /// Nothing more is fetched.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    pub(super) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Whether no profile is followed yet.
    pub(super) fn begins(&self) -> bool {
        self.led.lock().is_empty()
    }

    /// Whether a profile of this variant is followed.
    pub(super) fn leads(&self, registration: RegistrationId) -> bool {
        self.led.lock().contains(&registration)
    }

    /// A profile of this variant is followed from now on; `false` if one is already.
    pub(super) fn lead(&self, registration: RegistrationId) -> bool {
        self.led.lock().insert(registration)
    }

    /// The variants whose profiles are followed.
    pub(super) fn led(&self) -> HashSet<RegistrationId> {
        self.led.lock().clone()
    }

    /// Whether anything is being fetched.
    pub(super) fn is_busy(&self) -> bool {
        self.fetching.load(Ordering::Relaxed) > 0
    }

    /// Whether one more directory may be listed; it is taken to be.
    pub(super) fn may_list(&self) -> bool {
        self.listed.fetch_add(1, Ordering::Relaxed) < self.limits.files && !self.is_over()
    }

    /// Asks for a file to be fetched.
    pub(super) fn wish(&self, wish: Wish) {
        let wishes = if wish.size() <= SMALL { &self.small } else { &self.large };
        // A run that is over takes none.
        let _ = wishes.send(wish);
    }

    /// Fetches what is wished for, what is touched first before the rest, as there is room.
    async fn serve(
        self: &Arc<Self>,
        mut wishes: mpsc::UnboundedReceiver<Wish>,
        turns: &Arc<Semaphore>,
        view: &Weak<View>,
    ) {
        let mut waiting = BinaryHeap::new();
        loop {
            while let Ok(wish) = wishes.try_recv() {
                waiting.push(wish);
            }
            let Some(wish) = waiting.pop() else {
                match wishes.recv().await {
                    Some(wish) => waiting.push(wish),
                    None => return,
                }
                continue;
            };
            let size = wish.size();
            if size > self.limits.bytes || self.limits.files == 0 {
                continue;
            }
            let mut unread = self.unread.subscribe();
            let fits = |unread: &Amount| {
                unread.files < self.limits.files && unread.bytes + size <= self.limits.bytes
            };
            if unread.wait_for(fits).await.is_err() {
                return;
            }
            let Ok(turn) = Arc::clone(turns).acquire_owned().await else { return };
            let Some(view) = view.upgrade() else { return };
            // Small and large files share the room: what was there may be taken by now.
            if view.is_needed(&wish) && self.take(size) {
                let run = Arc::clone(self);
                run.fetching.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    view.fetch_profiled(&run, &wish, turn).await;
                    run.fetching.fetch_sub(1, Ordering::Relaxed);
                });
            } else if view.is_needed(&wish) {
                waiting.push(wish);
            }
        }
    }

    fn take(&self, size: u64) -> bool {
        self.unread.send_if_modified(|unread| {
            let fits = unread.files < self.limits.files && unread.bytes + size <= self.limits.bytes;
            if fits {
                unread.files += 1;
                unread.bytes += size;
            }
            fits
        })
    }

    /// A file that lay unread was read, or could not be had.
    pub(super) fn give_back(&self, size: u64) {
        self.unread.send_modify(|unread| {
            unread.files -= 1;
            unread.bytes -= size;
        });
    }

    /// Something could not be had. A file that is not what it was says nothing of others; anything
    /// else is storage's trouble.
    pub(super) fn failed(&self, error: &ViewError) {
        if !matches!(error, ViewError::Stale | ViewError::NotFound | ViewError::Denied) {
            tracing::debug!(%error, "nothing more is fetched ahead of a launch");
            self.end();
        }
    }
}

impl Wish {
    pub(super) fn key(&self) -> FileKey {
        FileKey { directory: self.directory.id, entry: self.index as u32 }
    }

    pub(super) fn size(&self) -> u64 {
        self.directory.listing.entries()[self.index].attributes.size
    }
}

impl Ord for Wish {
    fn cmp(&self, other: &Self) -> Order {
        other.rank.cmp(&self.rank)
    }
}

impl PartialOrd for Wish {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Wish {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Wish {}
