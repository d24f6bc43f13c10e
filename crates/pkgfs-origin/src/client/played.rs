//! An origin without a worker: whoever tests what is above it plays storage.
//!
//! Requests come out of [`Played`] in the order in which they were made, and are answered in any
//! order, as a worker may. No time passes here and no thread runs, so that a test alone decides
//! what happens when.

use std::{fs::File, ops::Range, path::Path, sync::Arc};

use pkgfs_manifest::{FileState, Listing};
use tokio::sync::mpsc;

use super::{
    Origin,
    job::{Answer, Job, Wish},
    supervisor::Event,
};
use crate::{
    Cause, Failure, Fetched, OriginError, Rest,
    protocol::{self, Body},
};

/// The other end of an [`Origin`]: what is asked of it.
#[derive(Debug)]
pub struct Played(mpsc::UnboundedReceiver<Event>);

/// A request, until it is answered.
#[derive(Debug)]
pub struct Request(Job);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A directory.
    List,
    /// A small file.
    Read,
    /// Bytes of a file in this state.
    ReadAt(FileState, Range<u64>),
    /// A file in this state, to be copied.
    Fetch(FileState, Rest),
    /// Something that is answered by failure here.
    Else,
}

impl Origin {
    /// An origin, and what is asked of it.
    #[must_use]
    pub fn played(parallel: usize) -> (Self, Played) {
        let (events, asked) = mpsc::unbounded_channel();
        (Self { events, counters: Arc::default(), parallel, keep_acls: false }, Played(asked))
    }
}

impl Played {
    /// The next request; `Err` if there is none, but fetches under way may have new wishes, or
    /// nobody who waits for them any more. `None` once the origin is gone.
    pub async fn next(&mut self) -> Option<Result<Request, ()>> {
        loop {
            match self.0.recv().await? {
                Event::Submit(job) => return Some(Ok(Request(job))),
                Event::Wished | Event::Abandoned => return Some(Err(())),
                Event::Stop(ended) => _ = ended.send(()),
                // Only a worker makes the others.
                _ => {}
            }
        }
    }
}

impl Request {
    /// The path at origin.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What is asked for.
    #[must_use]
    pub fn what(&self) -> What {
        match &self.0.request {
            protocol::Request::List { .. } => What::List,
            protocol::Request::Read { .. } => What::Read,
            protocol::Request::ReadAt { expected, from, to, .. } => {
                What::ReadAt(*expected, *from..*to)
            }
            protocol::Request::Fetch { expected, rest, .. } => What::Fetch(*expected, *rest),
            _ => What::Else,
        }
    }

    /// For a fetch: the file to fill.
    #[must_use]
    pub fn destination(&self) -> Option<&File> {
        self.0.into.as_ref()
    }

    /// For a fetch: what was wished for since this was last asked; `None` is all of it.
    #[must_use]
    pub fn wishes(&self) -> Vec<Option<Range<u64>>> {
        let bytes = |wish| match wish {
            Wish::Bytes(bytes) | Wish::Foreseen(bytes) => Some(bytes),
            Wish::All => None,
        };
        self.0.untold_wishes().into_iter().map(bytes).collect()
    }

    /// Whether nobody waits for it any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned()
    }

    /// For a fetch: these bytes are in place.
    pub fn placed(&self, bytes: Range<u64>) {
        self.0.tell(vec![bytes]);
    }

    /// The directory that was asked for.
    pub fn listing(self, listing: &Listing) {
        self.0.answer(Answer { body: Body::Listing, raw: listing.encode() });
    }

    /// The bytes that were asked for, and the state of their file.
    pub fn content(self, bytes: Vec<u8>, state: FileState) {
        self.0.answer(Answer { body: Body::Content(state), raw: bytes });
    }

    /// The file was copied whole.
    pub fn fetched(self, fetched: Fetched) {
        self.0.answer(Answer { body: Body::Fetched(fetched), raw: Vec::new() });
    }

    /// It cannot be had.
    pub fn fail(self, cause: Cause) {
        let failure = Failure::new(self.path(), cause);
        self.0.answer(Answer { body: Body::Failed(failure), raw: Vec::new() });
    }

    /// It did not answer in time.
    pub fn late(self) {
        self.0.fail(|path| OriginError::TimedOut { path, after: std::time::Duration::ZERO });
    }
}
