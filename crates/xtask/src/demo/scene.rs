//! One cold start: shared storage freshly mounted, a rez that knows no other repository, a cache
//! that holds nothing.
//!
//! Every measurement begins with a scene of its own. The stand-in for shared storage is mounted
//! anew, so the kernel holds nothing of it, and nothing of the machine at large is dropped. Leaving
//! a scene, however it ends, ends its processes first, then unmounts pkgfs, then shared storage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pkgfs_standin::{Options as Cost, StandinProcess, Tally};
use tempfile::TempDir;

use super::binaries::Binaries;
use super::interrupt;
use super::mount::Mount;
use super::repository::Repository;
use super::strays::Strays;
use super::way::Way;

/// What every operation on shared storage takes.
pub(super) const DELAY: Duration = Duration::from_micros(500);

/// Shared storage counts as quiet when it was asked nothing for this long.
const QUIET: Duration = Duration::from_millis(300);

/// What shared storage was asked for payloads, out of all that it was asked.
pub(super) struct Asked {
    /// Operations.
    pub(super) operations: u64,
    /// Bytes sent.
    pub(super) bytes: u64,
}

/// A cold start; the order of the fields is the order in which they end.
pub(super) struct Scene {
    rez_processes: Strays,
    mount: Option<Mount>,
    storage: StandinProcess,
    directory: TempDir,
    rez: PathBuf,
    way: Way,
}

impl Scene {
    /// Mounts shared storage, and pkgfs where the way needs it.
    pub(super) fn set(
        way: Way,
        repository: &Repository,
        binaries: &Binaries,
        rez: &Path,
    ) -> Result<Self> {
        // Not below /tmp: rez takes repositories below its temporary directory for throw-away
        // ones and never caches from them.
        let directory = tempfile::Builder::new()
            .prefix("pkgfs-demo-")
            .tempdir_in("/var/tmp")
            .context("cannot make a directory in /var/tmp")?;
        for name in ["storage", "tmp", "home", "local"] {
            fs::create_dir(directory.path().join(name))?;
        }
        if way == Way::RezCache {
            fs::create_dir(directory.path().join("cache"))?;
        }
        let cost = Cost { delay_us: u64::try_from(DELAY.as_micros())?, ..Cost::default() };
        let storage = StandinProcess::spawn(
            &binaries.standin,
            &repository.path,
            directory.path().join("storage"),
            &cost,
        )
        .context("cannot mount the stand-in for shared storage")?;
        storage.control().watch(repository.payloads())?;
        let mut scene = Self {
            rez_processes: Strays::new("DEMO_REZ"),
            mount: None,
            storage,
            directory,
            rez: rez.to_path_buf(),
            way,
        };
        scene.write_settings()?;
        if way == Way::Pkgfs {
            let mut environment = Command::new(&binaries.pkgfs);
            scene.environment(&mut environment);
            scene.mount = Some(Mount::make(
                environment,
                scene.cache(),
                scene.store(),
                scene.storage.mountpoint(),
            )?);
        }
        scene.storage.control().reset()?;
        Ok(scene)
    }

    /// Where rez looks for cached packages.
    pub(super) fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    /// Where pkgfs keeps what it copied.
    pub(super) fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// A file of the scene's own.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command of rez, with the scene's settings and nothing of the caller's own.
    pub(super) fn rez(&self, name: &str) -> Command {
        let mut command = Command::new(self.rez.join(name));
        self.environment(&mut command);
        self.rez_processes.mark(&mut command);
        command
    }

    /// Waits until rez's daemons have ended, pkgfs has fetched the rest of every file it began, and
    /// nothing asks shared storage any more; returns what payloads were asked since the last call.
    pub(super) fn settle(&self) -> Result<Asked> {
        self.rez_processes.wait()?;
        let control = self.storage.control();
        let mut stats = control.stats()?;
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            interrupt::check()?;
            thread::sleep(Duration::from_millis(20));
            let now = control.stats()?;
            let busy = now.operations != stats.operations || now.in_service + now.queued > 0;
            if busy || self.is_fetching()? {
                since = Instant::now();
            }
            stats = now;
        }
        control.reset()?;
        Ok(Asked {
            operations: stats.watched.values().map(Tally::total).sum(),
            bytes: stats.watched.values().map(|tally| tally.bytes_read).sum(),
        })
    }

    /// Whether pkgfs has files that are not whole yet: it pauses between their parts when others
    /// ask for something.
    fn is_fetching(&self) -> Result<bool> {
        match std::fs::read_dir(self.store().join("partial")) {
            Ok(mut files) => Ok(files.next().is_some()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn environment(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["REZ_", "PYTHON", "PKGFS_", "XDG_"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(&*name);
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut search = self.rez.clone().into_os_string();
        search.push(":");
        search.push(path);
        let home = self.file("home");
        command
            .current_dir(self.directory.path())
            .env("PATH", search)
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_RUNTIME_DIR", &home)
            .env("TMPDIR", self.file("tmp"))
            .env("REZ_CONFIG_FILE", self.file("rezconfig.py"))
            .env("REZ_DISABLE_HOME_CONFIG", "1")
            .env("REZ_QUIET", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1");
    }

    /// rez's settings: where packages are, and the cache; all else is rez's default.
    fn write_settings(&self) -> Result<()> {
        let path = |path: &Path| serde_json::to_string(&path.to_string_lossy());
        let mut settings = format!(
            "packages_path = [{}]\nlocal_packages_path = {}\ntmpdir = {}\n",
            path(self.storage.mountpoint())?,
            path(&self.file("local"))?,
            path(&self.file("tmp"))?,
        );
        if self.way != Way::Straight {
            settings += &format!("cache_packages_path = {}\n", path(&self.cache())?);
        }
        if self.way == Way::RezCache {
            // rez-env then returns when the copy is made: the moment it is usable.
            settings += "package_cache_async = False\n";
        }
        if self.way == Way::Pkgfs {
            // As the README advises: look-ups register by themselves, and rez need not start a
            // process beside every environment that would only find everything there.
            settings += "write_package_cache = False\n";
        }
        fs::write(self.file("rezconfig.py"), settings)?;
        Ok(())
    }
}
