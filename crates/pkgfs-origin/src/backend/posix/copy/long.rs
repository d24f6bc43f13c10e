//! Copying a file that takes many reads.
//!
//! A few readers take its chunks in turn, so that the time one round trip takes is spent
//! on several; the part from the beginning that is in place grows as they finish. A long
//! copy can overlap a change: the file's state is checked before, with the storage itself
//! at the end, and before any part is told to be in place. The digest is taken of what
//! arrived in the local file, behind the readers, so that nobody who waits for bytes waits
//! for it.

use std::{
    collections::BTreeSet,
    os::fd::BorrowedFd,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use pkgfs_manifest::{BlobDigest, FileState};
use rustix::{
    fs::{Advice, fadvise},
    io::{Errno, pread, retry_on_intr},
};

use super::{super::status::Ask, CHUNK, Source, write};
use crate::{Cause, Failure, Fetched, backend::Operation};

/// Reads under way at a time.
const READERS: u64 = 4;
/// Bytes after which progress is told, or
const TOLD_BYTES: u64 = 4 << 20;
/// the time after which it is: well below any sensible deadline.
const TOLD_TIME: Duration = Duration::from_millis(250);

/// What the readers of one copy share.
struct Chunks<'a> {
    source: &'a Source<'a>,
    into: BorrowedFd<'a>,
    size: u64,
    next: AtomicU64,
    stop: AtomicBool,
}

pub(super) fn fetch(
    source: &Source<'_>,
    expected: FileState,
    into: BorrowedFd<'_>,
) -> Result<Fetched, Failure> {
    source.must_be(expected, Ask::Client)?;
    // Whole chunks are asked for by several readers: guessing ahead would fetch twice.
    _ = fadvise(&source.file, 0, None, Advice::Random);
    let size = expected.size;
    let stop = AtomicBool::new(false);
    let chunks = Chunks { source, into, size, next: AtomicU64::new(0), stop };
    let copied = thread::scope(|scope| {
        let (sender, arrivals) = mpsc::channel();
        for _ in 0..READERS.min(chunks.count()) {
            let (chunks, sender) = (&chunks, sender.clone());
            let reader = thread::Builder::new().name("origin-chunks".to_owned());
            // One that cannot be started leaves its share to the others.
            _ = reader.spawn_scoped(scope, move || chunks.read(&sender));
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

    fn length(&self, chunk: u64) -> u64 {
        (self.size - chunk * CHUNK).min(CHUNK)
    }

    /// A reader: copies chunks until there are no more, and tells of each.
    fn read(&self, arrivals: &mpsc::Sender<Result<u64, Failure>>) {
        let mut buffer = vec![0; CHUNK as usize];
        while !self.stop.load(Ordering::Relaxed) {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed);
            if chunk >= self.count() {
                return;
            }
            let outcome = self.copy(chunk, &mut buffer).map(|()| chunk);
            let failed = outcome.is_err();
            if arrivals.send(outcome).is_err() || failed {
                return;
            }
        }
    }

    fn copy(&self, chunk: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let start = chunk * CHUNK;
        let bytes = &mut buffer[..self.length(chunk) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            if self.source.on.is_cancelled() {
                return Err(self.source.failure(Cause::Cancelled));
            }
            let at = start + filled as u64;
            let got = retry_on_intr(|| pread(&self.source.file, &mut bytes[filled..], at))
                .map_err(Failure::at(self.source.path))?;
            self.source.on.count(Operation::Read(got as u64));
            if got == 0 {
                return Err(self.source.failure(Cause::Changed));
            }
            filled += got;
        }
        write(self.into, bytes, start).map_err(|errno| self.destination(errno))
    }

    /// Follows the readers: tells what is in place from the beginning, and hashes it.
    fn follow(
        &self,
        expected: FileState,
        arrivals: &mpsc::Receiver<Result<u64, Failure>>,
    ) -> Result<BlobDigest, Failure> {
        let mut early = BTreeSet::new();
        let (mut next, mut told, mut told_at) = (0, 0, Instant::now());
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; CHUNK as usize];
        let mut hashed = 0;
        while hashed < self.size {
            let arrived = match arrivals.try_recv() {
                Ok(outcome) => outcome?,
                // Nothing new: go on with what is in place.
                Err(_) if hashed < told => {
                    hashed += self.hash(hashed, &mut buffer, &mut hasher)?;
                    if told_at.elapsed() >= TOLD_TIME {
                        told_at = Instant::now();
                        self.source.on.progress(told);
                    }
                    continue;
                }
                // The last reader that ends without a word leaves a chunk undone.
                Err(_) => arrivals.recv().map_err(|_| self.destination(Errno::AGAIN))??,
            };
            early.insert(arrived);
            while early.remove(&next) {
                next += 1;
            }
            let place = (next * CHUNK).min(self.size);
            let late = place - told >= TOLD_BYTES || told_at.elapsed() >= TOLD_TIME;
            if place > told && (told == 0 || late || place == self.size) {
                self.source.must_be(expected, Ask::Storage)?;
                (told, told_at) = (place, Instant::now());
                self.source.on.progress(told);
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
        let want = (self.size - from).min(CHUNK) as usize;
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
