//! Copying a file that takes many reads.
//!
//! A few readers take its chunks: those that somebody waits for first, in the order they
//! were asked for and a little beyond where that runs on; the rest from the beginning,
//! once nobody has asked for anything for a moment. A program that starts thus gets the parts of a
//! large library that it touches as soon as it touches them, and the rest does not take
//! storage and processors from it.
//!
//! A long copy can overlap a change: the file's state is checked before, with the storage
//! itself at the end, and before any part is told to be in place. Each chunk is hashed
//! while it is at hand, as the part of the file's BLAKE3 tree that it is.

mod buffer;
mod plan;
mod tree;

use std::{
    mem,
    ops::Range,
    os::fd::BorrowedFd,
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pkgfs_manifest::FileState;
use rustix::{
    fs::{Advice, OFlags, fadvise, fcntl_getfl, fcntl_setfl},
    io::{Errno, pread, retry_on_intr},
};

use self::{
    buffer::Buffer,
    plan::{Next, Plan},
    tree::Tree,
};
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
    expected: FileState,
    into: BorrowedFd<'a>,
    plan: Mutex<Plan>,
    tree: Mutex<Tree>,
    /// Held by the reader that writes: the kernel lets one write at a time into a file, and
    /// keeps the others spinning.
    writing: Mutex<()>,
    untold: Mutex<Untold>,
    /// Held by the reader that tells.
    telling: Mutex<()>,
    failed: Mutex<Option<Failure>>,
    stop: AtomicBool,
}

/// What is in place, and has not been told yet.
struct Untold {
    bytes: Vec<Range<u64>>,
    /// Somebody waits for some of it.
    wanted: bool,
    since: Instant,
}

pub(super) fn fetch(
    source: &Source<'_>,
    expected: FileState,
    into: BorrowedFd<'_>,
) -> Result<Fetched, Failure> {
    source.must_be(expected, Ask::Client)?;
    read_past_the_cache(source);
    let size = expected.size;
    let count = size.div_ceil(CHUNK);
    let untold = Untold { bytes: Vec::new(), wanted: false, since: Instant::now() };
    let chunks = Chunks {
        source,
        expected,
        into,
        plan: Mutex::new(Plan::new(count)),
        tree: Mutex::new(Tree::new(size)),
        writing: Mutex::default(),
        untold: Mutex::new(untold),
        telling: Mutex::default(),
        failed: Mutex::default(),
        stop: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        for _ in 1..READERS.min(count) {
            let reader = thread::Builder::new().name("origin-chunks".to_owned());
            // One that cannot be started leaves its share to the others.
            _ = reader.spawn_scoped(scope, || chunks.read(false));
        }
        chunks.read(true);
    });
    if let Some(failure) = locked(&chunks.failed).take() {
        return Err(failure);
    }
    source.must_be(expected, Ask::Storage)?;
    let digest = locked(&chunks.tree).digest();
    // A reader that ended without a word leaves a chunk undone.
    let digest = digest.ok_or_else(|| source.failure(Cause::Io(Errno::IO.raw_os_error())))?;
    Ok(Fetched { digest, size })
}

/// What is read once is read from the store from then on: the client need not keep it,
/// nor guess ahead of reads that several readers share out.
fn read_past_the_cache(source: &Source<'_>) {
    let direct = fcntl_getfl(&source.file)
        .and_then(|flags| fcntl_setfl(&source.file, flags | OFlags::DIRECT));
    if direct.is_err() {
        _ = fadvise(&source.file, 0, None, Advice::Random);
    }
}

/// Where storage cannot do that at this place or length after all.
fn read_through_the_cache(source: &Source<'_>) -> bool {
    let flags = fcntl_getfl(&source.file).unwrap_or(OFlags::empty());
    flags.contains(OFlags::DIRECT)
        && fcntl_setfl(&source.file, flags.difference(OFlags::DIRECT)).is_ok()
}

