//! Copying a file that takes many reads.
//!
//! A few readers take its chunks: those that somebody waits for first, in the order they
//! were asked for and a little beyond where that runs on; the rest from the beginning,
//! once nobody has asked for anything for a moment. A program that starts thus gets the parts of a
//! large library that it touches as soon as it touches them, and the rest does not take
//! storage and processors from it.
//!
//! A long copy can overlap a change: the file's state is checked before, with the storage
//! itself at the end, and before any part is told to be in place. The digest is taken of
//! what arrived in the local file, behind the readers, so that nobody who waits for bytes
//! waits for it.

mod plan;

use std::{
    ops::Range,
    os::fd::BorrowedFd,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use pkgfs_manifest::{BlobDigest, FileState};
use rustix::{
    fs::{Advice, fadvise},
    io::{Errno, pread, retry_on_intr},
};

use self::plan::{Next, Plan};
use super::{super::status::Ask, Source, write};
use crate::{Cause, Failure, Fetched, backend::Operation};

/// What is asked for and told of a file at least: a little more than what a page fault
/// asks for.
const CHUNK: u64 = 256 << 10;
/// Chunks that one read takes at most.
const RUN: u64 = 4;
/// Reads under way at a time.
const READERS: u64 = 4;
/// Bytes nobody waits for after which progress is told, or
const TOLD_BYTES: u64 = 4 << 20;
/// the time after which it is: well below any sensible deadline.
const TOLD_TIME: Duration = Duration::from_millis(250);

/// What the readers of one copy share.
struct Chunks<'a> {
    source: &'a Source<'a>,
    into: BorrowedFd<'a>,
    size: u64,
    plan: Mutex<Plan>,
    stop: AtomicBool,
}

/// Chunks that are in place, and whether somebody waits for them.
type Arrival = Result<(Range<u64>, bool), Failure>;

pub(super) fn fetch(
    source: &Source<'_>,
    expected: FileState,
    into: BorrowedFd<'_>,
) -> Result<Fetched, Failure> {
    source.must_be(expected, Ask::Client)?;
    // Whole chunks are asked for by several readers: guessing ahead would fetch twice.
    _ = fadvise(&source.file, 0, None, Advice::Random);
    let size = expected.size;
    let plan = Mutex::new(Plan::new(size.div_ceil(CHUNK)));
    let chunks = Chunks { source, into, size, plan, stop: AtomicBool::new(false) };
    let copied = thread::scope(|scope| {
        let (sender, arrivals) = mpsc::channel();
        for first in (0..READERS.min(chunks.count())).map(|reader| reader == 0) {
            let (chunks, sender) = (&chunks, sender.clone());
            let reader = thread::Builder::new().name("origin-chunks".to_owned());
            // One that cannot be started leaves its share to the others.
            _ = reader.spawn_scoped(scope, move || chunks.read(first, &sender));
        }
        drop(sender);
        let outcome = chunks.follow(expected, &arrivals);
        chunks.stop.store(true, Ordering::Relaxed);
        outcome
    });
    let digest = copied?;
    source.must_be(expected, Ask::Storage)?;
    // What was read once is read from the store from now on.
    _ = fadvise(&source.file, 0, None, Advice::DontNeed);
    Ok(Fetched { digest, size })
}

