//! The task that owns the worker.
//!
//! It alone changes the [`Schedule`], so there are no locks and no races between a
//! late answer, a deadline and a death: each is an event, taken one at a time. Events
//! of a worker carry its generation; those of a former one are ignored.

use std::{
    fs::File,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};
use tracing::{info, warn};

use super::{
    conversation::{Letter, listen, speak, tell},
    job::{Answer, Job, Wish},
    process::Starter,
    schedule::{Due, Refused, Rules, Schedule, Task, Waiting},
};
use crate::{
    Counters, OriginError, OriginSettings,
    protocol::{Body, Envelope, MAX_FILES, Message, Request, frame},
    sys::{
        children::{Child, Started},
        mounts::Mounts,
    },
};

/// How long a killed worker may take to die before it counts as hanging in the
/// kernel.
const GRACE: Duration = Duration::from_secs(1);

/// The most that a failure may take from here to who waits for it.
const HANDED_ON: Duration = Duration::from_millis(250);

/// Something the supervisor must act on.
#[derive(Debug)]
pub(crate) enum Event {
    Submit(Job),
    /// Somebody stopped waiting for a fetch.
    Abandoned,
    /// Somebody waits for certain bytes of a fetch.
    Wished,
    Said(u64, Message, Vec<u8>),
    /// The conversation with this worker is over.
    Closed(u64),
    /// A worker that departed is dead.
    Reaped(Vec<Waiting<Job>>),
    /// A worker that departed does not die.
    LeftBehind(Vec<Waiting<Job>>),
    Stop(oneshot::Sender<()>),
}

impl Task for Job {
    fn fills_file(&self) -> bool {
        self.is_fetch()
    }

    fn is_abandoned(&self) -> bool {
        Job::is_abandoned(self)
    }

    fn untold_wishes(&self) -> Vec<Wish> {
        Job::untold_wishes(self)
    }
}

#[derive(Debug)]
struct Worker {
    child: Child,
    outbox: mpsc::UnboundedSender<Letter>,
    talk: [JoinHandle<()>; 2],
}

#[derive(Debug)]
pub(crate) struct Supervisor {
    settings: OriginSettings,
    starter: Starter,
    schedule: Schedule<Job>,
    mounts: Mounts,
    worker: Option<Worker>,
    generation: u64,
    reapers: JoinSet<()>,
    events: mpsc::WeakUnboundedSender<Event>,
    counters: Arc<Mutex<Counters>>,
}

