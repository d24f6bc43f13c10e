//! Commands of ProjFS that are answered later, each exactly once.
//!
//! A callback polls its operation once, on the thread that ProjFS called it on. What is ready is
//! answered by the callback's result; what must wait goes on in the runtime, the callback says
//! `ERROR_IO_PENDING`, and the task completes the command. ProjFS may cancel a command at any time after
//! it was called, also before its callback has returned (PRJ_CANCEL_COMMAND_CB): the work then stops at
//! its next wait, and nothing is completed, since the command has ended and its number may be another's
//! by then.

use std::{
    collections::HashMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{AbortHandle, Abortable},
};
use parking_lot::{Condvar, Mutex};

use crate::codes::Win32;

/// What becomes of an operation: done, or why not.
pub(crate) type Outcome = Result<(), Win32>;

/// Completes a command (`PrjCompleteCommand`).
pub(crate) trait Completes: Send + Sync + 'static {
    fn complete(&self, command: i32, outcome: Outcome);
}

/// Where a command is.
enum State {
    /// Its callback has not returned.
    Called,
    /// Cancelled before its callback returned.
    Cancelled,
    /// Its task runs.
    Pending(AbortHandle),
}

/// All commands that are not answered yet.
#[derive(Default)]
pub(crate) struct Commands {
    open: Mutex<HashMap<i32, State>>,
    fewer: Condvar,
}

impl Commands {
    /// Runs the operation of a command; the result is the callback's.
    pub(crate) fn run(
        self: &Arc<Self>,
        runtime: &tokio::runtime::Handle,
        completes: &Arc<dyn Completes>,
        command: i32,
        operation: impl Future<Output = Outcome> + Send + 'static,
    ) -> Outcome {
        self.open.lock().insert(command, State::Called);
        let _inside = runtime.enter();
        let guarded = AssertUnwindSafe(operation).catch_unwind();
        // A panic costs this one command, and was told by its hook.
        let mut operation = Box::pin(guarded.map(|done| done.unwrap_or(Err(Win32::IO_DEVICE))));
        if let Some(outcome) = operation.as_mut().now_or_never() {
            self.close(command);
            return outcome;
        }
        let (abort, registration) = AbortHandle::new_pair();
        {
            let mut open = self.open.lock();
            if matches!(open.get(&command), Some(State::Cancelled)) {
                drop(open);
                self.close(command);
                return Err(Win32::OPERATION_ABORTED);
            }
            open.insert(command, State::Pending(abort));
        }
        let (commands, completes) = (Arc::clone(self), Arc::clone(completes));
        runtime.spawn(async move {
            let outcome = Abortable::new(operation, registration).await;
            if let Ok(outcome) = outcome
                && commands.close(command)
            {
                completes.complete(command, outcome);
            }
        });
        Err(Win32::IO_PENDING)
    }

    /// ProjFS has given a command up.
    pub(crate) fn cancel(&self, command: i32) {
        let mut open = self.open.lock();
        match open.get_mut(&command) {
            Some(state @ State::Called) => *state = State::Cancelled,
            Some(State::Pending(abort)) => {
                abort.abort();
                open.remove(&command);
                self.fewer.notify_all();
            }
            // Answered already, or cancelled before.
            Some(State::Cancelled) | None => {}
        }
    }

    /// Waits until all are answered, but no longer than this, then gives the rest up.
    pub(crate) fn drain(&self, completes: &Arc<dyn Completes>, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut open = self.open.lock();
        while !open.is_empty() {
            if self.fewer.wait_until(&mut open, until).timed_out() {
                break;
            }
        }
        let pending = |state: &mut State| matches!(state, State::Pending(_));
        let left: Vec<_> = open.extract_if(|_, state| pending(state)).collect();
        drop(open);
        for (command, state) in left {
            if let State::Pending(abort) = state {
                abort.abort();
            }
            completes.complete(command, Err(Win32::OPERATION_ABORTED));
        }
    }

