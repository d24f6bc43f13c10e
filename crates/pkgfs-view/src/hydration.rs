//! Bringing bytes from origin into the store, once, however many ask.
//!
//! The first read of a file that is not local starts a *flight*. A small file arrives in
//! one answer; for a large one the origin worker fills a partial file, the parts that
//! readers wait for first, the rest when storage is quiet or never. When it is whole, and
//! origin has not changed meanwhile, it goes to the committer, which makes many blobs durable
//! under one transaction. The flight stays known until then, so nobody asks origin again in
//! between.
//!
//! There are at most [`MOST_PARTIAL`] flights of large files of which nobody waits for
//! anything, since each holds descriptors: before there is one more, that of them which was
//! read from longest ago becomes whole at once, or, where the rest is never fetched, is let go
//! with its bytes: who reads it next begins another.
//!
//! Nobody waits without a deadline: origin gives up on a flight that makes no progress. A kernel
//! asks once more for what its own reading ahead did not get, on behalf of the same reader: for
//! [`STILL_LATE`] such a file is answered without another flight, or its reader would wait twice.

mod committer;
mod flight;

use std::{
    collections::HashMap,
    fs::File,
    path::PathBuf,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use futures::FutureExt;
use parking_lot::Mutex;
use pkgfs_manifest::FileState;
use pkgfs_origin::{Fetched, Origin, OriginError, Rest};
use pkgfs_store::{FileKey, Finished, Partial, Store};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::flight::{Flight, Reached};
use self::{
    committer::{BATCH, Work, commit_batches},
    flight::{Filling, Order, Stage, fill},
};
use crate::{
    ViewError,
    problems::Problems,
    room::Room,
    spans::Spans,
    sync::{
        self,
        atomic::{AtomicBool, Ordering},
        thread,
    },
};

/// Bytes that wait in memory to be made durable before those who fetch ahead wait, too.
const MOST_WAITING: u64 = 64 << 20;

/// Files up to this size come in one answer, and are served from memory until they are
/// committed.
pub(crate) const SMALL: u64 = 256 << 10;

/// Large files under way at most, but for those that somebody waits for.
const MOST_PARTIAL: usize = 64;

/// How long a file that origin did not give in time is not asked for again.
const STILL_LATE: Duration = Duration::from_millis(500);

/// What becomes of the bytes of a large file that nobody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestOfLargeFiles {
    /// They follow when storage is quiet.
    Background,
    /// They are not fetched.
    Never,
}

/// Who has a file fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Who reads some of it.
    Read,
    /// Who asked for all of it.
    Whole,
    /// Nobody: it is likely to be asked for. A failure is not told.
    Likely,
    /// The same of some parts of it.
    LikelyParts,
}

impl Need {
    fn is_asked(self) -> bool {
        matches!(self, Self::Read | Self::Whole)
    }

    fn is_whole(self) -> bool {
        matches!(self, Self::Whole | Self::Likely)
    }
}

/// What to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub key: FileKey,
    /// Where it lies at origin.
    pub source: PathBuf,
    /// What the listing said of it.
    pub state: FileState,
}

/// Bytes that are local: in a file of the store, or, until they are committed, in memory.
#[derive(Clone)]
pub(crate) enum Local {
    File(Arc<File>),
    Bytes(Arc<[u8]>),
}

/// How a flight under way ended.
enum Ended {
    Arrived(Local, Work),
    LetGo,
}

/// All flights of a view.
pub(crate) struct Hydration {
    origin: Origin,
    store: Arc<Store>,
    problems: Arc<Problems>,
    room: Arc<Room>,
    rest: RestOfLargeFiles,
    flights: Mutex<HashMap<FileKey, Arc<Flight>>>,
    /// When files were given up that origin did not give in time.
    late: Mutex<HashMap<FileKey, Instant>>,
    committer: sync::mpsc::Sender<(Work, Weak<Flight>)>,
    /// Bytes in memory, and files, that wait to be made durable.
    waiting: watch::Sender<(u64, usize)>,
}

impl Hydration {
    pub(crate) fn start(
        origin: Origin,
        store: Arc<Store>,
        problems: Arc<Problems>,
        room: Arc<Room>,
        rest: RestOfLargeFiles,
    ) -> std::io::Result<Arc<Self>> {
        let (committer, work) = sync::mpsc::channel();
        let hydration = Arc::new(Self {
            origin,
            store,
            problems,
            room,
            rest,
            flights: Mutex::default(),
            late: Mutex::default(),
            committer,
            waiting: watch::channel((0, 0)).0,
        });
        let weak = Arc::downgrade(&hydration);
        let store = Arc::clone(&hydration.store);
        thread::Builder::new()
            .name("committer".into())
            .spawn(move || commit_batches(&work, &store, &weak))?;
        Ok(hydration)
    }