impl Supervisor {
    /// Starts the first worker and the task that watches it.
    pub(crate) fn start(
        mut settings: OriginSettings,
        counters: Arc<Mutex<Counters>>,
    ) -> Result<mpsc::UnboundedSender<Event>, OriginError> {
        settings.parallel = settings.parallel.max(1);
        settings.max_left_behind = settings.max_left_behind.max(1);
        let rules = Rules {
            parallel: settings.parallel,
            // A caller hears of it a little later than it is noticed here, and in time.
            deadline: settings.deadline - (settings.deadline / 20).min(HANDED_ON),
            max_left_behind: settings.max_left_behind,
        };
        let (events, inbox) = mpsc::unbounded_channel();
        let mut supervisor = Self {
            starter: Starter::new(settings.command.clone())?,
            settings,
            schedule: Schedule::new(rules, Instant::now()),
            mounts: Mounts::look(),
            worker: None,
            generation: 0,
            reapers: JoinSet::new(),
            events: events.downgrade(),
            counters,
        };
        supervisor.start_worker()?;
        supervisor.publish();
        tokio::spawn(supervisor.run(inbox));
        Ok(events)
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Event>) {
        let mut stop = None;
        loop {
            let wake = self.schedule.wake(Instant::now());
            let sleep = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = inbox.recv() => match event {
                    None => break,
                    Some(Event::Stop(done)) => {
                        stop = Some(done);
                        break;
                    }
                    Some(event) => self.take(event),
                },
                () = sleep => {}
            }
            // What has queued up meanwhile goes to the worker as one batch.
            while let Ok(event) = inbox.try_recv() {
                if let Event::Stop(done) = event {
                    stop = Some(done);
                    break;
                }
                self.take(event);
            }
            if stop.is_some() {
                break;
            }
            self.tick();
            self.start_if_wanted();
            self.dispatch();
            self.tell_wishes();
            self.publish();
        }
        self.end().await;
        drop(stop);
    }

    fn take(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Submit(job) => {
                self.count(|counters| counters.requests += 1);
                self.submit(job, now);
            }
            Event::Abandoned => {
                let gone = self.schedule.newly_abandoned();
                let cancel = |id| Envelope { id, request: Request::Cancel };
                self.send(gone.into_iter().map(cancel).collect(), Vec::new());
            }
            // Told with the next batch.
            Event::Wished => {}
            Event::Said(generation, message, raw) if generation == self.generation => {
                self.hear(message, raw, now);
            }
            Event::Closed(generation) if generation == self.generation => {
                warn!("the process that reads shared storage died; it is replaced");
                self.dismiss(false);
            }
            Event::Reaped(held) => {
                self.schedule.reaped(now);
                held.into_iter().for_each(|waiting| self.schedule.resume(waiting));
            }
            Event::LeftBehind(held) => {
                warn!("a process that reads shared storage hangs in the kernel; it is left behind");
                for waiting in held {
                    self.time_out(waiting.task);
                }
            }
            Event::Said(..) | Event::Closed(_) | Event::Stop(_) => {}
        }
    }

    fn submit(&mut self, job: Job, now: Instant) {
        if self.schedule.is_silent(&self.mounts.of(&job.path)) {
            // What does not answer may have been unmounted, and something else mounted.
            self.mounts = Mounts::look();
        }
        let place = self.mounts.of(&job.path);
        match self.schedule.submit(job, &place, now) {
            Ok(()) => {}
            Err(Refused::NoWorker(job)) => self.turn_away(job),
            Err(Refused::Silent(job)) => self.fail_silent(job),
        }
    }

    fn hear(&mut self, message: Message, raw: Vec<u8>, now: Instant) {
        self.count(|counters| counters.operations.add(&message.operations));
        self.schedule.heard(now);
        match message.body {
            Body::Pong => {}
            Body::Alive => self.schedule.stirs(message.id, now),
            Body::Resting(wishes) => self.schedule.rests(message.id, wishes, now),
            Body::Told(note) => {
                self.schedule.got_on(message.id, now);
                warn!("{note}");
            }
            Body::Placed(bytes) => {
                if let Some(job) = self.schedule.got_on(message.id, now) {
                    job.tell(bytes);
                }
            }
            body => {
                if let Some(job) = self.schedule.answered(message.id, now) {
                    job.answer(Answer { body, raw });
                }
            }
        }
    }

    fn tick(&mut self) {
        let due = self.schedule.tick(Instant::now());
        if due.iter().any(|due| matches!(due, Due::TimedOut(_))) {
            self.mounts = Mounts::look();
        }
        for due in due {
            match due {
                Due::Ping => {
                    let ping = Envelope { id: u64::MAX, request: Request::Ping };
                    self.send(vec![ping], Vec::new());
                }
                Due::TimedOut(job) => self.time_out(job),
                Due::Silent(job) => self.fail_silent(job),
                Due::Wedged => {
                    warn!("the process that reads shared storage hangs; it is replaced");
                    self.dismiss(true);
                }
            }
        }
    }

    fn start_if_wanted(&mut self) {
        let now = Instant::now();
        if self.schedule.wants_worker(now)
            && let Err(error) = self.start_worker()
        {
            warn!("{error}");
            self.schedule.start_failed(now);
        }
        for job in self.schedule.turn_away(now) {
            self.turn_away(job);
        }
    }

    fn start_worker(&mut self) -> Result<(), OriginError> {
        let Started { child, from, to } = self.starter.start()?;
        self.generation += 1;
        let (outbox, letters) = mpsc::unbounded_channel();
        let listening = tokio::spawn(listen(from, self.generation, self.events.clone()));
        let talk = [listening, tokio::spawn(speak(to, letters))];
        info!(pid = child.id(), "started a process to read shared storage");
        self.worker = Some(Worker { child, outbox, talk });
        self.schedule.worker_started(Instant::now());
        self.count(|counters| counters.started += 1);
        Ok(())
    }

    /// Kills the worker, and moves its requests to the next where that is safe.
    fn dismiss(&mut self, wedged: bool) {
        let Some(mut worker) = self.worker.take() else { return };
        worker.talk.iter().for_each(JoinHandle::abort);
        _ = worker.child.start_kill();
        self.count(|counters| counters.replaced += 1);
        let departed = self.schedule.worker_departed(Instant::now());
        for job in departed.failed {
            if wedged {
                self.time_out(job);
            } else {
                job.fail(|path| OriginError::WorkerLost { path });
            }
        }
        self.reapers.spawn(reap(worker.child, departed.held, self.events.clone()));
        while self.reapers.try_join_next().is_some() {}
    }

    fn dispatch(&mut self) {
        let mut batch = Vec::new();
        let mut files = Vec::new();
        let mut broken = Vec::new();
        let mut batches = Vec::new();
        for (id, job) in self.schedule.dispatch() {
            match job.into.as_ref().map(File::try_clone).transpose() {
                Ok(file) => files.extend(file),
                Err(error) => {
                    broken.push((id, error));
                    continue;
                }
            }
            job.tell_wishes_again();
            batch.push(Envelope { id, request: job.request.clone() });
            if files.len() == MAX_FILES {
                batches.push((std::mem::take(&mut batch), std::mem::take(&mut files)));
            }
        }
        batches.push((batch, files));
        for (batch, files) in batches {
            self.send(batch, files);
        }
        for (id, error) in broken {
            let errno = error.raw_os_error().unwrap_or_default();
            if let Some(job) = self.schedule.answered(id, Instant::now()) {
                job.fail(|path| OriginError::Destination { path, errno });
            }
        }
    }

    fn tell_wishes(&mut self) {
        let wishes = self.schedule.wishes(Instant::now()).into_iter();
        let want = |(id, wish)| {
            let request = match wish {
                Wish::Bytes(bytes) => Request::Want { from: bytes.start, to: bytes.end },
                Wish::Foreseen(bytes) => Request::Foresee { from: bytes.start, to: bytes.end },
                Wish::All => Request::WantAll,
            };
            Envelope { id, request }
        };
        self.send(wishes.map(want).collect(), Vec::new());
    }

    fn send(&self, batch: Vec<Envelope>, files: Vec<File>) {
        if let Some(worker) = &self.worker
            && !batch.is_empty()
        {
            self.count(|counters| counters.batches += 1);
            _ = worker.outbox.send((frame(&batch, &[]), files));
        }
    }

    fn time_out(&self, job: Job) {
        self.count(|counters| counters.timed_out += 1);
        let after = self.settings.deadline;
        job.fail(|path| OriginError::TimedOut { path, after });
    }

    fn fail_silent(&self, job: Job) {
        self.count(|counters| counters.refused += 1);
        job.fail(|path| OriginError::Silent { path });
    }

    fn turn_away(&self, job: Job) {
        let left_behind = self.schedule.left_behind();
        job.fail(|path| OriginError::Unavailable { path, left_behind });
    }

    async fn end(mut self) {
        for job in self.schedule.drain() {
            job.fail(|path| OriginError::Stopped { path });
        }
        self.dismiss(false);
        self.publish();
        let reapers = async { while self.reapers.join_next().await.is_some() {} };
        _ = tokio::time::timeout(GRACE, reapers).await;
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn publish(&self) {
        let (left_behind, stuck) = (self.schedule.left_behind(), self.schedule.stuck());
        let pid = self.worker.as_ref().and_then(|worker| worker.child.id());
        self.count(|c| (c.left_behind, c.stuck, c.pid) = (left_behind, stuck, pid));
    }
}

/// Waits for the end of a killed worker, and tells.
async fn reap(
    mut child: Child,
    mut held: Vec<Waiting<Job>>,
    events: mpsc::WeakUnboundedSender<Event>,
) {
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        tell(&events, Event::LeftBehind(std::mem::take(&mut held)));
        _ = child.wait().await;
    }
    tell(&events, Event::Reaped(held));
}
