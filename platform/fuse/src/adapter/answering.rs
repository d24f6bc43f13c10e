//! Running operations, and handing what they come to to the kernel.

use std::{future::Future, panic::AssertUnwindSafe};

use fuser::{Errno, INodeNo, ReplyEmpty};
use futures::FutureExt;
use pkgfs_view::ViewError;

use super::Adapter;
use crate::errno::errno;

impl Adapter {
    /// Runs an operation that answers by itself: at once if it need not wait.
    pub(super) fn run(&self, operation: impl Future<Output = ()> + Send + 'static) {
        let _inside = self.runtime.enter();
        let mut operation = Box::pin(operation);
        if operation.as_mut().now_or_never().is_none() {
            self.runtime.spawn(operation);
        }
    }

    /// Runs an operation and hands its outcome, or `Failed` if it panicked, to `reply`.
    pub(super) fn answer<T: 'static>(
        &self,
        operation: impl Future<Output = Result<T, ViewError>> + Send + 'static,
        reply: impl FnOnce(Result<T, Errno>) + Send + 'static,
    ) {
        self.run(async move {
            let outcome = AssertUnwindSafe(operation).catch_unwind().await;
            reply(outcome.unwrap_or(Err(ViewError::Failed)).map_err(|error| errno(&error)));
        });
    }

    /// The same for an operation during which the kernel keeps these directories locked.
    pub(super) fn answer_in<T: 'static>(
        &self,
        directories: &[INodeNo],
        operation: impl Future<Output = Result<T, ViewError>> + Send + 'static,
        reply: impl FnOnce(Result<T, Errno>) + Send + 'static,
    ) {
        let holding = self.held.hold(directories);
        self.answer(operation, move |outcome| {
            reply(outcome);
            drop(holding);
        });
    }

    pub(super) fn answer_empty_in(
        &self,
        directories: &[INodeNo],
        operation: impl Future<Output = Result<(), ViewError>> + Send + 'static,
        reply: ReplyEmpty,
    ) {
        self.answer_in(directories, operation, |outcome| match outcome {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        });
    }

    pub(super) fn answer_empty(
        &self,
        operation: impl Future<Output = Result<(), ViewError>> + Send + 'static,
        reply: ReplyEmpty,
    ) {
        self.answer_empty_in(&[], operation, reply);
    }
}
