//! Requests under way, and where new ones are put when this process is to end.
//!
//! A request that is never answered is not lost: the kernel sends it to the process that takes over. So
//! before a hand-over new ones are let lie, and those under way come to their end.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    quiet: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    under_way: usize,
}

/// A request under way, until it is dropped.
pub(crate) struct Pass(std::sync::Arc<Gate>);

impl Gate {
    /// Lets a request in; none when nothing is answered any more.
    pub(crate) fn enter(self: &std::sync::Arc<Self>) -> Option<Pass> {
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        state.under_way += 1;
        Some(Pass(std::sync::Arc::clone(self)))
    }

    /// Answers nothing from now on, and waits until what is under way has ended; not longer than
    /// `at_most`.
    pub(crate) fn close(&self, at_most: Duration) {
        let mut state = self.state.lock();
        state.closed = true;
        self.quiet.wait_while_for(&mut state, |state| state.under_way > 0, at_most);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.under_way -= 1;
        if state.under_way == 0 {
            self.0.quiet.notify_all();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_closed_gate_lets_nobody_in_and_waits_for_who_is_inside() {
        let gate = Arc::<Gate>::default();
        let pass = gate.enter().unwrap();
        let closing = Arc::clone(&gate);
        let closed = thread::spawn(move || closing.close(Duration::from_secs(60)));
        while gate.enter().is_some() {
            thread::yield_now();
        }
        assert!(!closed.is_finished());
        drop(pass);
        closed.join().unwrap();
        gate.close(Duration::ZERO);
    }
}
