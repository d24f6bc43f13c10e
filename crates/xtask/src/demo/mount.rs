//! A mount of pkgfs that is gone when its scene is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result, bail};

use super::interrupt;
use super::strays::Strays;

const PATIENCE: Duration = Duration::from_secs(60);

/// A mounted pkgfs.
pub(super) struct Mount {
    pkgfs: Command,
    mountpoint: PathBuf,
    /// The daemon, should unmounting fail to end it: dropped last.
    _daemon: Strays,
}

impl Mount {
    /// Runs `pkgfs mount`; `pkgfs` carries the environment.
    pub(super) fn make(
        mut pkgfs: Command,
        mountpoint: PathBuf,
        store: PathBuf,
        repository: &Path,
    ) -> Result<Self> {
        let daemon = Strays::new("DEMO_MOUNT");
        daemon.mark(&mut pkgfs);
        let mount = Self { pkgfs, mountpoint, _daemon: daemon };
        let mut arguments = vec!["mount".into(), mount.mountpoint.clone()];
        arguments.extend(["--store".into(), store, "--repo".into(), repository.into()]);
        mount.pkgfs(&arguments).context("cannot mount pkgfs as rez's package cache")?;
        Ok(mount)
    }

    fn pkgfs(&self, arguments: &[PathBuf]) -> Result<()> {
        let log = self.mountpoint.with_extension("log");
        let mut command = Command::new(self.pkgfs.get_program());
        for (name, value) in self.pkgfs.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        // A file, not a pipe: the daemon may keep its standard error for as long as it lives.
        let mut child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let status = interrupt::wait(&mut child, PATIENCE)?;
        if !status.success() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            bail!("pkgfs ended with {status}: {}", said.trim());
        }
        Ok(())
    }

    fn is_mounted(&self) -> io::Result<bool> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let wanted = self.mountpoint.to_string_lossy();
        Ok(mounts.lines().any(|line| line.split(' ').nth(1) == Some(&wanted)))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmount = ["unmount".into(), self.mountpoint.clone(), "--lazy".into()];
        if let Err(error) = self.pkgfs(&unmount) {
            eprintln!("xtask: {error:#}");
        }
        if self.is_mounted().unwrap_or(false) {
            let fusermount =
                Command::new("fusermount3").args(["-u", "-z"]).arg(&self.mountpoint).status();
            if !fusermount.is_ok_and(|status| status.success()) {
                eprintln!(
                    "xtask: {} is still mounted: run fusermount3 -uz on it",
                    self.mountpoint.display()
                );
            }
        }
    }
}
