//! Which request goes to the worker when, how long it may take, and when the worker
//! is given up. A state machine without I/O or clock, so that every rule is tested.
//!
//! A request is sent only when a thread of the worker is free to serve it at once, so
//! its deadline runs from then, or from its last progress. Fetches never take the
//! last quarter of the threads: a look-up does not wait behind long copies. A fetch of which
//! nobody waits for anything *rests*: it has no deadline and does not count until there is
//! another wish or it gets on by itself. Whoever fetches bounds how many there are.
//!
//! A request past its deadline is judged by whether the process still speaks (one
//! that is silent for half a deadline is pinged). If it does, the request fails and
//! its thread counts as stuck until it answers after all; with more than half of the
//! threads stuck, or a silent process, the worker is wedged and given up, and its
//! other requests go to the next one. No request is given to more than two workers.
//! A waiting request fails once nothing was answered for a whole deadline, and neither the wait
//! nor a second worker gives a request more time than storage's last sign of life does.
//!
//! Requests to a file system that has fallen silent fail without a deadline ([`silence`]).

mod silence;
mod state;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::job::Wish;
use silence::{Admission, Silences};
pub(crate) use state::{Departed, Due, Refused, Rules, Task, Waiting};
use state::{Flight, Worker};

/// Most workers that one request is given to.
const TRIES: u8 = 2;
/// First pause before the next worker, after one that died without any answer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Longest wait before one more worker is risked beyond `max_left_behind`.
const LONGEST_PROBE: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(crate) struct Schedule<T> {
    rules: Rules,
    next_id: u64,
    lookups: VecDeque<Waiting<T>>,
    fetches: VecDeque<Waiting<T>>,
    /// Those that wait for what another finds out about their file system.
    held: Vec<Waiting<T>>,
    silences: Silences,
    flights: BTreeMap<u64, Flight<T>>,
    worker: Option<Worker>,
    left_behind: usize,
    /// When something was last answered or got on.
    progress: Instant,
    pause: Duration,
    start_after: Instant,
    probe: Duration,
    probe_after: Instant,
}

