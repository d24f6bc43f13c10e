//! One file under way, as those see it who wait for it.

use std::{fs::File, ops::Range, sync::Arc, time::Instant};

use parking_lot::Mutex;
use pkgfs_origin::{CHUNK, Fetch, Fetched, OriginError};
use tokio::sync::{mpsc, watch};

use super::Local;
use crate::{
    ViewError,
    spans::Spans,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// One file under way.
pub(crate) struct Flight {
    /// For a large file; a small one arrives in one piece.
    pub(super) filling: Option<Filling>,
    pub(super) stage: watch::Receiver<Stage>,
    /// Somebody asked for it: a failure is told. Set with all flights locked.
    pub(super) asked: AtomicBool,
}

/// A large file being filled.
pub(super) struct Filling {
    file: Arc<File>,
    orders: mpsc::UnboundedSender<Order>,
    /// Those who wait for some of it.
    readers: AtomicUsize,
    /// When somebody last did.
    read: Mutex<Instant>,
    /// What was ordered of it, in whole chunks.
    ordered: Mutex<Spans>,
    /// All of it was ordered.
    whole: AtomicBool,
}

/// What is to be done for a large file.
pub(super) enum Order {
    /// Somebody reads these bytes.
    Bytes(Range<u64>),
    /// Somebody will read these, and nothing near them.
    Foreseen(Range<u64>),
    /// It is wanted whole.
    All,
    /// It is not wanted any more.
    LetGo,
}

/// What a reader is told.
pub(crate) enum Reached {
    /// The bytes are here; whether all others are, too.
    Here(Local, bool),
    /// The flight was let go: there is to be another.
    LetGo,
    /// The store has them by now.
    Kept,
}

/// Somebody waits for some of a file.
struct Waiting<'a>(&'a Filling);

