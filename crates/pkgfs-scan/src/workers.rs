//! Threads that take tasks from a queue, to which a task may add others.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, Scope},
    time::{Duration, Instant},
};

/// A task that takes longer than this waits for storage; one that finds all in memory takes a tenth.
const WAITING: Duration = Duration::from_millis(1);

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
    let processors = thread::available_parallelism().map_or(1, usize::from).min(jobs);
    let crew = Crew {
        queue: Queue { state: Mutex::new(state), changed: Condvar::new() },
        start,
        spare: AtomicUsize::new(jobs - processors),
    };
    thread::scope(|scope| {
        crew.add(processors - 1, scope);
        crew.work(scope);
    });
}

/// The threads at work.
struct Crew<T, S> {
    queue: Queue<T>,
    start: S,
    /// Threads that are not started yet.
    spare: AtomicUsize,
}

impl<T, S, W> Crew<T, S>
where
    T: Send,
    S: Fn() -> W + Sync,
    W: FnMut(T, &Queue<T>),
{
    fn add<'scope>(&'scope self, count: usize, scope: &'scope Scope<'scope, '_>) {
        for _ in 0..count {
            // Where no further thread is to be had, those there are do the work.
            if thread::Builder::new().spawn_scoped(scope, || self.work(scope)).is_err() {
                break;
            }
        }
    }

    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let mut worker = (self.start)();
        while let Some(task) = self.queue.next() {
            let _busy = Busy(&self.queue);
            let begun = Instant::now();
            worker(task, &self.queue);
            if begun.elapsed() > WAITING {
                self.add(self.spare.swap(0, Ordering::Relaxed), scope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn all_threads_are_there_once_a_task_waits() {
        let together = std::sync::Barrier::new(8);
        run(8, vec![false], || {
            |wait: bool, queue: &Queue<bool>| {
                if wait {
                    together.wait();
                } else {
                    thread::sleep(2 * WAITING);
                    queue.add([true; 8]);
                }
            }
        });
    }

    #[test]
    #[should_panic(expected = "panicked")]
    fn a_task_that_panics_ends_it_all() {
        run(4, vec![0, 1, 2], || |task, _: &Queue<i32>| assert_ne!(task, 1, "a task panicked"));
    }
}
