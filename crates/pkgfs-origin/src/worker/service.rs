//! The threads that touch storage.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    os::fd::{AsFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::io::Errno;

use super::connection::Sender;
use crate::{
    Cause, Failure,
    backend::{Backend, Observer, Operation},
    counters::Meter,
    protocol::{Body, Request},
};

/// One request to serve.
struct Task {
    id: u64,
    request: Request,
    into: Option<OwnedFd>,
    steering: Arc<Steering>,
}

/// What the client says of a request that is being served.
#[derive(Default)]
struct Steering {
    cancelled: AtomicBool,
    wishes: Mutex<Vec<Range<u64>>>,
    wished: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Task>,
    idle: usize,
    /// Requests not answered yet, and how to tell them to stop.
    running: HashMap<u64, Arc<Steering>>,
}

struct Shared {
    backend: Arc<dyn Backend>,
    sender: Arc<Sender>,
    queue: Mutex<Queue>,
    more: Condvar,
    /// When something was last asked for.
    asked: Mutex<Instant>,
}

/// Serves requests, each on a thread of its own.
pub(super) struct Service(Arc<Shared>);

impl Service {
    pub(super) fn new(backend: Arc<dyn Backend>, sender: Arc<Sender>) -> Self {
        Self(Arc::new(Shared {
            backend,
            sender,
            queue: Mutex::default(),
            more: Condvar::new(),
            asked: Mutex::new(Instant::now()),
        }))
    }

    pub(super) fn submit(&mut self, id: u64, request: Request, into: Option<OwnedFd>) {
        *locked(&self.0.asked) = Instant::now();
        let steering = Arc::<Steering>::default();
        let mut queue = self.0.lock();
        queue.running.insert(id, steering.clone());
        queue.waiting.push_back(Task { id, request, into, steering });
        if queue.waiting.len() > queue.idle {
            let shared = self.0.clone();
            let thread = thread::Builder::new().name("origin".to_owned());
            // Without a new thread, the next that is free takes it.
            _ = thread.spawn(move || shared.work());
        }
        drop(queue);
        self.0.more.notify_one();
    }

    pub(super) fn cancel(&self, id: u64) {
        if let Some(steering) = self.0.lock().running.get(&id) {
            steering.cancelled.store(true, Ordering::Relaxed);
            steering.wished.notify_all();
        }
    }

    pub(super) fn wish(&self, id: u64, bytes: Range<u64>) {
        if let Some(steering) = self.0.lock().running.get(&id) {
            *locked(&self.0.asked) = Instant::now();
            locked(&steering.wishes).push(bytes);
            steering.wished.notify_all();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        locked(&self.queue)
    }

    fn work(&self) {
        loop {
            let task = self.next();
            let meter = Meter::default();
            let on = Watch { task: &task, meter: &meter, shared: self };
            // A bug in a backend must not cost the other requests their worker.
            let served = catch_unwind(AssertUnwindSafe(|| serve(&*self.backend, &task, &on)));
            let (body, raw) = served.unwrap_or_else(|_| {
                let cause = Cause::Io(Errno::IO.raw_os_error());
                (Body::Failed(Failure::new(path_of(&task.request), cause)), Vec::new())
            });
            self.lock().running.remove(&task.id);
            let id = task.id;
            // The file is given back before its fetch is answered.
            drop(task);
            self.sender.send(id, meter.take(), &body, &raw);
        }
    }

    fn next(&self) -> Task {
        let mut queue = self.lock();
        loop {
            if let Some(task) = queue.waiting.pop_front() {
                return task;
            }
            queue.idle += 1;
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches one request, and tells the client how it gets on.
struct Watch<'a> {
    task: &'a Task,
    meter: &'a Meter,
    shared: &'a Shared,
}

impl Observer for Watch<'_> {
    fn count(&self, operation: Operation) {
        self.meter.count(operation);
    }

    fn alive(&self) {
        self.shared.sender.send(self.task.id, self.meter.take(), &Body::Alive, &[]);
    }

    fn placed(&self, bytes: &[Range<u64>]) {
        let placed = Body::Placed(bytes.to_vec());
        self.shared.sender.send(self.task.id, self.meter.take(), &placed, &[]);
    }

    fn tell(&self, note: String) {
        self.shared.sender.send(self.task.id, self.meter.take(), &Body::Told(note), &[]);
    }

    fn is_cancelled(&self) -> bool {
        self.task.steering.cancelled.load(Ordering::Relaxed)
    }

    fn quiet(&self) -> Duration {
        locked(&self.shared.asked).elapsed()
    }

    fn wishes(&self, patience: Duration) -> Vec<Range<u64>> {
        let steering = &self.task.steering;
        let mut wishes = locked(&steering.wishes);
        if wishes.is_empty() && !patience.is_zero() {
            let waited = steering.wished.wait_timeout(wishes, patience);
            wishes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut *wishes)
    }
}

fn serve(backend: &dyn Backend, task: &Task, on: &dyn Observer) -> (Body, Vec<u8>) {
    answer(backend, task, on).unwrap_or_else(|failure| (Body::Failed(failure), Vec::new()))
}

fn answer(
    backend: &dyn Backend,
    task: &Task,
    on: &dyn Observer,
) -> Result<(Body, Vec<u8>), Failure> {
    let only = |body| (body, Vec::new());
    Ok(match &task.request {
        Request::List { dir, bounds } => (Body::Listing, backend.list(dir, bounds, on)?.encode()),
        Request::Stat(path) => only(Body::Stat(backend.stat(path, on)?)),
        Request::Read { path, limit } => {
            let (content, state) = backend.read(path, *limit, on)?;
            (Body::Content(state), content)
        }
        Request::Names(dir) => only(Body::Names(backend.names(dir, on)?)),
        Request::Canonical(path) => only(Body::Canonical(backend.canonical(path, on)?)),
        Request::Xattrs(path) => only(Body::Xattrs(backend.xattrs(path, on)?)),
        Request::Fetch { path, expected } => match &task.into {
            Some(into) => only(Body::Fetched(backend.fetch(path, *expected, into.as_fd(), on)?)),
            None => return Err(Failure::new(path, Cause::Destination(Errno::BADF.raw_os_error()))),
        },
        // The dispatcher's own.
        Request::Ping | Request::Cancel | Request::Want { .. } => only(Body::Pong),
    })
}

fn path_of(request: &Request) -> &Path {
    match request {
        Request::List { dir: path, .. }
        | Request::Stat(path)
        | Request::Read { path, .. }
        | Request::Names(path)
        | Request::Canonical(path)
        | Request::Xattrs(path)
        | Request::Fetch { path, .. } => path,
        Request::Ping | Request::Cancel | Request::Want { .. } => Path::new(""),
    }
}
