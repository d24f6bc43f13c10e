//! Fetching variants whole, ahead of their use.
//!
//! A job lists every directory of its variants, and then fetches every file that is not local,
//! what is shown in place of links included. Those who wait for what they read come first: all
//! jobs together have [`TURNS`] requests under way, fewer than origin takes, and wait when the
//! store's disk does not keep up. A job is a future; dropped, it stops, and what it has fetched
//! stays.

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use parking_lot::Mutex;
use pkgfs_manifest::Kind;
use pkgfs_store::{Directory, FileKey};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use crate::{
    Amount, NodeId, Report, Target, View, ViewError,
    hydration::{Flight, Need},
    node::{Node, Part},
    payload::Payloads,
};

/// Requests of all jobs under way at a time.
const TURNS: usize = 12;
/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_millis(200);
/// The rate is that of the last moments.
const RATE_OVER: Duration = Duration::from_secs(3);
/// So many answers in a row that did not come in time mean that storage is gone.
const HOPELESS: usize = TURNS;
/// Failures that are told one by one.
const MOST_TOLD: usize = 1_000;

/// What a job leaves out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmLimits {
    /// Files larger than this, in bytes.
    pub max_file_size: Option<u64>,
    /// Files that would make it fetch more than this, in bytes.
    pub max_total: Option<u64>,
}

/// How far a job is. Files without bytes are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmProgress {
    /// Files found so far that are to be local at its end.
    pub known: Amount,
    /// Of these, those that are.
    pub done: Amount,
    /// Directories are still being listed: more may be found.
    pub listing: bool,
    /// What came from origin, of late.
    pub bytes_per_second: u64,
}

/// What a job came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmReport {
    /// What was registered for it.
    pub variants: Report,
    /// Files that are local now.
    pub local: Amount,
    /// Of these, those that were fetched.
    pub fetched: Amount,
    /// Files that the limits left out.
    pub left_out: Amount,
    /// Directories and files that could not be had, each with the reason.
    pub failed: Vec<String>,
    /// How many there were, told or not.
    pub failures: u64,
    /// Storage did not answer any more: so many files were not tried.
    pub not_tried: u64,
}

/// The jobs that run.
pub type Warming = watch::Receiver<WarmProgress>;

pub(crate) struct Warmings {
    turns: Arc<Semaphore>,
    running: Mutex<Vec<Warming>>,
}

impl Default for Warmings {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(TURNS)), running: Mutex::default() }
    }
}

type Active = Arc<Mutex<HashMap<FileKey, Arc<Flight>>>>;

/// A file to be fetched.
struct File {
    directory: Arc<Directory>,
    index: usize,
    size: u64,
}

enum Done {
    Listed(Result<Option<Arc<Directory>>, ViewError>, PathBuf),
    Fetched(Result<(), ViewError>, File),
}

struct Job {
    view: Arc<View>,
    limits: WarmLimits,
    directories: VecDeque<(NodeId, PathBuf)>,
    files: VecDeque<File>,
    /// Fetched, and durable only once they are committed.
    arrived: Vec<File>,
    active: Active,
    progress: WarmProgress,
    told: watch::Sender<WarmProgress>,
    rate: VecDeque<(Instant, u64)>,
    report: WarmReport,
    planned_bytes: u64,
    late: usize,
}

impl View {
    /// Registers variants where needed and makes all their files local, within limits.
    /// Progress is sent now and then. What has been fetched when it returns is durable.
    pub async fn warm(
        self: &Arc<Self>,
        targets: &[Target],
        limits: WarmLimits,
        told: watch::Sender<WarmProgress>,
    ) -> WarmReport {
        self.warmings.running.lock().push(told.subscribe());
        let (variants, slots) = self.add_slots(targets).await;
        let mut job = Job {
            view: Arc::clone(self),
            limits,
            directories: VecDeque::new(),
            files: VecDeque::new(),
            arrived: Vec::new(),
            active: Active::default(),
            progress: WarmProgress { listing: true, ..WarmProgress::default() },
            told,
            rate: VecDeque::new(),
            report: WarmReport { variants, ..WarmReport::default() },
            planned_bytes: 0,
            late: 0,
        };
        {
            let registry = self.registry.lock();
            for id in slots {
                let Some(slot) = registry.slot(id) else { continue };
                if slot.payload.is_tree() {
                    let origin = slot.root.clone().unwrap_or_default();
                    job.directories.push_back((slot.node(id, Part::Payload), origin));
                } else {
                    let uri = slot.handle.as_ref().map(|handle| handle.uri()).unwrap_or_default();
                    job.report.variants.refused.push(format!("{uri}: rez is copying it in"));
                }
            }
        }
        job.run().await
    }

    /// How far the jobs are that run.
    pub(crate) fn warmings(&self) -> Vec<WarmProgress> {
        let mut running = self.warmings.running.lock();
        // Without its sender a job has ended.
        running.retain(|job| job.has_changed().is_ok());
        running.iter().map(|job| *job.borrow()).collect()
    }
}

impl Job {
    async fn run(mut self) -> WarmReport {
        let mut running: FuturesUnordered<BoxFuture<'static, Done>> = FuturesUnordered::new();
        let mut listing = 0;
        let mut tick = tokio::time::interval(TOLD_EVERY);
        loop {
            while running.len() < TURNS {
                if let Some((node, origin)) = self.directories.pop_front() {
                    listing += 1;
                    running.push(self.list(node, origin));
                } else if let Some(file) = self.files.pop_front() {
                    running.push(self.fetch(file));
                } else {
                    break;
                }
            }
            if running.is_empty() {
                break;
            }
            tokio::select! {
                _ = tick.tick() => self.tell(),
                Some(done) = running.next() => {
                    if matches!(done, Done::Listed(..)) {
                        listing -= 1;
                    }
                    self.note(done);
                    self.progress.listing = listing > 0 || !self.directories.is_empty();
                }
            }
        }
        self.view.hydration.committed().await;
        self.tell_what_was_not_kept();
        self.tell();
        self.report.local = self.progress.done;
        self.report
    }

