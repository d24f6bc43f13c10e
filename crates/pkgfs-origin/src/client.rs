//! The side of origin that the daemon holds: requests in, answers out.
//!
//! Each call hands a [`Job`] to one supervisor task and waits for its
//! answer. The supervisor alone knows the worker: it gives it as many requests as it
//! has threads, keeps their deadlines and replaces it ([`supervisor`]), by rules that
//! are a state machine of their own ([`schedule`]); what is silent is told apart by file system.
//! Processes are started and reaped
//! in [`process`], and talked to in [`conversation`].

mod conversation;
mod job;
#[cfg(feature = "played")]
pub(crate) mod played;
mod process;
mod schedule;
mod supervisor;

use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use pkgfs_manifest::{FileState, Listing};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Counters, Fetched, LinkBounds, OriginError, OriginSettings, Rest, Stat,
    backend::{Names, Xattrs},
    protocol::{Body, Request},
    sys::storage::NONSENSE,
};
use job::{Answer, Follower, Job, Reply, Wish, Wishes};
use supervisor::{Event, Supervisor};

/// Shared storage, read by a worker process.
///
/// Cheap to clone; the worker ends with the last clone, or with [`stop`](Self::stop).
#[derive(Debug, Clone)]
pub struct Origin {
    events: mpsc::UnboundedSender<Event>,
    counters: Arc<Mutex<Counters>>,
    parallel: usize,
    keep_acls: bool,
}

impl Origin {
    /// Starts the worker. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`OriginError::Start`] if the worker's program cannot be run.
    pub fn start(settings: OriginSettings) -> Result<Self, OriginError> {
        let counters = Arc::<Mutex<Counters>>::default();
        let (parallel, keep_acls) = (settings.parallel, settings.keep_acls);
        let events = Supervisor::start(settings, counters.clone())?;
        Ok(Self { events, counters, parallel, keep_acls })
    }

    /// Reads one directory: its entries with their attributes, links as `bounds` say.
    ///
    /// # Errors
    /// What origin answered, or that it did not.
    pub async fn list(&self, dir: &Path, bounds: &Arc<LinkBounds>) -> Result<Listing, OriginError> {
        let bounds = LinkBounds::clone(bounds);
        let answer = self.ask(dir, Request::List { dir: dir.to_owned(), bounds }).await?;
        match answer.body {
            Body::Listing => Listing::decode(&answer.raw).map_err(|_| nonsense(dir)),
            _ => Err(nonsense(dir)),
        }
    }

    /// Attributes of what `path` leads to, links followed.
    ///
    /// # Errors
    /// What origin answered, or that it did not.
    pub async fn stat(&self, path: &Path) -> Result<Stat, OriginError> {
        match self.ask(path, Request::Stat(path.to_owned())).await?.body {
            Body::Stat(stat) => Ok(stat),
            _ => Err(nonsense(path)),
        }
    }

    /// The same of a directory, as those find it who come through all directories above: with an
    /// owner, a group and a mode that let nobody in whom one of those keeps out.
    ///
    /// # Errors
    /// What origin answered, or that it did not.
    pub async fn reach(&self, path: &Path) -> Result<Stat, OriginError> {
        match self.ask(path, Request::Reach(path.to_owned())).await?.body {
            Body::Stat(stat) => Ok(stat),
            _ => Err(nonsense(path)),
        }
    }

    /// Reads a small file whole.
    ///
    /// # Errors
    /// [`OriginError::TooLarge`] for more than `limit` bytes, [`OriginError::Changed`]
    /// if it changed meanwhile, else what origin answered, or that it did not.
    pub async fn read(&self, path: &Path, limit: u64) -> Result<(Vec<u8>, FileState), OriginError> {
        let answer = self.ask(path, Request::Read { path: path.to_owned(), limit }).await?;
        match answer.body {
            Body::Content(state) if state.size == answer.raw.len() as u64 => {
                Ok((answer.raw, state))
            }
            _ => Err(nonsense(path)),
        }
    }

    /// These bytes of a file that is in the state `expected`.
    ///
    /// # Errors
    /// [`OriginError::Changed`] if it is in another, else what origin answered, or that it did
    /// not.
    pub async fn read_at(
        &self,
        path: &Path,
        expected: FileState,
        bytes: Range<u64>,
    ) -> Result<Vec<u8>, OriginError> {
        let Range { start: from, end: to } = bytes;
        let request = Request::ReadAt { path: path.to_owned(), expected, from, to };
        let Answer { body, raw } = self.ask(path, request).await?;
        match body {
            Body::Content(_) if raw.len() as u64 == to.saturating_sub(from) => Ok(raw),
            _ => Err(nonsense(path)),
        }
    }

    /// Names and kinds in a directory, in no order, without the attributes of each.
    ///
    /// # Errors
    /// What origin answered, or that it did not.
    pub async fn names(&self, dir: &Path) -> Result<Names, OriginError> {
        match self.ask(dir, Request::Names(dir.to_owned())).await?.body {
            Body::Names(names) => Ok(names),
            _ => Err(nonsense(dir)),
        }
    }

    /// The path with every link in it resolved, as rez spells locations.
    ///
    /// # Errors
    /// What origin answered, or that it did not.
    pub async fn canonical(&self, path: &Path) -> Result<PathBuf, OriginError> {
        match self.ask(path, Request::Canonical(path.to_owned())).await?.body {
            Body::Canonical(path) => Ok(path),
            _ => Err(nonsense(path)),
        }
    }

