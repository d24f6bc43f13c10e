//! Copying a file that takes many reads.
//!
//! A few readers take its chunks: those that somebody waits for first, in the order they
//! were asked for and a little beyond where that runs on. What is left then *rests*, with one
//! reader, until storage is quiet and no other copy is at its rest, or for ever where that was
//! asked for. A program that starts thus gets the parts of a large library that it touches as
//! soon as it touches them, and the rest does not take storage and processors from it.
//!
//! A long copy can overlap a change: the file's state is checked before, with the storage
//! itself at the end, and before any part is told to be in place. Each chunk is hashed
//! while it is at hand, as the part of the file's BLAKE3 tree that it is.

mod buffer;
mod plan;
mod tree;

use std::{
    fs::File,
    io, mem,
    ops::Range,
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Scope},
    time::{Duration, Instant},
};

use pkgfs_manifest::FileState;

use self::{
    buffer::Buffer,
    plan::{Next, Plan},
    tree::Tree,
};
use super::{Source, write};
use crate::{
    CHUNK, Cause, Failure, Fetched, Rest,
    backend::{Ask, Operation, Wishes},
    sys::storage,
};

/// Reads under way at a time.
const READERS: u64 = 4;
/// Bytes nobody waits for after which progress is told, or
const TOLD_BYTES: u64 = 4 << 20;
/// the time after which it is: well below any sensible deadline.
const TOLD_TIME: Duration = Duration::from_millis(250);
/// How long a reader stays that has nothing to do, since another wish often comes soon.
const LINGER: Duration = Duration::from_millis(250);

/// What the readers of one copy share.
struct Chunks<'a> {
    source: &'a Source<'a>,
    expected: FileState,
    into: &'a File,
    /// Locked before what is untold, where both are: no wish falls between them.
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
    /// Readers beside the first.
    others: AtomicU64,
    /// Reads go past the client's cache.
    direct: AtomicBool,
}

/// What is in place, and has not been told yet.
struct Untold {
    bytes: Vec<Range<u64>>,
    /// Somebody waits for some of it.
    wanted: bool,
    since: Instant,
}

/// What a reader finds when it looks for something to do.
struct Look {
    next: Next,
    /// How often there was reason to look.
    calls: u64,
    /// How many wishes there were.
    heard: u64,
    /// No other reader is busy.
    idle: bool,
    /// There is something for one more reader.
    more: bool,
    /// Something may be due to be told.
    tell: bool,
}

pub(super) fn fetch(
    source: &Source<'_>,
    expected: FileState,
    into: &File,
    rest: Rest,
) -> Result<Fetched, Failure> {
    source.must_be(expected, Ask::Client)?;
    let direct = storage::read_past_the_cache(&source.file);
    let size = expected.size;
    let count = size.div_ceil(CHUNK);
    let untold = Untold { bytes: Vec::new(), wanted: false, since: Instant::now() };
    let chunks = Chunks {
        source,
        expected,
        into,
        plan: Mutex::new(Plan::new(count, rest, Instant::now())),
        tree: Mutex::new(Tree::new(size)),
        writing: Mutex::default(),
        untold: Mutex::new(untold),
        telling: Mutex::default(),
        failed: Mutex::default(),
        stop: AtomicBool::new(false),
        others: AtomicU64::new(0),
        direct: AtomicBool::new(direct),
    };
    thread::scope(|scope| chunks.read(scope, true));
    if let Some(failure) = locked(&chunks.failed).take() {
        return Err(failure);
    }
    source.must_be(expected, Ask::Storage)?;
    let digest = locked(&chunks.tree).digest();
    // A reader that ended without a word leaves a chunk undone.
    let digest = digest.ok_or_else(|| source.failure(Cause::Io(storage::FAILED)))?;
    Ok(Fetched { digest, size })
}

