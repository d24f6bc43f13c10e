//! A thread for what nobody should wait for: copying the write-ahead log back into
//! the database, and deleting trees that were moved aside.
//!
//! Invariant: nothing it leaves undone is lost; a log is read at the next open, and
//! what was moved aside is found there.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use rusqlite::OpenFlags;

use crate::{
    StoreError,
    database::{self, lock},
    sys,
};

enum Job {
    Checkpoint,
    Remove(PathBuf),
    Stop,
}

/// What the thread and those who call it share.
#[derive(Clone)]
struct Bell {
    jobs: mpsc::Sender<Job>,
    checkpoint_due: Arc<AtomicBool>,
    stopping: Arc<AtomicBool>,
    /// Held while it has a connection to the database.
    connected: Arc<Mutex<()>>,
}

/// The thread. Dropping it waits for the job at hand, which is cut short.
pub(crate) struct Caretaker {
    bell: Bell,
    thread: Option<JoinHandle<()>>,
}

impl Caretaker {
    pub(crate) fn start(database: PathBuf) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let bell = Bell {
            jobs,
            checkpoint_due: Arc::default(),
            stopping: Arc::default(),
            connected: Arc::default(),
        };
        let own = bell.clone();
        let thread = thread::Builder::new()
            .name("store-caretaker".into())
            .spawn(move || work(&database, &own, &queue))?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// What to call when the log has grown long.
    pub(crate) fn checkpoint_bell(&self) -> impl Fn() + Send + Sync + 'static {
        let bell = self.bell.clone();
        move || {
            if !bell.checkpoint_due.swap(true, Ordering::AcqRel) {
                bell.send(Job::Checkpoint);
            }
        }
    }

    /// Held while the thread has a connection to the database.
    pub(crate) fn connected(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.bell.connected)
    }

    /// Deletes what lies at `path`, in a while.
    pub(crate) fn remove(&self, path: PathBuf) {
        self.bell.send(Job::Remove(path));
    }
}

impl Bell {
    /// The thread is gone only while the store is being closed; then nobody minds.
    fn send(&self, job: Job) {
        let _closed = self.jobs.send(job);
    }
}

impl Drop for Caretaker {
    fn drop(&mut self) {
        self.bell.stopping.store(true, Ordering::Release);
        self.bell.send(Job::Stop);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn work(path: &Path, bell: &Bell, queue: &mpsc::Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        if bell.stopping.load(Ordering::Acquire) {
            return;
        }
        match job {
            Job::Checkpoint => {
                bell.checkpoint_due.store(false, Ordering::Release);
                let _connected = lock(&bell.connected);
                if let Err(error) = checkpoint(path) {
                    tracing::warn!("{error}");
                }
            }
            Job::Remove(path) => {
                if let Err(error) = remove(&path, &bell.stopping) {
                    tracing::warn!("cannot remove {}: {error}", path.display());
                }
            }
            Job::Stop => return,
        }
    }
}

/// On a connection of its own: the writer's is for those who wait.
fn checkpoint(path: &Path) -> Result<(), StoreError> {
    let connection = database::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    database::checkpoint(path, &connection)
}

/// Deletes a tree whose directories may have any mode: rez gives its copies origin's.
fn remove(path: &Path, stopping: &AtomicBool) -> io::Result<()> {
    if stopping.load(Ordering::Acquire) || !path.symlink_metadata()?.is_dir() {
        return if stopping.load(Ordering::Acquire) { Ok(()) } else { sys::remove_file(path) };
    }
    sys::open_up(path)?;
    // Names first: a descriptor held at each level would run out in a deep tree.
    let inside: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
    for entry in inside {
        remove(&entry.path(), stopping)?;
    }
    if stopping.load(Ordering::Acquire) { Ok(()) } else { sys::remove_dir(path) }
}