impl<'a> Waiting<'a> {
    fn begin(filling: &'a Filling) -> Self {
        filling.readers.fetch_add(1, Ordering::Relaxed);
        *filling.read.lock() = Instant::now();
        Self(filling)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Filling {
    pub(super) fn new(file: Arc<File>, orders: mpsc::UnboundedSender<Order>, whole: bool) -> Self {
        Self {
            file,
            orders,
            readers: AtomicUsize::new(0),
            read: Mutex::new(Instant::now()),
            ordered: Mutex::default(),
            whole: AtomicBool::new(whole),
        }
    }

    /// When somebody last waited for some of it, if nobody does and it is not wanted whole.
    pub(super) fn rests_since(&self) -> Option<Instant> {
        let rests = self.readers.load(Ordering::Relaxed) == 0 && !self.is_whole();
        rests.then(|| *self.read.lock())
    }

    /// Whether all of it was ordered.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }

    pub(super) fn order(&self, order: Order) {
        // Nobody takes orders for a flight that has ended.
        let _ = self.orders.send(order);
    }

    /// Orders these bytes, once. Those that are in place only if they go on where others were
    /// ordered: how a reader goes on tells what it will come to.
    fn order_bytes(&self, bytes: &Range<u64>, in_place: bool) {
        let chunks = bytes.start - bytes.start % CHUNK..bytes.end.next_multiple_of(CHUNK);
        {
            let mut ordered = self.ordered.lock();
            let goes_on = chunks.start > 0 && ordered.cover(&(chunks.start - 1..chunks.start));
            if ordered.cover(&chunks) || (in_place && !goes_on) {
                return;
            }
            ordered.add(chunks.clone());
        }
        self.order(Order::Bytes(chunks));
    }

    pub(super) fn order_all(&self) {
        if !self.whole.swap(true, Ordering::Relaxed) {
            self.order(Order::All);
        }
    }
}

#[derive(Clone)]
pub(super) enum Stage {
    /// These bytes are in place.
    Filling(Spans),
    Whole(Local),
    /// The store has it.
    Kept,
    Failed(ViewError),
    LetGo,
}

impl Flight {
    /// Of a file that the store has by now.
    pub(super) fn kept() -> Self {
        let (_, stage) = watch::channel(Stage::Kept);
        Self { filling: None, stage, asked: AtomicBool::new(false) }
    }

    /// What is to be told about a large file that is not whole yet.
    pub(super) fn filling(&self) -> Option<&Filling> {
        let fills = matches!(&*self.stage.borrow(), Stage::Filling(_));
        self.filling.as_ref().filter(|_| fills)
    }

    /// Waits until these bytes are in place.
    pub(crate) async fn reach(&self, bytes: Range<u64>) -> Result<Reached, ViewError> {
        let Some(filling) = &self.filling else { return self.reached(bytes).await };
        let _waiting = Waiting::begin(filling);
        self.reached(bytes).await
    }

    /// The same for bytes that nobody waits for yet, but will.
    pub(crate) async fn foresee(&self, bytes: Range<u64>) -> Result<Reached, ViewError> {
        let _waiting = self.filling.as_ref().map(Waiting::begin);
        if let Some(filling) = self.filling() {
            filling.order(Order::Foreseen(bytes.clone()));
        }
        self.covered(bytes).await
    }

    async fn reached(&self, bytes: Range<u64>) -> Result<Reached, ViewError> {
        let in_place = match &*self.stage.borrow() {
            Stage::Filling(spans) => Some(spans.cover(&bytes)),
            Stage::Whole(_) | Stage::Kept | Stage::Failed(_) | Stage::LetGo => None,
        };
        if let Some((in_place, filling)) = in_place.zip(self.filling.as_ref()) {
            filling.order_bytes(&bytes, in_place);
        }
        self.covered(bytes).await
    }

    async fn covered(&self, bytes: Range<u64>) -> Result<Reached, ViewError> {
        let mut stage = self.stage.clone();
        let reached = stage
            .wait_for(|stage| match stage {
                Stage::Filling(spans) => spans.cover(&bytes),
                Stage::Whole(_) | Stage::Kept | Stage::Failed(_) | Stage::LetGo => true,
            })
            .await
            .map_err(|_| ViewError::Failed)?;
        match &*reached {
            Stage::Failed(error) => Err(error.clone()),
            Stage::LetGo => Ok(Reached::LetGo),
            Stage::Kept => Ok(Reached::Kept),
            Stage::Whole(local) => Ok(Reached::Here(local.clone(), true)),
            Stage::Filling(_) => {
                let filling = self.filling.as_ref().ok_or(ViewError::Failed)?;
                Ok(Reached::Here(Local::File(Arc::clone(&filling.file)), false))
            }
        }
    }

    /// Waits until it has ended, and tells how.
    pub(crate) async fn outcome(&self) -> Result<(), ViewError> {
        let mut stage = self.stage.clone();
        let landed = stage.wait_for(|stage| !matches!(stage, Stage::Filling(_))).await;
        match landed.as_deref() {
            Ok(Stage::Failed(error)) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err(ViewError::Failed),
        }
    }

    /// Whether it has ended without bringing the file.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(&*self.stage.borrow(), Stage::Failed(_))
    }

    /// Whether somebody asked for it.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Bytes in place while it is under way.
    pub(crate) fn arrived(&self) -> u64 {
        match &*self.stage.borrow() {
            Stage::Filling(spans) => spans.total(),
            Stage::Whole(_) | Stage::Kept | Stage::Failed(_) | Stage::LetGo => 0,
        }
    }

    /// Waits until it has ended, and tells whether well.
    pub(crate) async fn landed(&self) -> bool {
        let mut stage = self.stage.clone();
        let landed = stage.wait_for(|stage| !matches!(stage, Stage::Filling(_))).await;
        // An error says that whoever flew it is gone: that is an end, too.
        matches!(landed.as_deref(), Ok(Stage::Whole(_) | Stage::Kept))
    }
}

/// Has a large file filled as is ordered; nothing if it was let go.
pub(super) async fn fill(
    mut fetch: Fetch,
    stage: &watch::Sender<Stage>,
    mut ordered: mpsc::UnboundedReceiver<Order>,
) -> Result<Option<Fetched>, OriginError> {
    loop {
        tokio::select! {
            more = fetch.progress() => {
                let Some(more) = more else { break };
                stage.send_modify(|stage| {
                    if let Stage::Filling(spans) = stage {
                        more.into_iter().for_each(|bytes| spans.add(bytes));
                    }
                });
            }
            Some(order) = ordered.recv() => match order {
                Order::Bytes(bytes) => fetch.want(bytes),
                Order::Foreseen(bytes) => fetch.foresee(bytes),
                Order::All => fetch.want_all(),
                Order::LetGo => return Ok(None),
            },
        }
    }
    fetch.finish().await.map(Some)
}