impl Chunks<'_> {
    fn bytes(&self, chunks: Range<u64>) -> Range<u64> {
        chunks.start * CHUNK..(chunks.end * CHUNK).min(self.expected.size)
    }

    /// A reader: copies chunks until there are no more, and tells of them. The first of
    /// them also takes what nobody asked for.
    fn read(&self, first: bool) {
        let mut buffer = Buffer::take((RUN * CHUNK) as usize);
        while let Some((chunks, wanted)) = self.next(first) {
            let copied = self.copy(chunks.clone(), &mut buffer).and_then(|()| {
                {
                    let mut untold = locked(&self.untold);
                    untold.bytes.push(self.bytes(chunks));
                    untold.wanted |= wanted;
                }
                self.tell()
            });
            if let Err(failure) = copied {
                locked(&self.failed).get_or_insert(failure);
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    /// The next chunks for a reader, and whether somebody waits for them.
    fn next(&self, first: bool) -> Option<(Range<u64>, bool)> {
        let mut patience = Duration::ZERO;
        loop {
            let wishes = self.source.on.wishes(patience);
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let mut plan = locked(&self.plan);
            for bytes in wishes {
                plan.wish(bytes.start / CHUNK..bytes.end.div_ceil(CHUNK));
            }
            match plan.next(first, RUN, self.source.on.quiet(), Instant::now()) {
                Next::Chunks { chunks, wanted } => return Some((chunks, wanted)),
                Next::Wait(longest) => patience = longest.min(TOLD_TIME),
                Next::Done => return None,
            }
            drop(plan);
            if first && !patience.is_zero() {
                self.source.on.alive();
            }
        }
    }

    fn copy(&self, chunks: Range<u64>, buffer: &mut Buffer) -> Result<(), Failure> {
        let place = self.bytes(chunks);
        let length = (place.end - place.start) as usize;
        // Whole chunks even at the end: reads past the cache may want whole blocks.
        let bytes = buffer.bytes();
        let mut filled = 0;
        while filled < length {
            if self.source.on.is_cancelled() {
                return Err(self.source.failure(Cause::Cancelled));
            }
            let at = place.start + filled as u64;
            let want = length.next_multiple_of(CHUNK as usize);
            let got = match retry_on_intr(|| pread(&self.source.file, &mut bytes[filled..want], at))
            {
                Err(Errno::INVAL) if read_through_the_cache(self.source) => continue,
                got => got.map_err(Failure::at(self.source.path))?,
            };
            let got = got.min(length - filled);
            self.source.on.count(Operation::Read(got as u64));
            if got == 0 {
                return Err(self.source.failure(Cause::Changed));
            }
            filled += got;
        }
        let bytes = &bytes[..length];
        {
            let _writing = locked(&self.writing);
            write(self.into, bytes, place.start)
        }
        .map_err(|errno| self.source.failure(Cause::Destination(errno.raw_os_error())))?;
        let parts = tree::parts(place.start, bytes);
        locked(&self.tree).add(place.start, &parts);
        Ok(())
    }

    /// Tells what is in place once somebody waits for it, or it is enough, or time. One
    /// reader at a time tells for all; the others go on reading.
    fn tell(&self) -> Result<(), Failure> {
        // Whoever finds another telling leaves its own to that one, which therefore looks
        // once more after it has let go.
        while locked(&self.untold).is_due() {
            let _telling = match self.telling.try_lock() {
                Ok(telling) => telling,
                Err(TryLockError::Poisoned(telling)) => telling.into_inner(),
                Err(TryLockError::WouldBlock) => return Ok(()),
            };
            let bytes = locked(&self.untold).take();
            self.source.must_be(self.expected, Ask::Storage)?;
            self.source.on.placed(&bytes);
        }
        Ok(())
    }
}

impl Untold {
    fn is_due(&self) -> bool {
        let bytes: u64 = self.bytes.iter().map(|bytes| bytes.end - bytes.start).sum();
        let time = self.since.elapsed() >= TOLD_TIME;
        bytes > 0 && (self.wanted || bytes >= TOLD_BYTES || time)
    }

    fn take(&mut self) -> Vec<Range<u64>> {
        (self.wanted, self.since) = (false, Instant::now());
        mem::take(&mut self.bytes)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
