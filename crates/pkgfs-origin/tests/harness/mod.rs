//! What the tests of this crate share: the worker as a program, and an origin.

use std::{path::PathBuf, time::Duration};

use pkgfs_manifest::FileState;
use pkgfs_origin::{Origin, OriginSettings};

/// The worker's program: an example of this crate, which cargo builds beside its tests.
pub fn settings() -> OriginSettings {
    let tests = std::env::current_exe().unwrap();
    let worker = tests.ancestors().nth(2).unwrap().join("examples/origin-worker");
    assert!(worker.exists(), "{}: not built; run all targets of this crate", worker.display());
    OriginSettings {
        command: vec![worker.into()],
        deadline: Duration::from_secs(20),
        ..OriginSettings::default()
    }
}

pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("origin-").tempdir_in("/var/tmp").unwrap()
}

/// State of a file as it is now.
pub fn state(path: &std::path::Path) -> FileState {
    let meta = std::fs::metadata(path).unwrap();
    FileState { size: meta.len(), mtime: meta.modified().unwrap().into() }
}

/// An empty file that was already deleted, to copy into.
pub fn empty() -> std::fs::File {
    tempfile::tempfile_in("/var/tmp").unwrap()
}

/// Bytes that repeat nowhere soon.
pub fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&length.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

#[allow(dead_code, reason = "not every test that uses the harness needs it")]
pub fn start(settings: OriginSettings) -> Origin {
    Origin::start(settings).unwrap()
}

/// Paths in `root`, made with their directories.
#[allow(dead_code, reason = "not every test that uses the harness needs it")]
pub fn file(root: &std::path::Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}