impl<T: Task> Schedule<T> {
    pub(crate) fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            next_id: 0,
            lookups: VecDeque::new(),
            fetches: VecDeque::new(),
            held: Vec::new(),
            silences: Silences::new(rules.deadline),
            flights: BTreeMap::new(),
            worker: None,
            left_behind: 0,
            progress: now,
            pause: FIRST_PAUSE,
            start_after: now,
            probe: rules.deadline,
            probe_after: now,
        }
    }

    /// Takes a request about this file system, or gives it back.
    pub(crate) fn submit(
        &mut self,
        task: T,
        place: &Arc<Path>,
        now: Instant,
    ) -> Result<(), Refused<T>> {
        if self.worker.is_none() && !self.may_start(now) {
            return Err(Refused::NoWorker(task));
        }
        let patience = self.rules.deadline;
        let mut waiting =
            Waiting { task, place: Arc::clone(place), since: now, tries: 0, patience };
        match self.silences.admit(place, now) {
            Admission::Refused => return Err(Refused::Silent(waiting.task)),
            Admission::Held => {
                self.held.push(waiting);
                return Ok(());
            }
            Admission::Trial => waiting.patience = self.silences.trial(),
            Admission::Sent => {}
        }
        self.queue(&waiting.task).push_back(waiting);
        Ok(())
    }

    /// Whether a file system does not answer.
    pub(crate) fn is_silent(&self, place: &Path) -> bool {
        self.silences.is_silent(place)
    }

    /// Takes back a request that was held, at the head of the queue.
    pub(crate) fn resume(&mut self, waiting: Waiting<T>) {
        self.queue(&waiting.task).push_front(waiting);
    }

    fn queue(&mut self, task: &T) -> &mut VecDeque<Waiting<T>> {
        if task.fills_file() { &mut self.fetches } else { &mut self.lookups }
    }

    /// Requests for which the worker has a free thread now.
    pub(crate) fn dispatch(&mut self) -> Vec<(u64, &T)> {
        let Some(worker) = &self.worker else { return Vec::new() };
        let active = || self.flights.values().filter(|flight| !flight.resting);
        let busy = worker.stuck.len() + active().count();
        let mut free = self.rules.parallel.saturating_sub(busy);
        let copying = active().filter(|f| f.waiting.task.fills_file()).count();
        let most_copies = self.rules.parallel - self.rules.parallel / 4;
        let mut free_for_copies = most_copies.saturating_sub(copying);
        let first = self.next_id;
        while free > 0 {
            let next = self
                .lookups
                .pop_front()
                .or_else(|| if free_for_copies > 0 { self.fetches.pop_front() } else { None });
            let Some(mut waiting) = next else { break };
            if waiting.task.is_abandoned() {
                continue;
            }
            waiting.tries += 1;
            free -= 1;
            free_for_copies -= usize::from(waiting.task.fills_file());
            // While storage is silent, having waited counts; while it answers, it does not.
            let moved = waiting.since.max(self.progress);
            let flight = Flight { waiting, moved, cancelled: false, told: 0, resting: false };
            self.flights.insert(self.next_id, flight);
            self.next_id += 1;
        }
        self.flights.range(first..).map(|(&id, flight)| (id, &flight.waiting.task)).collect()
    }

    /// Whether a worker should be started now.
    pub(crate) fn wants_worker(&self, now: Instant) -> bool {
        let idle = self.lookups.is_empty() && self.fetches.is_empty();
        self.worker.is_none() && !idle && now >= self.start_after && self.may_start(now)
    }

    fn may_start(&self, now: Instant) -> bool {
        let most = self.rules.max_left_behind;
        self.left_behind < most || (self.left_behind < 2 * most && now >= self.probe_after)
    }

    pub(crate) fn worker_started(&mut self, now: Instant) {
        let stuck = HashMap::new();
        self.worker = Some(Worker { heard: now, pinged: None, answered: false, stuck });
    }

    /// No worker could be started: the next attempt waits.
    pub(crate) fn start_failed(&mut self, now: Instant) {
        self.start_after = now + self.pause;
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
    }

    /// The worker died or is given up. It counts as left behind until
    /// [`reaped`](Self::reaped).
    pub(crate) fn worker_departed(&mut self, now: Instant) -> Departed<T> {
        let mut departed = Departed { held: Vec::new(), failed: Vec::new() };
        let Some(worker) = self.worker.take() else { return departed };
        if !worker.answered {
            self.start_failed(now);
        }
        self.left_behind += 1;
        if self.left_behind >= self.rules.max_left_behind {
            self.probe_after = now + self.probe;
            self.probe = (2 * self.probe).min(LONGEST_PROBE.max(self.rules.deadline));
        }
        for flight in std::mem::take(&mut self.flights).into_values().rev() {
            let mut waiting = flight.waiting;
            waiting.since = if flight.resting { now } else { flight.moved };
            if waiting.tries >= TRIES {
                departed.failed.push(waiting.task);
            } else if waiting.task.fills_file() {
                departed.held.push(waiting);
            } else {
                self.resume(waiting);
            }
        }
        departed
    }

    /// A worker that departed is dead.
    pub(crate) fn reaped(&mut self, now: Instant) {
        self.left_behind = self.left_behind.saturating_sub(1);
        self.silences.try_again(now);
    }

    /// All that wait, when no worker can be had for them.
    pub(crate) fn turn_away(&mut self, now: Instant) -> Vec<T> {
        if self.worker.is_some() || self.may_start(now) { Vec::new() } else { self.drain() }
    }

    /// All that wait or are under way.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        let flights = std::mem::take(&mut self.flights).into_values().map(|f| f.waiting);
        let queued =
            self.lookups.drain(..).chain(self.fetches.drain(..)).chain(self.held.drain(..));
        queued.chain(flights).map(|waiting| waiting.task).collect()
    }

    /// The worker said something.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Some(worker) = &mut self.worker {
            worker.heard = now;
            worker.pinged = None;
        }
    }

    /// A request got on.
    pub(crate) fn got_on(&mut self, id: u64, now: Instant) -> Option<&T> {
        self.progress = now;
        let flight = self.flights.get_mut(&id)?;
        self.silences.answered(&flight.waiting.place, now);
        flight.moved = now;
        flight.waiting.patience = self.rules.deadline;
        Some(&flight.waiting.task)
    }

    /// A request got on, of which nobody may have waited for anything.
    pub(crate) fn stirs(&mut self, id: u64, now: Instant) {
        self.got_on(id, now);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.resting = false;
        }
    }

    /// A request has fulfilled the first so many wishes, and rests unless there are more.
    pub(crate) fn rests(&mut self, id: u64, wishes: u64, now: Instant) {
        self.got_on(id, now);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.resting = flight.told == wishes;
        }
    }

    /// A request is answered; `None` for one that was given up.
    pub(crate) fn answered(&mut self, id: u64, now: Instant) -> Option<T> {
        self.progress = now;
        self.pause = FIRST_PAUSE;
        self.probe = self.rules.deadline;
        if let Some(worker) = &mut self.worker {
            worker.answered = true;
            if let Some(place) = worker.stuck.remove(&id) {
                self.silences.answered(&place, now);
            }
        }
        let waiting = self.flights.remove(&id)?.waiting;
        self.silences.answered(&waiting.place, now);
        Some(waiting.task)
    }

    /// Requests under way that nobody waits for any more, each told once.
    pub(crate) fn newly_abandoned(&mut self) -> Vec<u64> {
        let flights = self.flights.iter_mut();
        let gone = flights.filter(|(_, f)| !f.cancelled && f.waiting.task.is_abandoned());
        gone.map(|(&id, flight)| {
            flight.cancelled = true;
            id
        })
        .collect()
    }

    /// What somebody waits for, each told once to a worker.
    pub(crate) fn wishes(&mut self, now: Instant) -> Vec<(u64, Wish)> {
        let mut all = Vec::new();
        for (id, flight) in &mut self.flights {
            let wishes = flight.waiting.task.untold_wishes();
            flight.told += wishes.len() as u64;
            if flight.resting && !wishes.is_empty() {
                (flight.resting, flight.moved) = (false, now);
            }
            all.extend(wishes.into_iter().map(|wish| (*id, wish)));
        }
        all
    }

    /// What the passing of time asks for.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Due<T>> {
        let deadline = self.rules.deadline;
        let mut due = Vec::new();
        let late = |(_, flight): &(&u64, &Flight<T>)| {
            !flight.resting && now >= flight.moved + flight.waiting.patience
        };
        let expired: Vec<u64> = self.flights.iter().filter(late).map(|(&id, _)| id).collect();
        if let Some(worker) = &mut self.worker {
            let silent = now.saturating_duration_since(worker.heard);
            let waited = |part: Duration| {
                let active = self.flights.values().filter(|flight| !flight.resting);
                active.map(|flight| flight.moved).any(|moved| now >= moved + part)
            };
            // What it has is given to the next one while there is time for it.
            let asked = worker.pinged.is_some_and(|pinged| now >= pinged + deadline / 4);
            if asked && silent >= deadline * 3 / 4 && waited(deadline * 3 / 4) {
                due.push(Due::Wedged);
            } else {
                for id in expired {
                    let Some(Flight { waiting, moved, .. }) = self.flights.remove(&id) else {
                        continue;
                    };
                    self.silences.late(&waiting.place, moved, now);
                    worker.stuck.insert(id, waiting.place);
                    due.push(Due::TimedOut(waiting.task));
                }
                if worker.stuck.len() * 2 > self.rules.parallel {
                    due.push(Due::Wedged);
                } else if self.flights.values().any(|flight| !flight.resting)
                    && worker.pinged.is_none()
                    && silent >= deadline / 2
                {
                    worker.pinged = Some(now);
                    due.push(Due::Ping);
                }
            }
        }
        for queue in [&mut self.lookups, &mut self.fetches] {
            while queue.front().is_some_and(|w| now >= w.since.max(self.progress) + deadline) {
                due.extend(queue.pop_front().map(|waiting| Due::TimedOut(waiting.task)));
            }
        }
        for waiting in std::mem::take(&mut self.held) {
            match self.silences.held(&waiting.place, now) {
                Admission::Sent | Admission::Trial => self.queue(&waiting.task).push_back(waiting),
                Admission::Held => self.held.push(waiting),
                Admission::Refused => due.push(Due::Silent(waiting.task)),
            }
        }
        due
    }

    /// When [`tick`](Self::tick) or [`wants_worker`](Self::wants_worker) must be asked
    /// next.
    pub(crate) fn wake(&self, now: Instant) -> Option<Instant> {
        let deadline = self.rules.deadline;
        let active = || self.flights.values().filter(|flight| !flight.resting);
        let flights = active().map(|flight| flight.moved + flight.waiting.patience);
        let fronts = [self.lookups.front(), self.fetches.front()].into_iter().flatten();
        let queued = fronts.map(|waiting| waiting.since.max(self.progress) + deadline);
        let oldest = active().map(|flight| flight.moved).min();
        let ping = self.worker.as_ref().zip(oldest).map(|(worker, oldest)| match worker.pinged {
            None => worker.heard + deadline / 2,
            Some(at) => (at + deadline / 4).max(worker.heard.max(oldest) + deadline * 3 / 4),
        });
        let trial = self.silences.wake(now).filter(|_| !self.held.is_empty());
        let idle = self.lookups.is_empty() && self.fetches.is_empty();
        let start = (self.worker.is_none() && !idle).then_some(self.start_after);
        flights.chain(queued).chain(ping).chain(trial).chain(start).min()
    }

    /// Workers that departed and are not dead yet.
    pub(crate) fn left_behind(&self) -> usize {
        self.left_behind
    }

    /// Threads of the present worker that do not come back.
    pub(crate) fn stuck(&self) -> usize {
        self.worker.as_ref().map_or(0, |worker| worker.stuck.len())
    }
}

#[cfg(test)]
mod tests;
