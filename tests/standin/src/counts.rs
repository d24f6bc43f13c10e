//! Exact counts of what was asked, in all and under watched paths, and a bounded trace.
//!
//! An operation is counted when it arrives, before any wait or fault, so that a count read
//! while operations hang includes them. Bytes and the trace are written just before the answer
//! is sent: whoever has the answer finds them counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::operation::Operation;

/// The most operations a trace holds; later ones are only counted as dropped.
const TRACE_LIMIT: usize = 200_000;

/// How often each operation was asked, and the bytes that READs answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// LOOKUPs, found or not.
    pub lookup: u64,
    /// GETATTRs.
    pub getattr: u64,
    /// READLINKs.
    pub readlink: u64,
    /// OPENs of files.
    pub open: u64,
    /// READs.
    pub read: u64,
    /// READDIRPLUS requests that answered entries.
    pub readdir: u64,
    /// GETXATTRs.
    pub getxattr: u64,
    /// LISTXATTRs.
    pub listxattr: u64,
    /// STATFSs.
    pub statfs: u64,
    /// Bytes that READs answered.
    pub bytes_read: u64,
}

impl Tally {
    /// All operations.
    pub fn total(&self) -> u64 {
        self.lookup
            + self.getattr
            + self.readlink
            + self.open
            + self.read
            + self.readdir
            + self.getxattr
            + self.listxattr
            + self.statfs
    }

    fn add(&mut self, operation: Operation) {
        *match operation {
            Operation::Lookup => &mut self.lookup,
            Operation::Getattr => &mut self.getattr,
            Operation::Readlink => &mut self.readlink,
            Operation::Open => &mut self.open,
            Operation::Read => &mut self.read,
            Operation::Readdir => &mut self.readdir,
            Operation::Getxattr => &mut self.getxattr,
            Operation::Listxattr => &mut self.listxattr,
            Operation::Statfs => &mut self.statfs,
        } += 1;
    }
}

/// One answered operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedOperation {
    /// What was asked.
    pub operation: Operation,
    /// Of which path, relative to the mount; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Bytes that a READ answered; 0 otherwise.
    pub bytes: u64,
    /// When it arrived, in microseconds since the trace began,
    pub arrived_us: u64,
    /// and when its answer was about to be sent.
    pub answered_us: u64,
}

/// The answered operations since the trace was switched on, in order of their answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What was kept.
    pub operations: Vec<TracedOperation>,
    /// How many more came after the trace was full.
    pub dropped: u64,
}

/// The state of a stand-in, as `stats` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Everything asked since the start or the last reset.
    pub operations: Tally,
    /// The same for each watched path and what is below it.
    pub watched: BTreeMap<String, Tally>,
    /// Operations in service now.
    pub in_service: usize,
    /// The most that were in service at a time.
    pub max_in_service: usize,
    /// Operations waiting for a slot now.
    pub queued: usize,
    /// Operations that hang now.
    pub hung: usize,
    /// Operations that a fault struck.
    pub faulted: u64,
    /// Microseconds an operation spends in service.
    pub delay_us: u64,
    /// Operations that may be in service at a time.
    pub slots: usize,
    /// Bytes a second, when limited.
    pub bandwidth: Option<u64>,
    /// How long the kernel keeps attributes.
    pub attr_ttl_ms: u64,
    /// How long the kernel keeps names found.
    pub entry_ttl_ms: u64,
    /// How long the kernel keeps names not found.
    pub negative_ttl_ms: u64,
    /// The kernel's read-ahead in KiB, as in force.
    pub read_ahead_kb: u32,
    /// The largest READ, in bytes.
    pub max_read: u32,
}

#[derive(Debug, Default)]
struct State {
    all: Tally,
    watched: Vec<(PathBuf, Tally)>,
    faulted: u64,
    trace: Option<(Instant, Trace)>,
}

/// The counters of one mount.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<State>);

impl Counts {
    pub(crate) fn arrived(&self, operation: Operation, path: &Path) {
        let mut state = self.lock();
        state.all.add(operation);
        for (prefix, tally) in &mut state.watched {
            if path.starts_with(prefix) {
                tally.add(operation);
            }
        }
    }

    pub(crate) fn struck(&self) {
        self.lock().faulted += 1;
    }

    pub(crate) fn answered(&self, operation: Operation, path: &Path, bytes: u64, arrived: Instant) {
        let mut state = self.lock();
        state.all.bytes_read += bytes;
        for (prefix, tally) in &mut state.watched {
            if path.starts_with(prefix) {
                tally.bytes_read += bytes;
            }
        }
        if let Some((began, trace)) = &mut state.trace {
            if trace.operations.len() < TRACE_LIMIT {
                let since = |then: Instant| then.duration_since(*began).as_micros() as u64;
                trace.operations.push(TracedOperation {
                    operation,
                    path: path.to_string_lossy().into_owned(),
                    bytes,
                    arrived_us: since(arrived),
                    answered_us: since(Instant::now()),
                });
            } else {
                trace.dropped += 1;
            }
        }
    }

    /// Zeroes every count and empties the trace; watched paths stay watched.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        state.all = Tally::default();
        state.faulted = 0;
        for (_, tally) in &mut state.watched {
            *tally = Tally::default();
        }
        if state.trace.is_some() {
            state.trace = Some((Instant::now(), Trace::default()));
        }
    }

    pub(crate) fn watch(&self, paths: Vec<PathBuf>) {
        self.lock().watched = paths.into_iter().map(|path| (path, Tally::default())).collect();
    }

    pub(crate) fn set_trace(&self, on: bool) {
        self.lock().trace = on.then(|| (Instant::now(), Trace::default()));
    }

    pub(crate) fn trace(&self) -> Trace {
        self.lock().trace.as_ref().map(|(_, trace)| trace.clone()).unwrap_or_default()
    }

    pub(crate) fn all(&self) -> (Tally, u64) {
        let state = self.lock();
        (state.all, state.faulted)
    }

    pub(crate) fn watched(&self) -> BTreeMap<String, Tally> {
        let state = self.lock();
        let named =
            |(path, tally): &(PathBuf, Tally)| (path.to_string_lossy().into_owned(), *tally);
        state.watched.iter().map(named).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, TRACE_LIMIT};
    use crate::operation::Operation;
    use std::path::Path;
    use std::time::Instant;

    #[test]
    fn a_watched_path_counts_what_is_at_and_below_it() {
        let counts = Counts::default();
        counts.watch(vec!["a/b".into()]);
        for path in ["a/b", "a/b/c", "a/bc", "a"] {
            counts.arrived(Operation::Getattr, Path::new(path));
        }
        assert_eq!(counts.all().0.getattr, 4);
        assert_eq!(counts.watched()["a/b"].getattr, 2);
    }

    #[test]
    fn a_full_trace_counts_what_it_drops() {
        let counts = Counts::default();
        counts.set_trace(true);
        for _ in 0..TRACE_LIMIT + 2 {
            counts.answered(Operation::Read, Path::new("f"), 1, Instant::now());
        }
        let trace = counts.trace();
        assert_eq!((trace.operations.len(), trace.dropped), (TRACE_LIMIT, 2));
    }
}
