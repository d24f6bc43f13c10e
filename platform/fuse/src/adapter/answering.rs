//! Running operations, and handing what they come to to the kernel.

use std::{future::Future, panic::AssertUnwindSafe};

use fuser::{Errno, INodeNo, ReplyEmpty, Request};
use futures::FutureExt;
use pkgfs_view::ViewError;

use super::Adapter;
use crate::errno::errno;

impl Adapter {
    /// Runs an operation that answers by itself: at once if it need not wait.
    pub(super) fn run(
        &self,
        request: &Request,
        operation: impl Future<Output = ()> + Send + 'static,
    ) {
        let Some(pass) = self.gate.enter() else {
            // With its reply: what is not answered is sent to who takes over.
            return std::mem::forget(operation);
        };
        if self.refuses_resent && is_resent(request) {
            // A reply that is dropped says EIO.
            return drop(operation);
        }
        let _inside = self.runtime.enter();
        let mut operation = Box::pin(async move {
            operation.await;
            drop(pass);
        });
        if operation.as_mut().now_or_never().is_none() {
            self.runtime.spawn(operation);
        }
    }

    /// Runs an operation and hands its outcome, or `Failed` if it panicked, to `reply`.
    pub(super) fn answer<T: 'static>(
        &self,
        request: &Request,
        operation: impl Future<Output = Result<T, ViewError>> + Send + 'static,
        reply: impl FnOnce(Result<T, Errno>) + Send + 'static,
    ) {
        self.run(request, async move {
            let outcome = AssertUnwindSafe(operation).catch_unwind().await;
            reply(outcome.unwrap_or(Err(ViewError::Failed)).map_err(|error| errno(&error)));
        });
    }

    /// The same for an operation during which the kernel keeps these directories locked.
    pub(super) fn answer_in<T: 'static>(
        &self,
        request: &Request,
        directories: &[INodeNo],
        operation: impl Future<Output = Result<T, ViewError>> + Send + 'static,
        reply: impl FnOnce(Result<T, Errno>) + Send + 'static,
    ) {
        let holding = self.held.hold(directories);
        self.answer(request, operation, move |outcome| {
            reply(outcome);
            drop(holding);
        });
    }

    pub(super) fn answer_empty_in(
        &self,
        request: &Request,
        directories: &[INodeNo],
        operation: impl Future<Output = Result<(), ViewError>> + Send + 'static,
        reply: ReplyEmpty,
    ) {
        self.answer_in(request, directories, operation, |outcome| match outcome {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        });
    }

    pub(super) fn answer_empty(
        &self,
        request: &Request,
        operation: impl Future<Output = Result<(), ViewError>> + Send + 'static,
        reply: ReplyEmpty,
    ) {
        self.answer_empty_in(request, &[], operation, reply);
    }
}

/// Whether the kernel sent this to a process that has died, too, and so it may be done already.
pub(super) fn is_resent(request: &Request) -> bool {
    /// `FUSE_UNIQUE_RESEND` (linux/fuse.h).
    const RESENT: u64 = 1 << 63;
    u64::from(request.unique()) & RESENT != 0
}

/// What came of removing something: that it is not there is right for what was asked before.
pub(super) fn removed(resent: bool, outcome: Result<(), ViewError>) -> Result<(), ViewError> {
    match outcome {
        Err(ViewError::NotFound) if resent => Ok(()),
        outcome => outcome,
    }
}