    /// Whether it was open until now.
    fn close(&self, command: i32) -> bool {
        let was_open = self.open.lock().remove(&command).is_some();
        self.fewer.notify_all();
        was_open
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::{runtime::Runtime, sync::oneshot};

    use super::*;

    struct Told(Mutex<mpsc::Sender<(i32, Outcome)>>);

    impl Completes for Told {
        fn complete(&self, command: i32, outcome: Outcome) {
            self.0.lock().send((command, outcome)).unwrap();
        }
    }

    struct Scene {
        runtime: Runtime,
        commands: Arc<Commands>,
        completes: Arc<dyn Completes>,
        told: mpsc::Receiver<(i32, Outcome)>,
    }

    impl Scene {
        fn new() -> Self {
            let (sender, told) = mpsc::channel();
            let runtime = Runtime::new().unwrap();
            let completes: Arc<dyn Completes> = Arc::new(Told(Mutex::new(sender)));
            Self { runtime, commands: Arc::default(), completes, told }
        }

        fn run(
            &self,
            command: i32,
            work: impl Future<Output = Outcome> + Send + 'static,
        ) -> Outcome {
            self.commands.run(self.runtime.handle(), &self.completes, command, work)
        }

        fn drain(&self, at_most: Duration) {
            self.commands.drain(&self.completes, at_most);
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_ready_is_answered_by_the_callback_and_not_completed() {
        let scene = Scene::new();
        assert_eq!(scene.run(1, async { Ok(()) }), Ok(()));
        assert_eq!(scene.run(2, async { Err(Win32::FILE_NOT_FOUND) }), Err(Win32::FILE_NOT_FOUND));
        scene.drain(Duration::ZERO);
        assert!(scene.told.try_recv().is_err());
    }

    #[test]
    fn what_waits_is_completed_once() {
        let scene = Scene::new();
        let (go, gone) = oneshot::channel();
        let waits = async move { gone.await.map_err(|_| Win32::IO_DEVICE) };
        assert_eq!(scene.run(1, waits), Err(Win32::IO_PENDING));
        go.send(()).unwrap();
        assert_eq!(scene.told.recv_timeout(LONG), Ok((1, Ok(()))));
        scene.commands.cancel(1);
        scene.drain(Duration::ZERO);
        assert!(scene.told.try_recv().is_err());
    }

    #[test]
    fn what_is_cancelled_stops_and_is_not_completed() {
        let scene = Scene::new();
        let (kept, dropped) = oneshot::channel::<()>();
        let waits = async move {
            let _kept = kept;
            std::future::pending().await
        };
        assert_eq!(scene.run(1, waits), Err(Win32::IO_PENDING));
        scene.commands.cancel(1);
        // Its work is dropped with all that it held.
        assert!(scene.runtime.block_on(dropped).is_err());
        scene.drain(LONG);
        assert!(scene.told.try_recv().is_err());
    }

    #[test]
    fn a_command_cancelled_before_its_callback_returns_does_not_go_on() {
        let scene = Scene::new();
        let commands = Arc::clone(&scene.commands);
        let cancels = async move {
            commands.cancel(1);
            std::future::pending().await
        };
        assert_eq!(scene.run(1, cancels), Err(Win32::OPERATION_ABORTED));
        scene.drain(LONG);
    }

    #[test]
    fn a_panic_costs_one_command() {
        let scene = Scene::new();
        assert_eq!(scene.run(1, async { panic!("of a test") }), Err(Win32::IO_DEVICE));
        assert_eq!(scene.run(2, async { Ok(()) }), Ok(()));
    }

    #[test]
    fn what_does_not_end_is_given_up_when_drained() {
        let scene = Scene::new();
        assert_eq!(scene.run(1, std::future::pending()), Err(Win32::IO_PENDING));
        scene.drain(Duration::ZERO);
        assert_eq!(scene.told.try_recv(), Ok((1, Err(Win32::OPERATION_ABORTED))));
    }
}