    /// Whether a file is under way, or has arrived and is not durable yet.
    pub(crate) fn is_known(&self, file: FileKey) -> bool {
        self.flights.lock().contains_key(&file)
    }

    /// The flight of this file, if one is under way or has arrived and is not durable yet.
    pub(crate) fn known(&self, file: FileKey) -> Option<Arc<Flight>> {
        self.flights.lock().get(&file).cloned()
    }

    /// The flight of this file: the one under way, or a new one.
    pub(crate) fn fetch(
        self: &Arc<Self>,
        wanted: &Wanted,
        need: Need,
        on_change: impl FnOnce() + Send + 'static,
    ) -> Result<Arc<Flight>, ViewError> {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(&wanted.key) {
            flight.asked.fetch_or(need.is_asked(), Ordering::Relaxed);
            if let (Some(filling), true) = (&flight.filling, need.is_whole()) {
                filling.order_all();
            }
            return Ok(Arc::clone(flight));
        }
        // Its flight may have ended since the caller looked whether it is local: what is committed
        // is in the store before its flight is taken out. A store that cannot tell is no reason not
        // to fetch it.
        if matches!(self.store.content(wanted.key), Ok(Some(_))) {
            return Ok(Arc::new(Flight::kept()));
        }
        if self.is_late(wanted.key) {
            return Err(ViewError::TimedOut);
        }
        let (sender, stage) = watch::channel(Stage::Filling(Spans::default()));
        let hydration = Arc::clone(self);
        let wanted = wanted.clone();
        let key = wanted.key;
        let (filling, flying) = if wanted.state.size <= SMALL {
            let flying = async move { hydration.read(&wanted).await };
            (None, flying.left_future())
        } else {
            if self.room.is_full() || self.room.is_too_large(wanted.state.size) {
                return Err(ViewError::NotKept);
            }
            self.let_rest_go(&mut flights);
            let partial = self.partial()?;
            let failed = |error: std::io::Error| crate::error::local(&error);
            let file = Arc::new(partial.file().try_clone().map_err(failed)?);
            let into = partial.try_clone().map_err(failed)?;
            let (filled, stage) = (Arc::clone(&file), sender.clone());
            let (orders, ordered) = mpsc::unbounded_channel();
            let rest = match (need.is_whole(), self.rest) {
                (true, _) => Rest::AtOnce,
                (false, RestOfLargeFiles::Background) => Rest::WhenQuiet,
                (false, RestOfLargeFiles::Never) => Rest::Never,
            };
            let flying = async move {
                let fetch = hydration.origin.fetch(&wanted.source, wanted.state, into, rest);
                let filled_by = fill(fetch, &stage, ordered).await?;
                Ok(filled_by.map_or(Ended::LetGo, |Fetched { digest, size }| {
                    let work = Work::Keep(Finished { partial, digest, size, file: wanted.key });
                    Ended::Arrived(Local::File(filled), work)
                }))
            };
            let filling = Filling::new(file, orders, need.is_whole());
            (Some(filling), flying.right_future())
        };
        let asked = AtomicBool::new(need.is_asked());
        let flight = Arc::new(Flight { filling, stage, asked });
        flights.insert(key, Arc::clone(&flight));
        drop(flights);
        let hydration = Arc::clone(self);
        let this = Arc::downgrade(&flight);
        tokio::spawn(async move {
            match flying.await {
                Ok(Ended::Arrived(local, work)) => {
                    hydration.waiting.send_modify(|(bytes, files)| {
                        *bytes += work.held();
                        *files += 1;
                    });
                    // The committer ends only with the view.
                    let _ = hydration.committer.send((work, this));
                    sender.send_replace(Stage::Whole(local));
                }
                // Whoever let it go has taken it out.
                Ok(Ended::LetGo) => _ = sender.send_replace(Stage::LetGo),
                Err(error) => {
                    let flight = this.upgrade();
                    hydration.remove(key, &this);
                    let is_asked = flight.is_some_and(|flight| flight.is_asked());
                    if matches!(error, OriginError::Destination { .. }) {
                        hydration.room.refused(&error);
                    } else if is_asked {
                        hydration.problems.tell(error.to_string());
                    } else {
                        tracing::debug!(%error, "not fetched ahead");
                    }
                    let is_late =
                        matches!(error, OriginError::TimedOut { .. } | OriginError::Silent { .. });
                    if is_asked && is_late {
                        hydration.late.lock().insert(key, Instant::now());
                    }
                    sender.send_replace(Stage::Failed(ViewError::from(&error)));
                    if matches!(error, OriginError::Changed { .. } | OriginError::NotFound { .. }) {
                        on_change();
                    }
                }
            }
        });
        Ok(flight)
    }

