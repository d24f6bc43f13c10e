//! A source directory and its mount, taken down together.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pkgfs_standin::{Client, Options, StandinProcess};
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_pkgfs-standin");

/// Fields are dropped in this order: the mount before its directories.
pub(crate) struct Storage {
    pub(crate) process: StandinProcess,
    source: TempDir,
    mount: TempDir,
}

impl Storage {
    /// Mounts a source that `fill` has filled.
    pub(crate) fn mount(options: &Options, fill: impl FnOnce(&Path)) -> Self {
        let (source, mount) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fill(source.path());
        let process = StandinProcess::spawn(BINARY, source.path(), mount.path(), options).unwrap();
        // The kernel asks once for the attributes of a new root: before anything is counted.
        fs::metadata(mount.path()).unwrap();
        Self { process, source, mount }
    }

    pub(crate) fn control(&self) -> &Client {
        self.process.control()
    }

    /// A path in the mirrored directory.
    pub(crate) fn origin(&self, path: &str) -> PathBuf {
        self.source.path().join(path)
    }

    /// The same path through the mount.
    pub(crate) fn seen(&self, path: &str) -> PathBuf {
        self.mount.path().join(path)
    }
}

/// No delay, and everything kept for longer than a test takes: counts do not depend on time.
pub(crate) fn keeping() -> Options {
    let hour = 3_600_000;
    Options {
        delay_us: 0,
        attr_ttl_ms: hour,
        entry_ttl_ms: hour,
        negative_ttl_ms: hour,
        ..Options::default()
    }
}

/// Writes a file, with its directories.
pub(crate) fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Waits until a condition holds that another process brings about.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}