impl Chunks<'_> {
    fn bytes(&self, chunk: u64) -> Range<u64> {
        chunk * CHUNK..((chunk + 1) * CHUNK).min(self.expected.size)
    }

    /// A reader: copies chunks until there are no more, and tells of them. The first of
    /// them also takes what nobody asked for; the others end when there is nothing else.
    fn read<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, first: bool) {
        let mut buffer = Buffer::default();
        while let Some((chunk, wanted)) = self.next(scope, first, &mut buffer) {
            let copied = self.copy(chunk, buffer.bytes(CHUNK as usize));
            self.ends_with(copied.and_then(|()| {
                self.copied(chunk, wanted);
                self.tell()
            }));
        }
        // Whoever waits has nothing to wait for any more.
        self.source.on.call();
    }

    /// Has one more reader, if there may be one.
    fn enlist<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let one_more = |others: u64| (others < READERS - 1).then_some(others + 1);
        if self.others.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return;
        }
        let reader = thread::Builder::new().name("origin-chunks".to_owned());
        let read = move || {
            self.read(scope, false);
            self.others.fetch_sub(1, Ordering::Relaxed);
        };
        // One that cannot be started leaves its share to the others.
        if reader.spawn_scoped(scope, read).is_err() {
            self.others.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// One failure ends the copy.
    fn ends_with(&self, done: Result<(), Failure>) {
        if let Err(failure) = done {
            locked(&self.failed).get_or_insert(failure);
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// The next chunk for a reader, and whether it is to be told of at once.
    fn next<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        first: bool,
        buffer: &mut Buffer,
    ) -> Option<(u64, bool)> {
        let mut lingered = None;
        loop {
            let look = self.look(first);
            let told = if look.tell { self.tell() } else { Ok(()) };
            self.ends_with(self.must_go_on().and(told));
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            match look.next {
                Next::Chunk { chunk, wanted } => {
                    if look.more {
                        self.enlist(scope);
                    }
                    return Some((chunk, wanted));
                }
                Next::Done => return None,
                _ if !first && lingered == Some(look.calls) => return None,
                _ if !first => {
                    lingered = Some(look.calls);
                    self.source.on.wait(look.calls, LINGER);
                }
                Next::Wait => {
                    self.source.on.wait(look.calls, TOLD_TIME);
                    // Who waits does not speak for another who may hang in storage.
                    if look.idle {
                        self.source.on.alive();
                    }
                }
                Next::Rest(longest) => {
                    buffer.give_back();
                    self.source.on.rests(look.heard);
                    self.source.on.wait(look.calls, longest);
                }
            }
        }
    }

    /// Takes what was wished for into the plan, and the next chunk out of it.
    fn look(&self, first: bool) -> Look {
        let mut plan = locked(&self.plan);
        let on = self.source.on;
        let Wishes { bytes, foreseen, all, calls, heard } = on.wishes();
        let mut tell = false;
        if all {
            plan.wish_for_all();
        }
        for bytes in bytes {
            plan.wish(bytes.start / CHUNK..bytes.end.div_ceil(CHUNK));
            tell |= locked(&self.untold).wish(&bytes);
        }
        for bytes in foreseen {
            plan.foresee(bytes.start / CHUNK..bytes.end.div_ceil(CHUNK));
        }
        let idle = plan.is_idle();
        let next = plan.next(first, on.quiet(), Instant::now(), || on.take_turn());
        match next {
            Next::Chunk { .. } | Next::Done => {}
            Next::Wait => tell = true,
            Next::Rest(_) => {
                locked(&self.untold).rests();
                tell = true;
            }
        }
        Look { next, calls, heard, idle, more: plan.is_busy(), tell }
    }

    /// This chunk is in place; somebody may have begun to wait for it meanwhile.
    fn copied(&self, chunk: u64, wanted: bool) {
        let mut plan = locked(&self.plan);
        let mut untold = locked(&self.untold);
        untold.wanted |= plan.copied(chunk) || wanted;
        untold.bytes.push(self.bytes(chunk));
    }

    fn must_go_on(&self) -> Result<(), Failure> {
        let cancelled = self.source.on.is_cancelled();
        if cancelled { Err(self.source.failure(Cause::Cancelled)) } else { Ok(()) }
    }

    fn copy(&self, chunk: u64, bytes: &mut [u8]) -> Result<(), Failure> {
        let place = self.bytes(chunk);
        let length = (place.end - place.start) as usize;
        // Whole chunks even at the end: reads past the cache may want whole blocks.
        let mut filled = 0;
        while filled < length {
            self.must_go_on()?;
            let at = place.start + filled as u64;
            let want = length.next_multiple_of(CHUNK as usize);
            let direct = self.direct.load(Ordering::Relaxed);
            let got = match storage::read_at(&self.source.file, &mut bytes[filled..want], at) {
                // Storage cannot do that at this place or length after all; the next read
                // of this reader is not direct, whoever else finds it out at the same time.
                Err(error) if direct && storage::refuses_direct(&error) => {
                    self.read_through_the_cache().map_err(Failure::at(self.source.path))?;
                    continue;
                }
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
        .map_err(|error| self.source.not_kept(&error))?;
        let parts = tree::parts(place.start, bytes);
        locked(&self.tree).add(place.start, &parts);
        Ok(())
    }

    fn read_through_the_cache(&self) -> io::Result<()> {
        storage::read_through_the_cache(&self.source.file)?;
        self.direct.store(false, Ordering::Relaxed);
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
            // Another may have told meanwhile.
            let Some(bytes) = locked(&self.untold).take() else { continue };
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

    /// Somebody waits for these bytes. Whether some of them are only to be told.
    fn wish(&mut self, wished: &Range<u64>) -> bool {
        let overlaps = |bytes: &Range<u64>| bytes.start < wished.end && wished.start < bytes.end;
        let waits = self.bytes.iter().any(overlaps);
        self.wanted |= waits;
        waits
    }

    /// What is left is not waited with: what is in place is told.
    fn rests(&mut self) {
        self.wanted |= !self.bytes.is_empty();
    }

    /// What is to be told, if that is due.
    fn take(&mut self) -> Option<Vec<Range<u64>>> {
        if !self.is_due() {
            return None;
        }
        (self.wanted, self.since) = (false, Instant::now());
        Some(mem::take(&mut self.bytes))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn untold(bytes: impl IntoIterator<Item = Range<u64>>) -> Untold {
        Untold { bytes: bytes.into_iter().collect(), wanted: false, since: Instant::now() }
    }

    #[test]
    fn what_nobody_waits_for_is_told_when_it_is_enough() {
        let mut untold = untold(Some(0..TOLD_BYTES - 1));
        assert_eq!(untold.take(), None);
        untold.bytes.push(TOLD_BYTES..TOLD_BYTES + 1);
        assert_eq!(untold.take().map(|told| told.len()), Some(2));
        assert_eq!(untold.take(), None);
    }

    #[test]
    fn who_comes_to_wait_for_what_is_in_place_is_told_at_once() {
        let mut untold = untold([0..CHUNK, 4 * CHUNK..6 * CHUNK]);
        assert!(!untold.wish(&(CHUNK..4 * CHUNK)));
        assert_eq!(untold.take(), None);
        assert!(untold.wish(&(5 * CHUNK..9 * CHUNK)));
        assert_eq!(untold.take().map(|told| told.len()), Some(2));
        assert!(!untold.wish(&(0..CHUNK)), "it was told");
    }
}
