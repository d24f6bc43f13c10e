//! Bringing bytes from origin into the store, once, however many ask.
//!
//! The first read of a file that is not local starts a *flight*. A small file arrives in
//! one answer; for a large one the origin worker fills a partial file, the parts that
//! readers wait for first. When it is whole, and origin has not changed
//! meanwhile, it goes to the committer, which makes many blobs durable under one
//! transaction. The flight stays known until then, so nobody asks origin again in between.
//!
//! Nobody waits without a deadline: origin gives up on a flight that makes no progress.

mod committer;

use std::{
    collections::HashMap,
    fs::File,
    ops::Range,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use futures::FutureExt;
use parking_lot::Mutex;
use pkgfs_manifest::FileState;
use pkgfs_origin::{Origin, OriginError};
use pkgfs_store::{FileKey, Finished, Partial, Store};
use tokio::sync::{mpsc, oneshot, watch};

use self::committer::{BATCH, Work, commit_batches};
use crate::{ViewError, problems::Problems, spans::Spans};

/// Bytes that wait in memory to be made durable before those who fetch ahead wait, too.
const MOST_WAITING: u64 = 64 << 20;

/// Files up to this size come in one answer, and are served from memory until they are
/// committed.
pub(crate) const SMALL: u64 = 256 << 10;

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

/// One file under way.
pub(crate) struct Flight {
    /// For a large file; a small one arrives in one piece.
    filling: Option<Filling>,
    stage: watch::Receiver<Stage>,
    /// Somebody asked for it: a failure is told. Set with all flights locked.
    asked: AtomicBool,
}

/// A large file being filled.
struct Filling {
    file: Arc<File>,
    /// Bytes that readers wait for.
    wishes: mpsc::UnboundedSender<Range<u64>>,
}

#[derive(Clone)]
enum Stage {
    /// These bytes are in place.
    Filling(Spans),
    Whole(Local),
    Failed(ViewError),
}

impl Flight {
    /// Waits until these bytes are in place. The second part tells whether all are.
    pub(crate) async fn reach(&self, bytes: Range<u64>) -> Result<(Local, bool), ViewError> {
        let mut stage = self.stage.clone();
        let there = !matches!(&*stage.borrow(), Stage::Filling(spans) if !spans.cover(&bytes));
        if let (false, Some(filling)) = (there, &self.filling) {
            // Nobody takes wishes of a flight that has ended.
            let _ = filling.wishes.send(bytes.clone());
        }
        let reached = stage
            .wait_for(|stage| match stage {
                Stage::Filling(spans) => spans.cover(&bytes),
                Stage::Whole(_) | Stage::Failed(_) => true,
            })
            .await
            .map_err(|_| ViewError::Failed)?;
        match &*reached {
            Stage::Failed(error) => Err(error.clone()),
            Stage::Whole(local) => Ok((local.clone(), true)),
            Stage::Filling(_) => {
                let filling = self.filling.as_ref().ok_or(ViewError::Failed)?;
                Ok((Local::File(Arc::clone(&filling.file)), false))
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

    /// Whether somebody asked for it.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Bytes in place while it is under way.
    pub(crate) fn arrived(&self) -> u64 {
        match &*self.stage.borrow() {
            Stage::Filling(spans) => spans.total(),
            Stage::Whole(_) | Stage::Failed(_) => 0,
        }
    }

    /// Waits until it has ended, and tells whether well.
    pub(crate) async fn landed(&self) -> bool {
        let mut stage = self.stage.clone();
        let landed = stage.wait_for(|stage| !matches!(stage, Stage::Filling(_))).await;
        // An error says that whoever flew it is gone: that is an end, too.
        matches!(landed.as_deref(), Ok(Stage::Whole(_)))
    }
}

/// All flights of a view.
pub(crate) struct Hydration {
    origin: Origin,
    store: Arc<Store>,
    problems: Arc<Problems>,
    flights: Mutex<HashMap<FileKey, Arc<Flight>>>,
    committer: std::sync::mpsc::Sender<Work>,
    /// Bytes in memory, and files, that wait to be made durable.
    waiting: watch::Sender<(u64, usize)>,
}

impl Hydration {
    pub(crate) fn start(
        origin: Origin,
        store: Arc<Store>,
        problems: Arc<Problems>,
    ) -> std::io::Result<Arc<Self>> {
        let (committer, work) = std::sync::mpsc::channel();
        let hydration = Arc::new(Self {
            origin,
            store,
            problems,
            flights: Mutex::default(),
            committer,
            waiting: watch::Sender::default(),
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

    /// The flight of this file: the one under way, or a new one. One that nobody `asked`
    /// for fails in silence.
    pub(crate) fn fetch(
        self: &Arc<Self>,
        wanted: &Wanted,
        asked: bool,
        on_change: impl FnOnce() + Send + 'static,
    ) -> Result<Arc<Flight>, ViewError> {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(&wanted.key) {
            flight.asked.fetch_or(asked, Ordering::Relaxed);
            return Ok(Arc::clone(flight));
        }
        let (sender, stage) = watch::channel(Stage::Filling(Spans::default()));
        let hydration = Arc::clone(self);
        let wanted = wanted.clone();
        let key = wanted.key;
        let (filling, flying) = if wanted.state.size <= SMALL {
            let flying = async move { hydration.read(&wanted).await };
            (None, flying.left_future())
        } else {
            let partial = self.store.partial()?;
            let failed = |error: std::io::Error| crate::error::local(&error);
            let file = Arc::new(partial.file().try_clone().map_err(failed)?);
            let into = partial.try_clone().map_err(failed)?;
            let (filled, stage) = (Arc::clone(&file), sender.clone());
            let (wishes, wished) = mpsc::unbounded_channel();
            let flying = async move {
                let work = hydration.fill(&wanted, partial, into, &stage, wished).await?;
                Ok((Local::File(filled), work))
            };
            (Some(Filling { file, wishes }), flying.right_future())
        };
        let flight = Arc::new(Flight { filling, stage, asked: AtomicBool::new(asked) });
        flights.insert(key, Arc::clone(&flight));
        drop(flights);
        let hydration = Arc::clone(self);
        tokio::spawn(async move {
            match flying.await {
                Ok((local, work)) => {
                    hydration.waiting.send_modify(|(bytes, files)| {
                        *bytes += work.held();
                        *files += 1;
                    });
                    // The committer ends only with the view.
                    let _ = hydration.committer.send(work);
                    sender.send_replace(Stage::Whole(local));
                }
                Err(error) => {
                    let ended = hydration.flights.lock().remove(&key);
                    if ended.is_some_and(|flight| flight.asked.load(Ordering::Relaxed)) {
                        hydration.problems.tell(error.to_string());
                    } else {
                        tracing::debug!(%error, "not fetched ahead");
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

    /// A small file: whole, in one answer, served before it is written anywhere.
    async fn read(&self, wanted: &Wanted) -> Result<(Local, Work), OriginError> {
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
        Ok((Local::Bytes(Arc::clone(&bytes)), Work::Write(wanted.key, bytes)))
    }

    /// A large file: filled by the origin worker, what readers wait for first.
    async fn fill(
        &self,
        wanted: &Wanted,
        partial: Partial,
        into: OwnedFd,
        stage: &watch::Sender<Stage>,
        mut wished: mpsc::UnboundedReceiver<Range<u64>>,
    ) -> Result<Work, OriginError> {
        let mut fetch = self.origin.fetch(&wanted.source, wanted.state, into);
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
                Some(bytes) = wished.recv() => fetch.want(bytes),
            }
        }
        let fetched = fetch.finish().await?;
        let (digest, size) = (fetched.digest, fetched.size);
        Ok(Work::Keep(Finished { partial, digest, size, file: wanted.key }))
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
        if self.committer.send(Work::Settle(sender)).is_ok() {
            let _ = settled.await;
        }
    }

    /// Waits until what is under way now has ended and all that arrived is durable.
    pub(crate) async fn settle(&self) {
        let flights: Vec<_> = self.flights.lock().values().cloned().collect();
        for flight in flights {
            let _ = flight.landed().await;
        }
        self.committed().await;
    }
}