impl Chunks<'_> {
    fn count(&self) -> u64 {
        self.size.div_ceil(CHUNK)
    }

    fn bytes(&self, chunks: Range<u64>) -> Range<u64> {
        chunks.start * CHUNK..(chunks.end * CHUNK).min(self.size)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader: copies chunks until there are no more, and tells of each. The first of
    /// them also takes what nobody asked for.
    fn read(&self, first: bool, arrivals: &mpsc::Sender<Arrival>) {
        let mut buffer = vec![0; (RUN * CHUNK) as usize];
        while let Some((chunks, wanted)) = self.next(first) {
            let outcome = self.copy(chunks.clone(), &mut buffer).map(|()| (chunks, wanted));
            let failed = outcome.is_err();
            if arrivals.send(outcome).is_err() || failed {
                return;
            }
        }
    }

    /// The next chunks for a reader, and whether somebody waits for them.
    fn next(&self, first: bool) -> Option<(Range<u64>, bool)> {
        let mut patience = Duration::ZERO;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let wishes = self.source.on.wishes(patience);
            let now = Instant::now();
            let mut plan = self.plan();
            for bytes in wishes {
                plan.wish(bytes.start / CHUNK..bytes.end.div_ceil(CHUNK));
            }
            match plan.next(first, RUN, self.source.on.quiet(), now) {
                Next::Chunks { chunks, wanted } => return Some((chunks, wanted)),
                Next::Wait(longest) => patience = longest,
                Next::Done => return None,
            }
        }
    }

    fn copy(&self, chunks: Range<u64>, buffer: &mut [u8]) -> Result<(), Failure> {
        let place = self.bytes(chunks);
        let bytes = &mut buffer[..(place.end - place.start) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            if self.source.on.is_cancelled() {
                return Err(self.source.failure(Cause::Cancelled));
            }
            let at = place.start + filled as u64;
            let got = retry_on_intr(|| pread(&self.source.file, &mut bytes[filled..], at))
                .map_err(Failure::at(self.source.path))?;
            self.source.on.count(Operation::Read(got as u64));
            if got == 0 {
                return Err(self.source.failure(Cause::Changed));
            }
            filled += got;
        }
        write(self.into, bytes, place.start).map_err(|errno| self.destination(errno))
    }

    /// Follows the readers: tells what is in place, and hashes what is from the beginning.
    fn follow(
        &self,
        expected: FileState,
        arrivals: &mpsc::Receiver<Arrival>,
    ) -> Result<BlobDigest, Failure> {
        let mut placed = vec![false; self.count() as usize];
        let mut untold = Vec::new();
        let mut told_at = Instant::now();
        let (mut next, mut hashed, mut wanted) = (0, 0, false);
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; (RUN * CHUNK) as usize];
        while hashed < self.size {
            let more = match arrivals.try_recv() {
                Ok(outcome) => Some(outcome?),
                // Nothing new: tell what has come, then go on with what is in place.
                Err(_) if wanted => None,
                Err(_) if hashed < self.bytes(0..next).end => {
                    let place = self.bytes(0..next).end - hashed;
                    let most = place.min(RUN * CHUNK) as usize;
                    hashed += self.hash(hashed, &mut buffer[..most], &mut hasher)?;
                    if told_at.elapsed() >= TOLD_TIME {
                        told_at = Instant::now();
                        self.source.on.alive();
                    }
                    continue;
                }
                Err(_) => match arrivals.recv_timeout(TOLD_TIME) {
                    Ok(outcome) => Some(outcome?),
                    Err(RecvTimeoutError::Timeout) => {
                        self.source.on.alive();
                        None
                    }
                    // The last reader that ends without a word leaves a chunk undone.
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(self.destination(Errno::AGAIN));
                    }
                },
            };
            let idle = more.is_none();
            if let Some((chunks, waited_for)) = more {
                wanted |= waited_for;
                placed[chunks.start as usize..chunks.end as usize].fill(true);
                while placed.get(next as usize) == Some(&true) {
                    next += 1;
                }
                untold.push(self.bytes(chunks));
            }
            let enough =
                untold.iter().map(|bytes| bytes.end - bytes.start).sum::<u64>() >= TOLD_BYTES;
            let whole = next == self.count();
            if (wanted && idle) || enough || whole || told_at.elapsed() >= TOLD_TIME {
                self.source.must_be(expected, Ask::Storage)?;
                self.source.on.placed(&std::mem::take(&mut untold));
                (told_at, wanted) = (Instant::now(), false);
            }
        }
        Ok(BlobDigest::from_bytes(*hasher.finalize().as_bytes()))
    }

    /// Hashes the chunk at `from` as it lies in the local file.
    fn hash(
        &self,
        from: u64,
        buffer: &mut [u8],
        hasher: &mut blake3::Hasher,
    ) -> Result<u64, Failure> {
        let want = (self.size - from).min(buffer.len() as u64) as usize;
        let got = retry_on_intr(|| pread(self.into, &mut buffer[..want], from))
            .map_err(|errno| self.destination(errno))?;
        if got == 0 {
            return Err(self.destination(Errno::IO));
        }
        hasher.update(&buffer[..got]);
        Ok(got as u64)
    }

    fn destination(&self, errno: Errno) -> Failure {
        self.source.failure(Cause::Destination(errno.raw_os_error()))
    }
}
