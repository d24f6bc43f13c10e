//! How long single reads take, by several threads at a time.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::fs::{Advice, fadvise};

use crate::work::{Done, whole};

const THREADS: usize = 4;
const PAGE: usize = 4096;

/// Each file opened, read whole and closed, so many times in all.
pub(crate) fn opens(files: &[PathBuf], times: usize) -> Result<Done> {
    ensure!(!files.is_empty(), "there are no files");
    let singles = each(THREADS, |thread| {
        let mut buffer = vec![0; 1 << 20];
        let mut singles = Vec::with_capacity(times * files.len() / THREADS + 1);
        for _ in 0..times {
            for file in files.iter().skip(thread).step_by(THREADS) {
                let began = Instant::now();
                whole(file, &mut buffer)?;
                singles.push(nanoseconds(began));
            }
        }
        Ok(singles)
    })?;
    Ok(most(singles))
}

/// Pages by chance. The kernel is told to forget each before it is read.
pub(crate) fn pages(path: &Path, count: usize) -> Result<Done> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let pages = file.metadata()?.len() / PAGE as u64;
    ensure!(pages > 0, "{} is shorter than a page", path.display());
    let singles = each(THREADS, |thread| {
        // Each thread in an order of its own, the same in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.rotate_left(u32::try_from(thread)?);
        let mut buffer = vec![0; PAGE];
        let mut singles = Vec::with_capacity(count / THREADS + 1);
        for _ in 0..count.div_ceil(THREADS) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = state % pages * PAGE as u64;
            fadvise(&file, at, std::num::NonZeroU64::new(PAGE as u64), Advice::DontNeed)?;
            let began = Instant::now();
            file.read_exact_at(&mut buffer, at)?;
            singles.push(nanoseconds(began));
        }
        Ok(singles)
    })?;
    Ok(most(singles))
}

/// Files that may fail: the longest, and how many did.
pub(crate) fn cold(files: &[PathBuf], threads: usize) -> Result<Done> {
    let singles = each(threads, |thread| {
        let mut buffer = vec![0; 1 << 20];
        let mine = files.iter().skip(thread).step_by(threads);
        Ok(mine
            .map(|file| {
                let began = Instant::now();
                let failed = whole(file, &mut buffer).is_err();
                (nanoseconds(began), failed)
            })
            .collect())
    })?;
    let longest = singles.iter().map(|(took, _)| *took).max().unwrap_or_default();
    let failed = singles.iter().filter(|(_, failed)| *failed).count();
    Ok(Done { nanoseconds: longest, files: failed as u64, bytes: 0 })
}

/// What all threads found.
fn each<T: Send>(threads: usize, work: impl Fn(usize) -> Result<Vec<T>> + Sync) -> Result<Vec<T>> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|at| scope.spawn(move || work(at))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow!("a reader panicked"))??);
        }
        Ok(all)
    })
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The 99.9th percentile, and how many there were.
fn most(mut singles: Vec<u64>) -> Done {
    singles.sort_unstable();
    let place = singles.len() * 999 / 1000;
    let nanoseconds = singles.get(place).or(singles.last()).copied().unwrap_or_default();
    Done { nanoseconds, files: singles.len() as u64, bytes: 0 }
}
