//! Bringing bytes from origin into the store, once, however many ask.
//!
//! The first read of a file that is not local starts a *flight*: a partial file that
//! the origin worker fills, from the front. Readers wait for the part they want and are
//! served from the partial file; when it is whole and origin has not changed meanwhile,
//! it goes to the committer, which makes many blobs durable under one transaction. The
//! flight stays known until then, so nobody asks origin again in between.
//!
//! Nobody waits without a deadline: origin gives up on a flight that makes no progress.

use std::{
    collections::HashMap,
    fs::File,
    path::PathBuf,
    sync::{Arc, Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use pkgfs_manifest::FileState;
use pkgfs_origin::{Origin, OriginError};
use pkgfs_store::{FileKey, Finished, Store};
use tokio::sync::watch;

use crate::{ViewError, problems::Problems};

/// How many finished files are made durable under one transaction at most.
const BATCH: usize = 256;

/// A batch waits until nothing has arrived for this long: making files durable takes the
/// disk from a program that is just starting, and nobody waits for it.
const QUIET: Duration = Duration::from_millis(250);

/// A batch waits no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub key: FileKey,
    /// Where it lies at origin.
    pub source: PathBuf,
    /// What the listing said of it.
    pub state: FileState,
}

/// One file under way.
pub(crate) struct Flight {
    file: Arc<File>,
    stage: watch::Receiver<Stage>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// This many bytes from the front are in place.
    Filling(u64),
    Whole,
    Failed(ViewError),
}

impl Flight {
    /// Waits until the bytes before `end` are in place.
    pub(crate) async fn reach(&self, end: u64) -> Result<Arc<File>, ViewError> {
        let mut stage = self.stage.clone();
        let reached = stage
            .wait_for(|stage| match stage {
                Stage::Filling(bytes) => *bytes >= end,
                Stage::Whole | Stage::Failed(_) => true,
            })
            .await
            .map_err(|_| ViewError::Failed)?;
        match &*reached {
            Stage::Failed(error) => Err(error.clone()),
            Stage::Filling(_) | Stage::Whole => Ok(Arc::clone(&self.file)),
        }
    }

    /// Waits until it has ended, well or not.
    async fn landed(&self) {
        let mut stage = self.stage.clone();
        let landed = stage.wait_for(|stage| !matches!(stage, Stage::Filling(_))).await;
        // An error says that whoever flew it is gone: that is an end, too.
        drop(landed);
    }

    /// Whether all bytes are in place and were origin's in one state of the file.
    pub(crate) fn is_whole(&self) -> bool {
        *self.stage.borrow() == Stage::Whole
    }
}

/// What the committer is given.
enum Work {
    Keep(Finished),
    /// Answered when all that came before is durable.
    Settle(tokio::sync::oneshot::Sender<()>),
}

/// All flights of a view.
pub(crate) struct Hydration {
    origin: Origin,
    store: Arc<Store>,
    problems: Arc<Problems>,
    flights: Mutex<HashMap<FileKey, Arc<Flight>>>,
    committer: mpsc::Sender<Work>,
}

impl Hydration {
    pub(crate) fn start(
        origin: Origin,
        store: Arc<Store>,
        problems: Arc<Problems>,
    ) -> std::io::Result<Arc<Self>> {
        let (committer, work) = mpsc::channel();
        let hydration =
            Arc::new(Self { origin, store, problems, flights: Mutex::default(), committer });
        let weak = Arc::downgrade(&hydration);
        let store = Arc::clone(&hydration.store);
        thread::Builder::new()
            .name("committer".into())
            .spawn(move || commit_batches(&work, &store, &weak))?;
        Ok(hydration)
    }

    /// The flight of this file: the one under way, or a new one.
    pub(crate) fn fetch(
        self: &Arc<Self>,
        wanted: &Wanted,
        on_change: impl FnOnce() + Send + 'static,
    ) -> Result<Arc<Flight>, ViewError> {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(&wanted.key) {
            return Ok(Arc::clone(flight));
        }
        let partial = self.store.partial()?;
        let failed = |error: std::io::Error| crate::error::local(&error);
        let file = Arc::new(partial.file().try_clone().map_err(failed)?);
        let into = partial.file().try_clone().map_err(failed)?;
        let (sender, stage) = watch::channel(Stage::Filling(0));
        let flight = Arc::new(Flight { file, stage });
        flights.insert(wanted.key, Arc::clone(&flight));
        drop(flights);
        let hydration = Arc::clone(self);
        let wanted = wanted.clone();
        tokio::spawn(async move {
            hydration.fly(wanted, partial, into.into(), sender, on_change).await;
        });
        Ok(flight)
    }

    async fn fly(
        &self,
        wanted: Wanted,
        partial: pkgfs_store::Partial,
        into: std::os::fd::OwnedFd,
        stage: watch::Sender<Stage>,
        on_change: impl FnOnce(),
    ) {
        let mut fetch = self.origin.fetch(&wanted.source, wanted.state, into);
        while let Some(bytes) = fetch.progress().await {
            stage.send_replace(Stage::Filling(bytes));
        }
        match fetch.finish().await {
            Ok(fetched) => {
                let finished = Finished {
                    partial,
                    digest: fetched.digest,
                    size: fetched.size,
                    file: wanted.key,
                };
                // The committer ends only with the view.
                let _ = self.committer.send(Work::Keep(finished));
                stage.send_replace(Stage::Whole);
            }
            Err(error) => {
                self.flights.lock().remove(&wanted.key);
                self.problems.tell(error.to_string());
                stage.send_replace(Stage::Failed(ViewError::from(&error)));
                if matches!(error, OriginError::Changed { .. } | OriginError::NotFound { .. }) {
                    on_change();
                }
            }
        }
    }

    /// Waits until what is under way now has ended and all that arrived is durable.
    pub(crate) async fn settle(&self) {
        let flights: Vec<_> = self.flights.lock().values().cloned().collect();
        for flight in flights {
            flight.landed().await;
        }
        let (sender, settled) = tokio::sync::oneshot::channel();
        if self.committer.send(Work::Settle(sender)).is_ok() {
            let _ = settled.await;
        }
    }
}

/// The committer: what has arrived while the last batch was written goes into the next.
fn commit_batches(work: &mpsc::Receiver<Work>, store: &Store, hydration: &Weak<Hydration>) {
    while let Ok(first) = work.recv() {
        let mut batch = Vec::new();
        let mut waiting = Vec::new();
        let latest = Instant::now() + LONGEST_WAIT;
        let mut next = Some(first);
        while let Some(item) = next {
            match item {
                Work::Keep(finished) => batch.push(finished),
                Work::Settle(sender) => waiting.push(sender),
            }
            next = if batch.len() >= BATCH {
                None
            } else if waiting.is_empty() {
                let patience = latest.saturating_duration_since(Instant::now()).min(QUIET);
                work.recv_timeout(patience).ok()
            } else {
                work.try_recv().ok()
            };
        }
        let keys: Vec<_> = batch.iter().map(|finished| finished.file).collect();
        let outcome = if batch.is_empty() { Ok(()) } else { store.commit(batch).map(drop) };
        if let Some(hydration) = hydration.upgrade() {
            if let Err(error) = outcome {
                // Readers have their bytes; the next one asks origin again.
                hydration.problems.tell(error.to_string());
            }
            let mut flights = hydration.flights.lock();
            keys.iter().for_each(|key| drop(flights.remove(key)));
        }
        for sender in waiting {
            // Who asked may have stopped waiting.
            let _ = sender.send(());
        }
    }
}
