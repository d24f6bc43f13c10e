//! What the tests of this crate share: the worker as a program, and an origin.
#![allow(dead_code, reason = "not every test that uses the harness needs all of it")]

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use pkgfs_manifest::FileState;
use pkgfs_origin::{Origin, OriginSettings};

#[cfg(unix)]
#[path = "unix.rs"]
mod sys;
#[cfg(windows)]
#[path = "windows.rs"]
mod sys;

#[allow(unused_imports, reason = "as above")]
pub use sys::{exists, kill, read_exact_at, scratch, write_all_at};

/// The worker's program: an example of this crate, which cargo builds beside its tests.
pub fn settings() -> OriginSettings {
    started_as(example("origin-worker"), None)
}

/// What misbehaves in that manner in the worker's place.
pub fn misbehaving(manner: &str) -> OriginSettings {
    started_as(example("misbehaving-worker"), Some(manner))
}

fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.ancestors().nth(2).unwrap().join("examples");
    let program = examples.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{}: not built; run all targets of this crate", program.display());
    program
}

fn started_as(program: PathBuf, argument: Option<&str>) -> OriginSettings {
    let command = [program.into_os_string()].into_iter().chain(argument.map(Into::into));
    OriginSettings {
        command: command.collect(),
        deadline: Duration::from_secs(20),
        ..OriginSettings::default()
    }
}

/// State of a file as it is now.
pub fn state(path: &Path) -> FileState {
    let meta = std::fs::metadata(path).unwrap();
    FileState { size: meta.len(), mtime: meta.modified().unwrap().into() }
}

/// An empty file that was already deleted, to copy into.
pub fn empty() -> File {
    tempfile::tempfile_in(sys::temporary()).unwrap()
}

/// Bytes that repeat nowhere soon.
pub fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&length.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

pub fn start(settings: OriginSettings) -> Origin {
    Origin::start(settings).unwrap()
}

/// Paths in `root`, made with their directories.
pub fn file(root: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}
