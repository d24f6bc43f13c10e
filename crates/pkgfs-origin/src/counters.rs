//! What origin was asked, counted exactly.
//!
//! The worker counts system calls on origin where it makes them and sends the count
//! with each message; what a killed worker had not yet told is lost.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// System calls made on origin, by kind, and bytes read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Operations {
    /// Directories read.
    pub list: u64,
    /// Attributes asked for.
    pub stat: u64,
    /// Files and directories opened.
    pub open: u64,
    /// Reads of file content.
    pub read: u64,
    /// Link targets read and paths resolved.
    pub resolve: u64,
    /// Extended attributes listed or read.
    pub xattr: u64,
    /// Bytes of file content read.
    pub bytes: u64,
}

impl Operations {
    /// All operations together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.list + self.stat + self.open + self.read + self.resolve + self.xattr
    }

    pub(crate) fn add(&mut self, more: &Self) {
        self.list += more.list;
        self.stat += more.stat;
        self.open += more.open;
        self.read += more.read;
        self.resolve += more.resolve;
        self.xattr += more.xattr;
        self.bytes += more.bytes;
    }
}

/// The state of an [`Origin`](crate::Origin), and what it has done since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    /// What workers did on origin.
    pub operations: Operations,
    /// Requests answered or failed.
    pub requests: u64,
    /// Messages that carried requests: batching shows as fewer of them.
    pub batches: u64,
    /// Requests that ran into their deadline.
    pub timed_out: u64,
    /// Requests that failed at once, since their file system does not answer.
    pub refused: u64,
    /// Workers started.
    pub started: u64,
    /// Workers that died or were given up.
    pub replaced: u64,
    /// Workers that were killed and are not dead yet, now.
    pub left_behind: usize,
    /// Threads of the present worker that hang, now.
    pub stuck: usize,
    /// Process of the present worker.
    pub pid: Option<u32>,
}

/// A kind of system call on origin.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// A directory read.
    List,
    /// Attributes asked for.
    Stat,
    /// A file or directory opened.
    Open,
    /// A read of this many bytes.
    Read(u64),
    /// A link target read or a path resolved.
    Resolve,
    /// Extended attributes listed or read.
    Xattr,
}

/// Counts the operations of one request, from any of its threads.
#[derive(Debug, Default)]
pub(crate) struct Meter([AtomicU64; 7]);

impl Meter {
    pub(crate) fn count(&self, operation: Operation) {
        let kind = match operation {
            Operation::List => 0,
            Operation::Stat => 1,
            Operation::Open => 2,
            Operation::Read(bytes) => {
                self.0[6].fetch_add(bytes, Ordering::Relaxed);
                3
            }
            Operation::Resolve => 4,
            Operation::Xattr => 5,
        };
        self.0[kind].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since the last call.
    pub(crate) fn take(&self) -> Operations {
        let [list, stat, open, read, resolve, xattr, bytes] =
            std::array::from_fn(|kind| self.0[kind].swap(0, Ordering::Relaxed));
        Operations { list, stat, open, read, resolve, xattr, bytes }
    }
}
