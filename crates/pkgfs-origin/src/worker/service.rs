//! The threads that touch storage.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::connection::{Receiver, Sender};
use crate::{
    Cause, Failure,
    backend::{Backend, Observer, Operation, Wishes},
    counters::Meter,
    protocol::{Body, Envelope, Request},
    sys::storage::{FAILED, NO_FILE},
};

/// One request to serve.
struct Task {
    id: u64,
    request: Request,
    into: Option<File>,
    steering: Arc<Steering>,
}

/// What the client says of a request that is being served.
#[derive(Default)]
struct Steering {
    cancelled: AtomicBool,
    /// Nobody waits for it.
    resting: AtomicBool,
    /// It does what nobody waits for.
    has_turn: AtomicBool,
    wishes: Mutex<Wishes>,
    called: Condvar,
}

impl Steering {
    fn call(&self, change: impl FnOnce(&mut Wishes)) {
        let mut wishes = locked(&self.wishes);
        change(&mut wishes);
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
    demand: Mutex<Demand>,
}

/// What somebody waits for.
struct Demand {
    /// How many requests; those at rest are none.
    served: usize,
    /// When one last came or ended.
    since: Instant,
    /// One does what nobody waits for.
    turn: bool,
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
        demand: Mutex::new(Demand { served: 0, since: Instant::now(), turn: false }),
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
                    Request::Want { from, to } => self.wish(id, |it| it.bytes.push(from..to)),
                    Request::Foresee { from, to } => {
                        self.wish(id, |it| it.foreseen.push(from..to));
                    }
                    Request::WantAll => self.wish(id, |it| it.all = true),
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

    fn task(&self, id: u64, request: Request, into: Option<File>) -> Task {
        let steering = Arc::<Steering>::default();
        {
            let mut demand = locked(&self.demand);
            (demand.served, demand.since) = (demand.served + 1, Instant::now());
        }
        self.lock().running.insert(id, steering.clone());
        Task { id, request, into, steering }
    }

    fn cancel(&self, id: u64) {
        if let Some(steering) = self.lock().running.get(&id) {
            steering.cancelled.store(true, Ordering::Relaxed);
            steering.call(|_| {});
        }
    }

    fn wish(&self, id: u64, wish: impl FnOnce(&mut Wishes)) {
        if let Some(steering) = self.lock().running.get(&id) {
            steering.call(|wishes| {
                wish(wishes);
                wishes.heard += 1;
            });
            let mut demand = locked(&self.demand);
            demand.since = Instant::now();
            // Whoever comes to rest has looked for wishes with these locked.
            demand.served += usize::from(steering.resting.swap(false, Ordering::Relaxed));
        }
    }

    /// Nobody waits for a request any more, nor does it take its turn.
    fn unwanted(&self, steering: &Steering) {
        let mut demand = locked(&self.demand);
        demand.served -= 1;
        if steering.has_turn.swap(false, Ordering::Relaxed) {
            demand.turn = false;
        } else {
            demand.since = Instant::now();
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
                    let cause = Cause::Io(FAILED);
                    (Body::Failed(Failure::new(path_of(&task.request), cause)), Vec::new())
                }
            };
            self.lock().running.remove(&task.id);
            if !task.steering.resting.load(Ordering::Relaxed) {
                self.unwanted(&task.steering);
            }
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
    done: &'a Mutex<Vec<File>>,
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

    fn done_with(&self, file: File) {
        locked(self.done).push(file);
    }

    fn quiet(&self) -> Duration {
        let demand = locked(&self.shared.demand);
        let own = usize::from(!self.task.steering.resting.load(Ordering::Relaxed));
        if demand.served > own { Duration::ZERO } else { demand.since.elapsed() }
    }

    fn take_turn(&self) -> bool {
        let steering = &self.task.steering;
        if steering.has_turn.load(Ordering::Relaxed) {
            return true;
        }
        {
            let mut demand = locked(&self.shared.demand);
            if demand.turn {
                return false;
            }
            demand.turn = true;
            steering.has_turn.store(true, Ordering::Relaxed);
            demand.served += usize::from(steering.resting.swap(false, Ordering::Relaxed));
        }
        // From now on it can hang.
        self.alive();
        true
    }

    fn rests(&self, heard: u64) {
        let steering = &self.task.steering;
        {
            let wishes = locked(&steering.wishes);
            if wishes.heard != heard || steering.resting.swap(true, Ordering::Relaxed) {
                return;
            }
            self.shared.unwanted(steering);
        }
        let resting = Body::Resting(heard);
        self.shared.sender.send(self.task.id, self.meter.take(), &resting, &[]);
    }

    fn wishes(&self) -> Wishes {
        let mut wishes = locked(&self.task.steering.wishes);
        let [bytes, foreseen] =
            [std::mem::take(&mut wishes.bytes), std::mem::take(&mut wishes.foreseen)];
        Wishes { bytes, foreseen, ..*wishes }
    }

    fn wait(&self, calls: u64, patience: Duration) {
        let wishes = locked(&self.task.steering.wishes);
        let called = &self.task.steering.called;
        drop(called.wait_timeout_while(wishes, patience, |wishes| wishes.calls == calls));
    }

    fn call(&self) {
        self.task.steering.call(|_| {});
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
        Request::Reach(path) => only(Body::Stat(backend.reach(path, on)?)),
        Request::Read { path, limit } => {
            let (content, state) = backend.read(path, *limit, on)?;
            (Body::Content(state), content)
        }
        Request::ReadAt { path, expected, from, to } => {
            let content = backend.read_at(path, *expected, *from..*to, on)?;
            (Body::Content(*expected), content)
        }
        Request::Names(dir) => only(Body::Names(backend.names(dir, on)?)),
        Request::Canonical(path) => only(Body::Canonical(backend.canonical(path, on)?)),
        Request::Xattrs { path, acls } => only(Body::Xattrs(backend.xattrs(path, *acls, on)?)),
        Request::Fetch { path, expected, rest } => match &task.into {
            Some(into) => only(Body::Fetched(backend.fetch(path, *expected, into, *rest, on)?)),
            None => return Err(Failure::new(path, Cause::Destination(NO_FILE))),
        },
        // The dispatcher's own.
        Request::Ping
        | Request::Cancel
        | Request::Want { .. }
        | Request::Foresee { .. }
        | Request::WantAll => only(Body::Pong),
    })
}

fn path_of(request: &Request) -> &Path {
    match request {
        Request::List { dir: path, .. }
        | Request::Stat(path)
        | Request::Reach(path)
        | Request::Read { path, .. }
        | Request::ReadAt { path, .. }
        | Request::Names(path)
        | Request::Canonical(path)
        | Request::Xattrs { path, .. }
        | Request::Fetch { path, .. } => path,
        Request::Ping
        | Request::Cancel
        | Request::Want { .. }
        | Request::Foresee { .. }
        | Request::WantAll => Path::new(""),
    }
}
