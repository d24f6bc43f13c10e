//! One request on its way: what is asked, and who waits.

use std::{
    fs::File,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    OriginError,
    protocol::{Body, Request},
};

/// What the worker answered: the message's body and the raw bytes that came with it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) body: Body,
    pub(crate) raw: Vec<u8>,
}

/// A request and who waits for it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) request: Request,
    /// For a fetch, the file to fill.
    pub(crate) into: Option<File>,
    pub(crate) reply: Reply,
}

/// Where answers go.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) done: oneshot::Sender<Result<Answer, OriginError>>,
    /// For a fetch: who follows it.
    pub(crate) follower: Option<Follower>,
}

/// Who follows a fetch.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) placed: mpsc::UnboundedSender<Vec<Range<u64>>>,
    pub(crate) wishes: Arc<Mutex<Wishes>>,
}

/// What somebody waits for of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    Bytes(Range<u64>),
    Foreseen(Range<u64>),
    All,
}

/// All that somebody has waited for of a fetch.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    all: Vec<Wish>,
    told: usize,
}

impl Wishes {
    pub(crate) fn add(&mut self, wish: Wish) {
        self.all.push(wish);
    }

    /// Those that the worker was not told yet.
    fn untold(&mut self) -> Vec<Wish> {
        let untold = self.all[self.told..].to_vec();
        self.told = self.all.len();
        untold
    }
}

impl Follower {
    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Whether it fills a file.
    pub(crate) fn is_fetch(&self) -> bool {
        self.into.is_some()
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.reply.done.is_closed()
    }

    /// Tells what is in place. A copy begun anew tells again what was told already, and
    /// that stays true.
    pub(crate) fn tell(&self, bytes: Vec<Range<u64>>) {
        if let Some(follower) = &self.reply.follower {
            // Who followed it may have gone.
            _ = follower.placed.send(bytes);
        }
    }

    /// Wishes that its worker has not been told yet.
    pub(crate) fn untold_wishes(&self) -> Vec<Wish> {
        self.reply.follower.as_ref().map(|follower| follower.wishes().untold()).unwrap_or_default()
    }

    /// It goes to another worker, which knows of no wishes.
    pub(crate) fn tell_wishes_again(&self) {
        if let Some(follower) = &self.reply.follower {
            follower.wishes().told = 0;
        }
    }

    pub(crate) fn answer(self, answer: Answer) {
        let limit = match self.request {
            Request::Read { limit, .. } => limit,
            _ => u64::MAX,
        };
        _ = self.reply.done.send(match answer.body {
            Body::Failed(failure) => Err(OriginError::from_failure(failure, limit)),
            _ => Ok(answer),
        });
    }

    pub(crate) fn fail(self, error: impl FnOnce(PathBuf) -> OriginError) {
        _ = self.reply.done.send(Err(error(self.path)));
    }
}
