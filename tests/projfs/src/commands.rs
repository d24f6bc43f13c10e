//! Callbacks under way: a pool that makes them, and who waits for which.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
};

use pkgfs_projfs_engine::{Code, provider::Asker};

use crate::buffers::lock;

/// What a callback came to, and the mask it answered with.
pub(crate) type Outcome = (i32, u32);

/// A callback under way.
#[derive(Default)]
struct Command {
    state: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    invoked: bool,
    outcome: Option<Outcome>,
    cancelled: bool,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    running: usize,
    closed: bool,
}

struct Pool {
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// The callbacks of one instance.
pub(crate) struct Commands {
    pool: Arc<Pool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    table: Mutex<Table>,
    cancel: Option<Box<dyn Fn(i32) + Send + Sync>>,
}

#[derive(Default)]
struct Table {
    last: i32,
    commands: HashMap<i32, Arc<Command>>,
}

impl Commands {
    /// With `threads` that make callbacks at once, and `cancel` to tell of those nobody waits for.
    pub(crate) fn new(threads: usize, cancel: Option<Box<dyn Fn(i32) + Send + Sync>>) -> Self {
        let pool = Arc::new(Pool { queue: Mutex::default(), changed: Condvar::new() });
        let workers = (0..threads)
            .map(|_| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || pool.work())
            })
            .collect();
        Self { pool, threads: Mutex::new(workers), table: Mutex::default(), cancel }
    }

    /// Has `callback` made with a number of its own, and waits for what it comes to, or for the
    /// program to go away.
    pub(crate) fn call(
        self: &Arc<Self>,
        asker: &Asker,
        callback: impl FnOnce(i32) -> Outcome + Send + 'static,
    ) -> Result<u32, Code> {
        let command = Arc::new(Command::default());
        let number = {
            let mut table = lock(&self.table);
            table.last = table.last.wrapping_add(1).max(1);
            let number = table.last;
            table.commands.insert(number, Arc::clone(&command));
            number
        };
        let job = {
            let command = Arc::clone(&command);
            Box::new(move || command.run(number, callback))
        };
        if !self.pool.add(job) {
            lock(&self.table).commands.remove(&number);
            return Err(Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE);
        }
        // Without a cancel callback nothing is cancellable ("PRJ_CANCEL_COMMAND_CB").
        let going = self.cancel.is_some().then(|| {
            let command = Arc::clone(&command);
            asker.on_going(move || command.cancel())
        });
        let (outcome, invoked) = command.wait();
        drop(going);
        match outcome {
            Some((0, mask)) => {
                lock(&self.table).commands.remove(&number);
                Ok(mask)
            }
            Some((hresult, _)) => {
                lock(&self.table).commands.remove(&number);
                Err(Code::from_hresult(hresult))
            }
            None => {
                lock(&self.table).commands.remove(&number);
                if invoked {
                    let commands = Arc::clone(self);
                    self.pool.add(Box::new(move || {
                        if let Some(cancel) = &commands.cancel {
                            cancel(number);
                        }
                    }));
                }
                Err(Code::OPERATION_ABORTED)
            }
        }
    }

    /// `PrjCompleteCommand`: of a command that was cancelled, a no-op and no error. Whether it was one
    /// that had not ended.
    pub(crate) fn complete(&self, number: i32, outcome: Outcome) -> bool {
        let command = lock(&self.table).commands.get(&number).cloned();
        command.map(|command| command.end(outcome)).is_some()
    }

    /// Makes no more callbacks, cancels those that pend, and waits for those that run.
    pub(crate) fn stop(&self) {
        let pending: Vec<(i32, Arc<Command>)> = lock(&self.table)
            .commands
            .iter()
            .map(|(number, command)| (*number, Arc::clone(command)))
            .collect();
        for (_, command) in pending {
            command.end((Code::FILE_SYSTEM_VIRTUALIZATION_UNAVAILABLE.hresult(), 0));
        }
        self.pool.close();
        for thread in lock(&self.threads).drain(..) {
            thread.join().ok();
        }
    }
}

impl Command {
    fn run(&self, number: i32, callback: impl FnOnce(i32) -> Outcome) {
        {
            let mut state = lock(&self.state);
            // Cancelled before it was made: it never is.
            if state.cancelled || state.outcome.is_some() {
                return;
            }
            state.invoked = true;
        }
        let outcome = callback(number);
        if outcome.0 != Code::IO_PENDING.hresult() {
            self.end(outcome);
        }
    }

    fn end(&self, outcome: Outcome) {
        lock(&self.state).outcome.get_or_insert(outcome);
        self.changed.notify_all();
    }

    fn cancel(&self) {
        lock(&self.state).cancelled = true;
        self.changed.notify_all();
    }

    fn wait(&self) -> (Option<Outcome>, bool) {
        let mut state = lock(&self.state);
        while state.outcome.is_none() && !state.cancelled {
            state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        (state.outcome, state.invoked)
    }
}

impl Pool {
    fn add(&self, job: Job) -> bool {
        let mut queue = lock(&self.queue);
        if queue.closed {
            return false;
        }
        queue.jobs.push_back(job);
        self.changed.notify_all();
        true
    }

    fn work(&self) {
        loop {
            let job = {
                let mut queue = lock(&self.queue);
                loop {
                    if let Some(job) = queue.jobs.pop_front() {
                        queue.running += 1;
                        break job;
                    }
                    if queue.closed {
                        return;
                    }
                    queue =
                        self.changed.wait(queue).unwrap_or_else(std::sync::PoisonError::into_inner);
                }
            };
            job();
            lock(&self.queue).running -= 1;
            self.changed.notify_all();
        }
    }

    fn close(&self) {
        lock(&self.queue).closed = true;
        self.changed.notify_all();
    }
}
