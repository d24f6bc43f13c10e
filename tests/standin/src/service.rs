//! N slots of service: the queue in front of them and the threads that stand for them.
//!
//! The session's threads only hand over; an operation waits in one queue, in order of arrival,
//! and is served by a worker thread, at most as many at a time as there are slots. Workers are
//! started when the queue is longer than the number that idle. A hung operation is parked with
//! its unsent reply: it holds neither slot nor thread. Dropping an operation unserved answers
//! EIO (fuser replies when a reply object is dropped), so no caller outlives the service.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use fuser::Errno;

use crate::cost::Cost;
use crate::counts::Counts;
use crate::faults::{Effect, Faults};
use crate::operation::Operation;

/// How an operation is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As the source has it.
    Faithful,
    /// With fewer bytes than there are.
    Short,
    /// With this error.
    Fail(Errno),
}

/// What was found out for an operation, and the sending of it, which comes after the wait.
pub(crate) struct Outcome {
    pub(crate) bytes: u64,
    pub(crate) send: Box<dyn FnOnce() + Send>,
}

type Work = Box<dyn FnOnce(Verdict) -> Outcome + Send>;

struct Job {
    operation: Operation,
    path: Arc<Path>,
    verdict: Verdict,
    arrived: Instant,
    work: Work,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    parked: Vec<Job>,
    slots: usize,
    workers: usize,
    idle: usize,
    in_service: usize,
    max_in_service: usize,
    closed: bool,
}

/// How full the service is.
pub(crate) struct Load {
    pub(crate) slots: usize,
    pub(crate) in_service: usize,
    pub(crate) max_in_service: usize,
    pub(crate) queued: usize,
    pub(crate) hung: usize,
}

/// The service of one mount.
pub(crate) struct Service {
    pub(crate) cost: Cost,
    pub(crate) counts: Counts,
    pub(crate) faults: Faults,
    state: Mutex<State>,
    changed: Condvar,
}

impl Service {
    pub(crate) fn new(cost: Cost, slots: usize) -> Arc<Self> {
        Arc::new(Self {
            cost,
            counts: Counts::default(),
            faults: Faults::default(),
            state: Mutex::new(State { slots: slots.max(1), ..State::default() }),
            changed: Condvar::new(),
        })
    }

    /// Counts the operation, lets the faults decide, and queues it. Never waits.
    pub(crate) fn submit(self: &Arc<Self>, operation: Operation, path: Arc<Path>, work: Work) {
        self.counts.arrived(operation, &path);
        let effect = self.faults.decide(operation, &path);
        if effect.is_some() {
            self.counts.struck();
        }
        let verdict = match effect {
            None | Some(Effect::Hang) => Verdict::Faithful,
            Some(Effect::ShortRead) => Verdict::Short,
            Some(Effect::Error { errno }) => Verdict::Fail(errno.into()),
        };
        let job = Job { operation, path, verdict, arrived: Instant::now(), work };
        let mut state = self.lock();
        if state.closed {
            drop(state);
            drop(job);
        } else if effect == Some(Effect::Hang) {
            state.parked.push(job);
        } else {
            state.queue.push_back(job);
            self.staff(&mut state);
            self.changed.notify_one();
        }
    }

    /// Ends every hang: removes the rules that hang and serves what was parked.
    pub(crate) fn release(self: &Arc<Self>) -> usize {
        self.faults.clear_hangs();
        let mut state = self.lock();
        let parked = std::mem::take(&mut state.parked);
        let released = parked.len();
        state.queue.extend(parked);
        self.staff(&mut state);
        self.changed.notify_all();
        released
    }

    pub(crate) fn set_slots(self: &Arc<Self>, slots: usize) {
        let mut state = self.lock();
        state.slots = slots.max(1);
        self.staff(&mut state);
        self.changed.notify_all();
    }

    pub(crate) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            slots: state.slots,
            in_service: state.in_service,
            max_in_service: state.max_in_service,
            queued: state.queue.len(),
            hung: state.parked.len(),
        }
    }

    pub(crate) fn reset(&self) {
        self.counts.reset();
        let mut state = self.lock();
        state.max_in_service = state.in_service;
    }

    /// Answers EIO to everything that waits or comes, and lets the workers end.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = (std::mem::take(&mut state.queue), std::mem::take(&mut state.parked));
        self.changed.notify_all();
        drop(state);
        drop(waiting);
    }

    /// Starts the workers that are missing; the idle ones are for the caller to wake.
    fn staff(self: &Arc<Self>, state: &mut State) {
        let wanted = state.queue.len().saturating_sub(state.idle);
        for _ in 0..wanted.min(state.slots.saturating_sub(state.workers)) {
            let service = Arc::clone(self);
            let started = thread::Builder::new()
                .name("standin-slot".to_owned())
                .spawn(move || service.work());
            // Without a thread the workers there are still empty the queue; with none at all
            // nobody would, so the callers are told.
            match started {
                Ok(_) => state.workers += 1,
                Err(_) if state.workers == 0 => state.queue.clear(),
                Err(_) => break,
            }
        }
    }

    fn work(self: Arc<Self>) {
        // The kernel rounds a sleep up by the timer slack, 50 µs by default: as much as a fast
        // server needs for an answer. Refusal only makes delays less exact.
        rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)).ok();
        while let Some(job) = self.next() {
            // A panic must cost its own caller an EIO, not the mount a slot.
            catch_unwind(AssertUnwindSafe(|| self.serve(job))).ok();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                state.workers -= 1;
                return None;
            }
            if state.in_service < state.slots
                && let Some(job) = state.queue.pop_front()
            {
                state.in_service += 1;
                state.max_in_service = state.max_in_service.max(state.in_service);
                return Some(job);
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn serve(&self, job: Job) {
        let slot = Slot(self);
        let began = Instant::now();
        let outcome = (job.work)(job.verdict);
        self.cost.pay(began, outcome.bytes);
        self.counts.answered(job.operation, &job.path, outcome.bytes, job.arrived);
        // Before the answer, or the caller's next operation would seem to overlap this one.
        drop(slot);
        (outcome.send)();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot that an operation in service holds.
struct Slot<'a>(&'a Service);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.lock().in_service -= 1;
    }
}