    fn list(&self, node: NodeId, origin: PathBuf) -> BoxFuture<'static, Done> {
        let view = Arc::clone(&self.view);
        Box::pin(async move {
            let _turn = view.warmings.turns.clone().acquire_owned().await;
            Done::Listed(view.payload_directory(node).await, origin)
        })
    }

    fn fetch(&self, file: File) -> BoxFuture<'static, Done> {
        let (view, active) = (Arc::clone(&self.view), Arc::clone(&self.active));
        Box::pin(async move {
            let _turn = view.warmings.turns.clone().acquire_owned().await;
            view.hydration.room().await;
            let wanted = Payloads::wanted(&file.directory, file.index);
            let fetched = match view.fetch(&wanted, Need::Whole) {
                Ok(flight) => {
                    active.lock().insert(wanted.key, Arc::clone(&flight));
                    let outcome = flight.outcome().await;
                    active.lock().remove(&wanted.key);
                    outcome
                }
                Err(error) => Err(error),
            };
            Done::Fetched(fetched, file)
        })
    }

    fn note(&mut self, done: Done) {
        let error = match done {
            Done::Listed(Ok(directory), _) => {
                self.late = 0;
                if let Some(directory) = directory
                    && let Err(error) = self.plan(&directory)
                {
                    self.fail(&directory.source, &error);
                }
                return;
            }
            Done::Fetched(Ok(()), file) => {
                self.late = 0;
                for amount in [&mut self.progress.done, &mut self.report.fetched] {
                    amount.files += 1;
                    amount.bytes += file.size;
                }
                self.arrived.push(file);
                return;
            }
            Done::Listed(Err(error), origin) => {
                self.fail(&origin, &error);
                error
            }
            Done::Fetched(Err(error), file) => {
                self.fail(&Payloads::wanted(&file.directory, file.index).source, &error);
                error
            }
        };
        self.late = if error == ViewError::TimedOut { self.late + 1 } else { 0 };
        if self.late >= HOPELESS {
            self.report.not_tried += self.files.len() as u64;
            self.files.clear();
            self.directories.clear();
        }
    }

    /// The store may have had no room for what has arrived, or may have given it up again.
    fn tell_what_was_not_kept(&mut self) {
        for file in std::mem::take(&mut self.arrived) {
            let wanted = Payloads::wanted(&file.directory, file.index);
            let error = match self.view.store.content(wanted.key) {
                Ok(Some(_)) => continue,
                Ok(None) => ViewError::NotKept,
                Err(error) => error.into(),
            };
            for amount in [&mut self.progress.done, &mut self.report.fetched] {
                amount.files -= 1;
                amount.bytes -= file.size;
            }
            self.fail(&wanted.source, &error);
        }
    }

    /// What is to be done for a directory.
    fn plan(&mut self, directory: &Arc<Directory>) -> Result<(), ViewError> {
        let local = self.view.store.contents(directory.id)?;
        for (index, entry) in directory.listing.entries().iter().enumerate() {
            let size = entry.attributes.size;
            let key = FileKey { directory: directory.id, entry: index as u32 };
            let add = |amount: &mut Amount| {
                amount.files += 1;
                amount.bytes += size;
            };
            match entry.kind {
                Kind::Directory => {
                    let source = Payloads::below(directory, index)?.source;
                    self.directories.push_back((Node::Entry(key).into(), source));
                }
                Kind::File if size == 0 => {}
                Kind::File if local.binary_search_by_key(&key.entry, |(at, _)| *at).is_ok() => {
                    add(&mut self.progress.known);
                    add(&mut self.progress.done);
                }
                Kind::File if self.is_left_out(size) => add(&mut self.report.left_out),
                Kind::File => {
                    add(&mut self.progress.known);
                    self.planned_bytes += size;
                    let directory = Arc::clone(directory);
                    self.files.push_back(File { directory, index, size });
                }
                Kind::Link(_) | Kind::Special(_) => {}
            }
        }
        Ok(())
    }

    fn is_left_out(&self, size: u64) -> bool {
        self.limits.max_file_size.is_some_and(|most| size > most)
            || self.limits.max_total.is_some_and(|most| self.planned_bytes + size > most)
    }

    fn fail(&mut self, path: &std::path::Path, error: &ViewError) {
        self.report.failures += 1;
        if self.report.failed.len() < MOST_TOLD {
            self.report.failed.push(format!("{}: {error}", path.display()));
        }
    }

    fn tell(&mut self) {
        let arriving: u64 = self.active.lock().values().map(|flight| flight.arrived()).sum();
        let arrived = self.report.fetched.bytes + arriving;
        let now = Instant::now();
        self.rate.push_back((now, arrived));
        while self.rate.len() > 2 && self.rate.front().is_some_and(|(at, _)| now - *at > RATE_OVER)
        {
            self.rate.pop_front();
        }
        if let Some((at, before)) = self.rate.front()
            && now > *at
        {
            let rate = arrived.saturating_sub(*before) as f64 / (now - *at).as_secs_f64();
            self.progress.bytes_per_second = rate as u64;
        }
        let mut told = self.progress;
        told.done.bytes += arriving;
        self.told.send_replace(told);
    }
}
