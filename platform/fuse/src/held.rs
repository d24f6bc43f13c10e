//! Directories that requests under way keep locked.
//!
//! The kernel answers a notice about a name only once it has the lock of the directory, and while it
//! waits the thread that sent the notice cannot be killed. Were the daemon killed then, that thread
//! would keep the connection open, and the requests that hold the lock would wait for ever for
//! answers. So a notice waits here for those requests, and in the kernel only for a moment.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fuser::INodeNo;
use parking_lot::{Condvar, Mutex};

/// A directory that is never free is told of all the same after this time.
const LONGEST: Duration = Duration::from_secs(5);

/// The directories, each with how many requests keep it locked.
#[derive(Default)]
pub(crate) struct Held {
    requests: Mutex<HashMap<u64, usize>>,
    freed: Condvar,
}

/// A request under way, until it is dropped.
pub(crate) struct Holding {
    held: Arc<Held>,
    directories: Vec<INodeNo>,
}

impl Held {
    /// A request keeps these directories locked until it is answered.
    pub(crate) fn hold(self: &Arc<Self>, directories: &[INodeNo]) -> Holding {
        let mut requests = self.requests.lock();
        directories.iter().for_each(|directory| *requests.entry(directory.0).or_default() += 1);
        Holding { held: Arc::clone(self), directories: directories.to_vec() }
    }

    /// Waits until no request keeps this directory locked.
    pub(crate) fn wait(&self, directory: INodeNo) {
        let mut requests = self.requests.lock();
        let locked = |requests: &mut HashMap<u64, usize>| requests.contains_key(&directory.0);
        self.freed.wait_while_for(&mut requests, locked, LONGEST);
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut requests = self.held.requests.lock();
        for directory in &self.directories {
            if let Some(count) = requests.get_mut(&directory.0) {
                *count -= 1;
                if *count == 0 {
                    requests.remove(&directory.0);
                }
            }
        }
        self.held.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn a_notice_waits_for_all_requests_in_its_directory_and_for_no_others() {
        let held = Arc::new(Held::default());
        let (one, other) = (INodeNo(1), INodeNo(2));
        let requests = [held.hold(&[one, other]), held.hold(&[one])];
        let _elsewhere = held.hold(&[other]);
        held.wait(INodeNo(3));
        let (sender, sent) = mpsc::channel();
        let waiting = Arc::clone(&held);
        let notice = thread::spawn(move || {
            waiting.wait(one);
            sender.send(()).unwrap();
        });
        for request in requests {
            assert!(sent.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
            drop(request);
        }
        notice.join().unwrap();
        sent.recv().unwrap();
    }
}
