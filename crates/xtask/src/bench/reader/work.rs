//! Reading by one thread.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

const BUFFER: usize = 1 << 20;
const PAGE: usize = 4096;

/// What was read, and how long that took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) nanoseconds: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Done {
    pub(crate) fn since(began: Instant, files: u64, bytes: u64) -> Self {
        let nanoseconds = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Self { nanoseconds, files, bytes }
    }
}

/// Every directory; `files` counts names.
pub(crate) fn walk(root: &Path) -> Result<Done> {
    let began = Instant::now();
    let mut names = 0;
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            names += 1;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(Done::since(began, names, 0))
}

/// The regular files below a directory, in the order of their names.
pub(crate) fn files_below(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The paths that stand in a file.
pub(crate) fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    Ok(fs::read_to_string(list)?.lines().map(PathBuf::from).collect())
}

/// The attributes of each.
pub(crate) fn stat(files: &[PathBuf]) -> Result<Done> {
    let began = Instant::now();
    let mut bytes = 0;
    for file in files {
        let status = fs::symlink_metadata(file);
        bytes += status.with_context(|| format!("cannot stat {}", file.display()))?.len();
    }
    Ok(Done::since(began, files.len() as u64, bytes))
}

/// Each whole.
pub(crate) fn read(files: &[PathBuf]) -> Result<Done> {
    let mut buffer = vec![0; BUFFER];
    let began = Instant::now();
    let mut bytes = 0;
    for file in files {
        bytes += whole(file, &mut buffer)?;
    }
    Ok(Done::since(began, files.len() as u64, bytes))
}

/// One file from its start to its end.
pub(crate) fn sequential(file: &Path) -> Result<Done> {
    let mut buffer = vec![0; BUFFER];
    let began = Instant::now();
    let bytes = whole(file, &mut buffer)?;
    Ok(Done::since(began, 1, bytes))
}

/// The start of one file.
pub(crate) fn first(file: &Path) -> Result<Done> {
    let mut buffer = vec![0; PAGE];
    let began = Instant::now();
    let read = File::open(file)?.read(&mut buffer)?;
    Ok(Done::since(began, 1, read as u64))
}

/// A byte each of some pages, mapped. The mapping is made before the time starts.
pub(crate) fn mapped(file: &Path, touches: usize) -> Result<Done> {
    let (map, _file) = vmap::Map::with_options().open(file)?;
    let pages = map.len() / PAGE;
    ensure!(pages > 0, "{} is shorter than a page", file.display());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut sum = 0_u64;
    let began = Instant::now();
    for _ in 0..touches {
        // xorshift64 (Marsaglia, 2003): the same order in every way that is compared.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let page = usize::try_from(state % pages as u64)?;
        sum = sum.wrapping_add(u64::from(map[page * PAGE]));
    }
    std::hint::black_box(sum);
    Ok(Done::since(began, 1, touches as u64))
}

/// Reads a file to its end; returns how much that was.
pub(crate) fn whole(file: &Path, buffer: &mut [u8]) -> Result<u64> {
    let mut open = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let mut bytes = 0;
    loop {
        match open.read(buffer).with_context(|| format!("cannot read {}", file.display()))? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}
