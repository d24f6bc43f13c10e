//! Threads that take tasks from a queue, to which a task may add others.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Tasks that wait.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    busy: usize,
}

impl<T> Queue<T> {
    /// Adds tasks; called by a task.
    pub(crate) fn add(&self, tasks: impl IntoIterator<Item = T>) {
        self.lock().waiting.extend(tasks);
        self.changed.notify_all();
    }

    /// The next task; `None` once there is none and no busy thread could add one.
    fn next(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.waiting.pop_front() {
                state.busy += 1;
                return Some(task);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a task has ended, in whatever way.
struct Busy<'a, T>(&'a Queue<T>);

impl<T> Drop for Busy<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        if state.busy == 0 && state.waiting.is_empty() {
            self.0.changed.notify_all();
        }
    }
}

/// Does the tasks and those they add with `jobs` threads, this one included. Each thread makes a
/// worker for itself with `start`.
pub(crate) fn run<T, W>(jobs: usize, tasks: Vec<T>, start: impl Fn() -> W + Sync)
where
    T: Send,
    W: FnMut(T, &Queue<T>),
{
    let state = State { waiting: tasks.into(), busy: 0 };
    let queue = Queue { state: Mutex::new(state), changed: Condvar::new() };
    let work = || {
        let mut worker = start();
        while let Some(task) = queue.next() {
            let _busy = Busy(&queue);
            worker(task, &queue);
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs {
            // Where no further thread is to be had, those there are do the work.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn tasks_that_tasks_add_are_done_and_then_it_ends() {
        for jobs in [1, 2, 16] {
            let done = AtomicUsize::new(0);
            run(jobs, vec![4u32; 3], || {
                |depth: u32, queue: &Queue<u32>| {
                    done.fetch_add(1, Ordering::Relaxed);
                    queue.add((0..depth).map(|_| depth - 1));
                }
            });
            // 1 + 4 + 4·3 + 4·3·2 + 4·3·2·1 tasks below each.
            assert_eq!(done.into_inner(), 3 * 65, "{jobs}");
        }
    }

    #[test]
    #[should_panic(expected = "panicked")]
    fn a_task_that_panics_ends_it_all() {
        run(4, vec![0, 1, 2], || |task, _: &Queue<i32>| assert_ne!(task, 1, "a task panicked"));
    }
}
