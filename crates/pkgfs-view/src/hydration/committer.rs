//! The committer: makes what has arrived durable, many files under one transaction.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use pkgfs_store::{FileKey, Finished, Store, StoreError};
use tokio::sync::oneshot;

use super::{Flight, Hydration};
use crate::sync::{self, mpsc};

/// How many finished files are made durable under one transaction at most.
pub(super) const BATCH: usize = 1024;

/// A batch is made durable once the small files in it hold this many bytes of memory.
const BATCH_BYTES: usize = 8 << 20;

/// A batch waits until nothing has arrived for this long: making files durable takes the
/// disk from a program that is just starting, and nobody waits for it.
const QUIET: Duration = Duration::from_millis(250);

/// A batch waits no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What the committer is given.
pub(super) enum Work {
    /// A file that the origin worker has filled.
    Keep(Finished),
    /// A small file that arrived in memory.
    Write(FileKey, Arc<[u8]>),
    /// Answered when all that came before is durable.
    Settle(oneshot::Sender<()>),
}

impl Work {
    /// Bytes that it holds in memory.
    pub(super) fn held(&self) -> u64 {
        match self {
            Self::Write(_, bytes) => bytes.len() as u64,
            Self::Keep(_) | Self::Settle(_) => 0,
        }
    }
}

/// What arrives until a quiet moment is made durable together.
pub(super) fn commit_batches(
    work: &mpsc::Receiver<(Work, Weak<Flight>)>,
    store: &Store,
    hydration: &Weak<Hydration>,
) {
    while let Ok(first) = work.recv() {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut waiting = Vec::new();
        let latest = Instant::now() + LONGEST_WAIT;
        let mut next = Some(first);
        while let Some((item, flight)) = next {
            match item {
                Work::Keep(..) => batch.push((item, flight)),
                Work::Write(_, ref content) => {
                    bytes += content.len();
                    batch.push((item, flight));
                }
                Work::Settle(sender) => waiting.push(sender),
            }
            next = if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                None
            } else if waiting.is_empty() {
                let patience = latest.saturating_duration_since(Instant::now()).min(QUIET);
                sync::receive_within(work, patience)
            } else {
                work.try_recv().ok()
            };
        }
        commit(batch, store, hydration);
        for sender in waiting {
            // Who asked may have stopped waiting.
            let _ = sender.send(());
        }
    }
}

fn commit(batch: Vec<(Work, Weak<Flight>)>, store: &Store, hydration: &Weak<Hydration>) {
    let mut ended = Vec::new();
    let mut finished = Vec::new();
    let held: u64 = batch.iter().map(|(work, _)| work.held()).sum();
    let full = hydration.upgrade().is_some_and(|hydration| hydration.room.is_full());
    for (item, flight) in batch {
        match item {
            Work::Keep(whole) => {
                ended.push((whole.file, flight));
                finished.push(whole);
            }
            Work::Write(key, bytes) => {
                ended.push((key, flight));
                if full {
                    continue;
                }
                match store.finish(key, &bytes) {
                    Ok(whole) => finished.push(whole),
                    Err(error) => tell(hydration, &error),
                }
            }
            Work::Settle(_) => {}
        }
    }
    if !finished.is_empty()
        && let Err(error) = store.commit(finished)
    {
        tell(hydration, &error);
    }
    if let Some(hydration) = hydration.upgrade() {
        let mut flights = hydration.flights.lock();
        ended.iter().for_each(|(key, flight)| Hydration::take_out(&mut flights, *key, flight));
        hydration.room.look();
        hydration.waiting.send_modify(|(bytes, files)| {
            *bytes = bytes.saturating_sub(held);
            *files = files.saturating_sub(ended.len());
        });
    }
}

/// Readers have their bytes; the next one asks origin again.
fn tell(hydration: &Weak<Hydration>, error: &StoreError) {
    if let Some(hydration) = hydration.upgrade() {
        hydration.room.refused(error);
    }
}
