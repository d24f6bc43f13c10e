//! Where a part takes place: a directory, and shared storage in it that can be had anew.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pkgfs_standin::{Options as Cost, StandinProcess, Tally};
use tempfile::TempDir;

use super::Bench;
use super::programs::Programs;
use crate::demo::interrupt;

/// Storage counts as quiet when it was asked nothing for this long.
const QUIET: Duration = Duration::from_millis(300);

/// What storage was asked for payloads since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Operations.
    pub(super) operations: u64,
    /// Bytes sent.
    pub(super) bytes: u64,
}

/// A directory with a mount of storage. The order of the fields is the order in which they end.
pub(super) struct Ground {
    storage: Option<StandinProcess>,
    directory: TempDir,
    programs: Programs,
    source: PathBuf,
    payloads: Vec<PathBuf>,
    cost: Cost,
}

impl Ground {
    /// Storage that costs what `cost` says and shows the repository.
    pub(super) fn new(bench: &Bench, cost: &Cost) -> Result<Self> {
        let payloads = bench.repository.packages().iter().map(|it| it.payload()).collect();
        Self::of(&bench.programs, &bench.repository.path, payloads, cost)
    }

    /// Storage that shows any directory; what is below `payloads` is counted.
    pub(super) fn of(
        programs: &Programs,
        source: &Path,
        payloads: Vec<PathBuf>,
        cost: &Cost,
    ) -> Result<Self> {
        // Not below /tmp: rez takes repositories below its temporary directory for throw-away
        // ones and never caches from them.
        let directory = tempfile::Builder::new()
            .prefix("pkgfs-bench-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in("/var/tmp")?;
        fs::create_dir(directory.path().join("storage"))?;
        let mut ground = Self {
            storage: None,
            directory,
            programs: programs.clone(),
            source: source.to_owned(),
            payloads,
            cost: Cost { allow_other: true, ..cost.clone() },
        };
        ground.renew()?;
        Ok(ground)
    }

    /// Mounts storage anew at the same place, so that the kernel keeps nothing of it.
    pub(super) fn renew(&mut self) -> Result<()> {
        self.storage = None;
        let (at, programs) = (self.location(), &self.programs);
        let storage = StandinProcess::spawn(&programs.standin, &self.source, at, &self.cost)
            .context("cannot mount the stand-in for shared storage")?;
        storage.control().watch(self.payloads.iter().cloned())?;
        self.storage = Some(storage);
        Ok(())
    }

    /// Where storage is mounted.
    pub(super) fn location(&self) -> PathBuf {
        self.file("storage")
    }

    /// A name in the directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The programs that take part.
    pub(super) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The control of storage.
    pub(super) fn control(&self) -> Result<&pkgfs_standin::Client> {
        Ok(self.storage.as_ref().context("storage is not mounted")?.control())
    }

    /// Begins to count.
    pub(super) fn reset(&self) -> Result<()> {
        Ok(self.control()?.reset()?)
    }

    /// What payloads were asked since the last reset.
    pub(super) fn asked(&self) -> Result<Asked> {
        let watched = self.control()?.stats()?.watched;
        Ok(Asked {
            operations: watched.values().map(Tally::total).sum(),
            bytes: watched.values().map(|tally| tally.bytes_read).sum(),
        })
    }

    /// The same, once nothing is asked any more and the files in `partial` are whole.
    pub(super) fn settle(&self, partial: Option<&Path>) -> Result<Asked> {
        let mut last = self.control()?.stats()?;
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            interrupt::check()?;
            thread::sleep(Duration::from_millis(20));
            let now = self.control()?.stats()?;
            let is_begun =
                |at: &Path| fs::read_dir(at).is_ok_and(|mut files| files.next().is_some());
            let busy = now.operations != last.operations || now.in_service + now.queued > 0;
            if busy || partial.is_some_and(is_begun) {
                since = Instant::now();
            }
            last = now;
        }
        self.asked()
    }
}