    /// Whether origin did not give this file in time, a moment ago.
    fn is_late(&self, key: FileKey) -> bool {
        let mut late = self.late.lock();
        late.retain(|_, since| since.elapsed() < STILL_LATE);
        late.contains_key(&key)
    }

    /// Takes out a flight, unless it was let go and there is another by now.
    fn remove(&self, key: FileKey, flight: &Weak<Flight>) {
        Self::take_out(&mut self.flights.lock(), key, flight);
    }

    fn take_out(flights: &mut HashMap<FileKey, Arc<Flight>>, key: FileKey, flight: &Weak<Flight>) {
        if flights.get(&key).is_some_and(|known| std::ptr::eq(Arc::as_ptr(known), flight.as_ptr()))
        {
            flights.remove(&key);
        }
    }

    /// A file to be filled.
    fn partial(&self) -> Result<Partial, ViewError> {
        self.store.partial().map_err(|error| {
            self.room.refused(&error);
            ViewError::NotKept
        })
    }

    /// Sees to it that no more large files are under way than may be, with all flights locked.
    fn let_rest_go(&self, flights: &mut HashMap<FileKey, Arc<Flight>>) {
        let since = |(key, flight): (&FileKey, &Arc<Flight>)| {
            Some((flight.filling()?.rests_since()?, *key))
        };
        let resting: Vec<_> = flights.iter().filter_map(since).collect();
        if resting.len() >= MOST_PARTIAL
            && let Some((_, oldest)) = resting.into_iter().min_by_key(|(since, _)| *since)
        {
            self.end_rest(oldest, flights);
        }
    }

    /// Lets go of large files that nobody waits for, with their room on the disk.
    pub(crate) fn let_all_rest_go(&self) {
        let mut flights = self.flights.lock();
        flights.retain(|_, flight| {
            let filling = flight.filling().filter(|filling| filling.rests_since().is_some());
            if let Some(filling) = filling {
                filling.order(Order::LetGo);
            }
            filling.is_none()
        });
    }

    /// Nobody waits for this file: it becomes whole at once, or is let go, with all flights
    /// locked.
    fn end_rest(&self, key: FileKey, flights: &mut HashMap<FileKey, Arc<Flight>>) {
        let Some(filling) = flights.get(&key).and_then(|flight| flight.filling()) else {
            return;
        };
        match self.rest {
            RestOfLargeFiles::Background => filling.order_all(),
            RestOfLargeFiles::Never if filling.is_whole() => {}
            RestOfLargeFiles::Never => {
                filling.order(Order::LetGo);
                flights.remove(&key);
            }
        }
    }

    /// A small file: whole, in one answer, served before it is written anywhere.
    async fn read(&self, wanted: &Wanted) -> Result<Ended, OriginError> {
        let changed = || OriginError::Changed { path: wanted.source.clone() };
        let read = self.origin.read(&wanted.source, wanted.state.size).await;
        let (bytes, state) = match read {
            // It was a file of this size when it was listed.
            Err(
                OriginError::TooLarge { .. }
                | OriginError::IsADirectory { .. }
                | OriginError::NotADirectory { .. },
            ) => return Err(changed()),
            other => other?,
        };
        if state != wanted.state {
            return Err(changed());
        }
        let bytes: Arc<[u8]> = bytes.into();
        let work = Work::Write(wanted.key, Arc::clone(&bytes));
        Ok(Ended::Arrived(Local::Bytes(bytes), work))
    }

    /// Waits until so little waits to be made durable that more may come.
    pub(crate) async fn room(&self) {
        let mut waiting = self.waiting.subscribe();
        let fits = |(bytes, files): &(u64, usize)| *bytes < MOST_WAITING && *files < 4 * BATCH;
        // The sender is our own.
        let _ = waiting.wait_for(fits).await;
    }

    /// Waits until all that has arrived is durable.
    pub(crate) async fn committed(&self) {
        let (sender, settled) = oneshot::channel();
        if self.committer.send((Work::Settle(sender), Weak::new())).is_ok() {
            let _ = settled.await;
        }
    }

    /// Waits until what is under way now has ended and all that arrived is durable. The rest of
    /// large files follows at once, or they are let go.
    pub(crate) async fn settle(&self) {
        let known = {
            let mut flights = self.flights.lock();
            let known: Vec<_> = flights.iter().map(|(key, it)| (*key, Arc::clone(it))).collect();
            known.iter().for_each(|(key, _)| self.end_rest(*key, &mut flights));
            known
        };
        for (_, flight) in known {
            let _ = flight.landed().await;
        }
        self.committed().await;
    }
}