    /// The real path of a directory; `None` where a path leads to nothing, or to anything else.
    ///
    /// # Errors
    /// Any failure but that.
    pub async fn real_directory(&self, path: &Path) -> Result<Option<PathBuf>, OriginError> {
        let found = match self.canonical(path).await {
            Ok(path) => self.stat(&path).await.map(|stat| stat.is_dir().then_some(path)),
            Err(error) => Err(error),
        };
        match found {
            Err(OriginError::NotFound { .. } | OriginError::NotADirectory { .. }) => Ok(None),
            found => found,
        }
    }

    /// The `user.*` extended attributes of a path; a link is not followed. None where
    /// storage has no such thing. Where [they are kept](OriginSettings::keep_acls), an access list
    /// is among them.
    ///
    /// # Errors
    /// What origin answered, or that it did not.
    pub async fn xattrs(&self, path: &Path) -> Result<Xattrs, OriginError> {
        let request = Request::Xattrs { path: path.to_owned(), acls: self.keep_acls };
        match self.ask(path, request).await?.body {
            Body::Xattrs(pairs) => Ok(pairs),
            _ => Err(nonsense(path)),
        }
    }

    /// Copies a file that is in the state `expected` into `into`, an empty file of the
    /// caller's that nobody else fills. What nobody asks for follows as `rest` says. While
    /// nobody waits for any of it, the copy is not counted among the requests under way.
    /// Dropping the [`Fetch`] abandons it.
    pub fn fetch(&self, path: &Path, expected: FileState, into: File, rest: Rest) -> Fetch {
        let (placed, told) = mpsc::unbounded_channel();
        let wishes = Arc::<Mutex<Wishes>>::default();
        let (done, answer) = oneshot::channel();
        let request = Request::Fetch { path: path.to_owned(), expected, rest };
        let job = Job {
            path: path.to_owned(),
            request,
            into: Some(into),
            reply: Reply { done, follower: Some(Follower { placed, wishes: wishes.clone() }) },
        };
        _ = self.events.send(Event::Submit(job));
        Fetch { path: path.to_owned(), told, wishes, answer, events: self.events.downgrade() }
    }

    /// Whether access lists are told with extended attributes.
    #[must_use]
    pub fn keeps_acls(&self) -> bool {
        self.keep_acls
    }

    /// How many requests are served at a time.
    #[must_use]
    pub fn parallel(&self) -> usize {
        self.parallel
    }

    /// What was done so far, and how things stand.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the worker and waits for its end; requests under way fail. Only a worker
    /// that hangs in the kernel is left, and dies when the kernel lets go of it.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        _ = self.events.send(Event::Stop(done));
        _ = ended.await;
    }

    async fn ask(&self, path: &Path, request: Request) -> Result<Answer, OriginError> {
        let (done, answer) = oneshot::channel();
        let reply = Reply { done, follower: None };
        let job = Job { path: path.to_owned(), request, into: None, reply };
        _ = self.events.send(Event::Submit(job));
        answer.await.unwrap_or_else(|_| Err(OriginError::Stopped { path: path.to_owned() }))
    }
}

/// The worker answered something else than was asked.
fn nonsense(path: &Path) -> OriginError {
    OriginError::Io { path: path.to_owned(), errno: NONSENSE }
}

/// A copy under way.
#[derive(Debug)]
pub struct Fetch {
    path: PathBuf,
    told: mpsc::UnboundedReceiver<Vec<Range<u64>>>,
    wishes: Arc<Mutex<Wishes>>,
    answer: oneshot::Receiver<Result<Answer, OriginError>>,
    events: mpsc::WeakUnboundedSender<Event>,
}

impl Fetch {
    /// Waits for more, and tells which bytes of a long file are in place. They were
    /// checked to be of the state that was asked for, and stay as they are even if the
    /// copy is begun anew. `None` when no more will be told: [`finish`](Self::finish)
    /// then answers soon.
    pub async fn progress(&mut self) -> Option<Vec<Range<u64>>> {
        self.told.recv().await
    }

    /// Asks for these bytes before others.
    pub fn want(&self, bytes: Range<u64>) {
        self.wish(Wish::Bytes(bytes));
    }

    /// Asks for these bytes, which somebody will wait for, and for nothing near them.
    pub fn foresee(&self, bytes: Range<u64>) {
        self.wish(Wish::Foreseen(bytes));
    }

    /// Asks for the whole file: from now on it is as with [`Rest::AtOnce`].
    pub fn want_all(&self) {
        self.wish(Wish::All);
    }

    fn wish(&self, wish: Wish) {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner).add(wish);
        if let Some(events) = self.events.upgrade() {
            _ = events.send(Event::Wished);
        }
    }

    /// Waits for the whole file.
    ///
    /// # Errors
    /// [`OriginError::Changed`] if the file is not in the expected state or changed
    /// meanwhile, else what origin answered, or that it did not. The file given then
    /// holds nothing of use.
    pub async fn finish(mut self) -> Result<Fetched, OriginError> {
        match (&mut self.answer).await {
            Ok(Ok(Answer { body: Body::Fetched(fetched), .. })) => Ok(fetched),
            Ok(Ok(_)) => Err(nonsense(&self.path)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(OriginError::Stopped { path: self.path.clone() }),
        }
    }
}

impl Drop for Fetch {
    /// Lets the supervisor look for fetches that nobody waits for.
    fn drop(&mut self) {
        self.answer.close();
        if let Some(events) = self.events.upgrade() {
            _ = events.send(Event::Abandoned);
        }
    }
}
