//! Asks the user's own rez what only rez can tell.
//!
//! A definition that is a program (`@early`, imports, conditionals) means what rez's Python makes of
//! it, under the user's own configuration. So rez is asked, in a process of its own that is started
//! at the first question, kept warm, and replaced when it dies. Each question is answered by a fork
//! of it, or where the system cannot fork by a process that has been made ready, which ends with the
//! answer or with its deadline, and takes along whatever the definition did and started. Nothing here
//! decides what may be cached; that is rez's answer.
//!
//! ```text
//! RezWorker ── one question at a time ── rez-python -c … ── a process for each question
//! ```
//!
//! The invariant: an answer is rez's own to this question, or there is an error that says why not.

mod error;
mod process;
mod program;
mod question;
mod sys;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;

pub use error::RezError;
use process::{Process, Reply};
use program::Manner;
use question::Question;
pub use question::{ToldPackage, ToldVariant};

/// Processes that could not be killed and may exist at once.
const MOST_LEFT_BEHIND: usize = 4;

/// For how long a command that could not be started is not tried again.
const START_AVOIDED: Duration = Duration::from_secs(5);

/// How rez is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RezWorkerSettings {
    /// The command that runs rez's own Python, to which `-c` and a program are added.
    pub command: Vec<String>,
    /// The longest wait for an answer.
    pub deadline: Duration,
}

/// What became of the questions so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RezWorkerStatus {
    /// The process, while there is one.
    pub pid: Option<u32>,
    /// The version of rez that answers, once it has.
    pub version: Option<String>,
    /// Questions asked.
    pub questions: u64,
    /// Processes started.
    pub started: u64,
    /// Questions that no answer came to in time.
    pub timed_out: u64,
    /// Processes that hang in the kernel and cannot be killed.
    pub left_behind: usize,
}

/// The user's own rez. Clones ask the same process.
#[derive(Debug, Clone)]
pub struct RezWorker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: RezWorkerSettings,
    manner: Manner,
    process: Mutex<Slot>,
    status: std::sync::Mutex<RezWorkerStatus>,
    last_id: AtomicU64,
    left_behind: Arc<AtomicUsize>,
}

/// Where the process is, or why there is none.
#[derive(Debug, Default)]
struct Slot {
    process: Option<Process>,
    failed: Option<(Instant, RezError)>,
}

impl RezWorker {
    /// Nothing is started before the first question.
    #[must_use]
    pub fn new(settings: RezWorkerSettings) -> Self {
        Self::in_manner(settings, sys::MANNER)
    }

    /// One that never forks, as where the system cannot.
    #[doc(hidden)]
    #[must_use]
    pub fn without_fork(settings: RezWorkerSettings) -> Self {
        Self::in_manner(settings, sys::WITHOUT_FORK)
    }

    fn in_manner(settings: RezWorkerSettings, manner: Manner) -> Self {
        Self(Arc::new(Inner {
            settings,
            manner,
            process: Mutex::default(),
            status: std::sync::Mutex::default(),
            last_id: AtomicU64::new(0),
            left_behind: Arc::default(),
        }))
    }

    /// The package that lies at this place; `None` where nothing defines one.
    ///
    /// # Errors
    /// [`RezError::Raised`] when rez cannot use it either, else whatever kept rez from answering.
    pub async fn package(
        &self,
        location: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Option<ToldPackage>, RezError> {
        self.ask(Question::package(location, name, version)).await
    }

    /// The newest package in these repositories that a request asks for, as rez orders versions.
    ///
    /// # Errors
    /// As for [`package`](Self::package); a request that is none is raised by rez.
    pub async fn newest(
        &self,
        request: &str,
        locations: &[String],
    ) -> Result<Option<ToldPackage>, RezError> {
        self.ask(Question::newest(request, locations)).await
    }

    /// Which of these packages, by name and version, a request asks for.
    ///
    /// # Errors
    /// As for [`newest`](Self::newest).
    pub async fn matching(
        &self,
        request: &str,
        packages: &[(String, Option<String>)],
    ) -> Result<Vec<bool>, RezError> {
        self.ask(Question::matching(request, packages)).await
    }

    /// What became of the questions so far.
    #[must_use]
    pub fn status(&self) -> RezWorkerStatus {
        let mut status = self.0.status().clone();
        status.left_behind = self.0.left_behind.load(Ordering::Relaxed);
        status
    }

    /// Ends the process; the next question starts another.
    pub async fn stop(&self) {
        if let Some(process) = self.0.process.lock().await.process.take() {
            self.0.dismiss(process).await;
        }
    }

    async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        question: Question,
    ) -> Result<T, RezError> {
        let inner = Arc::clone(&self.0);
        // On a task of its own: who asks may stop waiting, and the answer would be left for the
        // next question.
        let asking = tokio::spawn(async move { inner.answer(question).await });
        let answer = asking.await.map_err(|_| RezError::Died)??;
        serde_json::from_value(answer).map_err(|error| RezError::Answer(error.to_string()))
    }
}

impl Inner {
    async fn answer(&self, question: Question) -> Result<serde_json::Value, RezError> {
        let deadline = self.settings.deadline;
        let busy = |_| RezError::Busy { after: deadline };
        let mut slot = tokio::time::timeout(deadline, self.process.lock()).await.map_err(busy)?;
        self.status().questions += 1;
        loop {
            let (mut process, warm) = match slot.process.take() {
                Some(process) => (process, true),
                None => (self.start(&mut slot).await?, false),
            };
            let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
            let late = || {
                self.status().timed_out += 1;
                Err(RezError::TimedOut { after: deadline })
            };
            match process.ask(id, &question, deadline).await {
                Ok(reply) => {
                    slot.process = Some(process);
                    return match reply {
                        Reply::Answer(answer) => Ok(answer),
                        Reply::Error(raised) => Err(RezError::Raised(raised)),
                        Reply::Late => late(),
                        Reply::Died => Err(RezError::Died),
                    };
                }
                Err(error) => {
                    self.dismiss(process).await;
                    match error {
                        // Somebody ended it, now or since the last question.
                        RezError::Died if warm => {}
                        RezError::TimedOut { .. } => return late(),
                        error => return Err(error),
                    }
                }
            }
        }
    }

    async fn start(&self, slot: &mut Slot) -> Result<Process, RezError> {
        if let Some((when, error)) = &slot.failed
            && when.elapsed() < START_AVOIDED
        {
            return Err(error.clone());
        }
        let left_behind = self.left_behind.load(Ordering::Relaxed);
        if left_behind >= MOST_LEFT_BEHIND {
            return Err(RezError::LeftBehind(left_behind));
        }
        match Process::start(&self.settings.command, self.manner, &self.left_behind).await {
            Ok((process, version)) => {
                tracing::info!(pid = process.pid(), version, "started a process of rez");
                slot.failed = None;
                let mut status = self.status();
                status.started += 1;
                status.pid = process.pid();
                status.version = Some(version);
                Ok(process)
            }
            Err(error) => {
                slot.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn dismiss(&self, process: Process) {
        self.status().pid = None;
        process.end(Arc::clone(&self.left_behind)).await;
    }

    fn status(&self) -> std::sync::MutexGuard<'_, RezWorkerStatus> {
        self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
