//! One request on its way: what is asked, and who waits.

use std::{os::fd::OwnedFd, path::PathBuf};

use tokio::sync::{oneshot, watch};

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
    pub(crate) into: Option<OwnedFd>,
    pub(crate) reply: Reply,
}

/// Where answers go.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) done: oneshot::Sender<Result<Answer, OriginError>>,
    pub(crate) progress: Option<watch::Sender<u64>>,
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

    /// Tells how much of the file is in place. A copy begun anew starts below what
    /// was told already, and what was told stays true.
    pub(crate) fn tell(&self, bytes: u64) {
        if let Some(progress) = &self.reply.progress {
            progress.send_if_modified(|told| {
                let more = bytes > *told;
                *told = bytes.max(*told);
                more
            });
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
