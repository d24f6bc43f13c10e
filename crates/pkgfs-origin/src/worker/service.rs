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

use super::connection::{Receiver, Sender};
use crate::{
    Cause, Failure,
    backend::{Backend, Observer, Operation, Wishes},
    counters::Meter,
    protocol::{Body, Envelope, Request},
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
    wishes: Mutex<Wishes>,
    called: Condvar,
}

impl Steering {
    fn call(&self, wish: Option<Range<u64>>) {
        let mut wishes = locked(&self.wishes);
        wishes.bytes.extend(wish);
        wishes.calls += 1;
        self.called.notify_all();
    }
}

/// What a thread may have to do.
enum Turn {
    /// Serve this request.
    Serve(Task),
    /// Take the next requests off the socket.
    Receive,
}

#[derive(Default)]
struct Queue {
    turns: VecDeque<Turn>,
    idle: usize,
    /// Requests not answered yet, and how to tell them to stop.
    running: HashMap<u64, Arc<Steering>>,
    /// The client is gone.
    over: bool,
}

struct Shared {
    backend: Arc<dyn Backend>,
    sender: Sender,
    /// Locked by the thread whose turn it is to receive.
    receiver: Mutex<Receiver>,
    queue: Mutex<Queue>,
    more: Condvar,
    ended: Condvar,
    /// When something was last asked for.
    asked: Mutex<Instant>,
}

/// Serves requests, each on a thread of its own, until the client is gone.
///
/// One thread at a time receives. It serves the first request that it gets by itself,
/// when it has passed its turn to receive on: no request waits for a second thread to
/// wake up, and there is always one that answers pings.
pub(super) fn serve(backend: Arc<dyn Backend>, sender: Sender, receiver: Receiver) {
    let shared = Arc::new(Shared {
        backend,
        sender,
        receiver: Mutex::new(receiver),
        queue: Mutex::default(),
        more: Condvar::new(),
        ended: Condvar::new(),
        asked: Mutex::new(Instant::now()),
    });
    shared.add([Turn::Receive]);
    let queue = shared.lock();
    // Threads that hang in storage are not waited for.
    drop(shared.ended.wait_while(queue, |queue| !queue.over));
}

impl Shared {
    /// Puts turns into the queue, with threads for them.
    fn add(self: &Arc<Self>, turns: impl IntoIterator<Item = Turn>) {
        let mut queue = self.lock();
        for turn in turns {
            queue.turns.push_back(turn);
            if queue.turns.len() > queue.idle {
                let shared = self.clone();
                let thread = thread::Builder::new().name("origin".to_owned());
                // Without a new thread, the next that is free takes it.
                _ = thread.spawn(move || shared.work());
            }
            self.more.notify_one();
        }
    }

    /// Receives until there is something to serve, passes the turn on, and gives the
    /// first request to be served; `None` when the client is gone.
    fn receive(self: &Arc<Self>) -> Option<Task> {
        let mut receiver = locked(&self.receiver);
        while let Ok(Some(batch)) = receiver.receive() {
            let mut tasks = Vec::new();
            for Envelope { id, request } in batch {
                match request {
                    Request::Ping => self.sender.send(id, Default::default(), &Body::Pong, &[]),
                    Request::Cancel => self.cancel(id),
                    Request::Want { from, to } => self.wish(id, from..to),
                    request => {
                        let fills = matches!(request, Request::Fetch { .. });
                        let into = if fills { receiver.take_file() } else { None };
                        tasks.push(self.task(id, request, into));
                    }
                }
            }
            let mut tasks = tasks.into_iter();
            if let Some(mine) = tasks.next() {
                drop(receiver);
                self.add(tasks.map(Turn::Serve).chain([Turn::Receive]));
                return Some(mine);
            }
        }
        self.lock().over = true;
        self.ended.notify_all();
        None
    }

    fn task(&self, id: u64, request: Request, into: Option<OwnedFd>) -> Task {
        *locked(&self.asked) = Instant::now();
        let steering = Arc::<Steering>::default();
        self.lock().running.insert(id, steering.clone());
        Task { id, request, into, steering }
    }

    fn cancel(&self, id: u64) {
        if let Some(steering) = self.lock().running.get(&id) {
            steering.cancelled.store(true, Ordering::Relaxed);
            steering.call(None);
        }
    }

    fn wish(&self, id: u64, bytes: Range<u64>) {
        if let Some(steering) = self.lock().running.get(&id) {
            *locked(&self.asked) = Instant::now();
            steering.call(Some(bytes));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        locked(&self.queue)
    }

    fn work(self: &Arc<Self>) {
        loop {
            let task = match self.next() {
                Turn::Serve(task) => task,
                Turn::Receive => match self.receive() {
                    Some(task) => task,
                    None => return,
                },
            };
            let meter = Meter::default();
            let done = Mutex::default();
            let on = Watch { task: &task, meter: &meter, shared: self, done: &done };
            // A bug in a backend must not cost the other requests their worker.
            let served = catch_unwind(AssertUnwindSafe(|| answer(&*self.backend, &task, &on)));
            let (body, raw) = match served {
                Ok(Ok(answer)) => answer,
                Ok(Err(failure)) => (Body::Failed(failure), Vec::new()),
                Err(_) => {
                    let cause = Cause::Io(Errno::IO.raw_os_error());
                    (Body::Failed(Failure::new(path_of(&task.request), cause)), Vec::new())
                }
            };
            self.lock().running.remove(&task.id);
            let id = task.id;
            // The file is given back before its fetch is answered; those of storage are
            // closed after it.
            drop(task);
            self.sender.send(id, meter.take(), &body, &raw);
            drop(done);
        }
    }

    fn next(&self) -> Turn {
        let mut queue = self.lock();
        loop {
            if let Some(turn) = queue.turns.pop_front() {
                return turn;
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
    /// Files to be closed after the answer.
    done: &'a Mutex<Vec<OwnedFd>>,
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

    fn done_with(&self, file: OwnedFd) {
        locked(self.done).push(file);
    }

    fn quiet(&self) -> Duration {
        locked(&self.shared.asked).elapsed()
    }

    fn wishes(&self) -> Wishes {
        let mut wishes = locked(&self.task.steering.wishes);
        Wishes { bytes: std::mem::take(&mut wishes.bytes), calls: wishes.calls }
    }

    fn wait(&self, calls: u64, patience: Duration) {
        let wishes = locked(&self.task.steering.wishes);
        let called = &self.task.steering.called;
        drop(called.wait_timeout_while(wishes, patience, |wishes| wishes.calls == calls));
    }

    fn call(&self) {
        self.task.steering.call(None);
    }
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
