//! Debian's rclone, mounted with its full cache.
//!
//! It gets what a user would set for packages that do not change: read-only, and names and
//! attributes kept for a day.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::graveyard::Graveyard;
use super::ground::Ground;
use super::user::User;

const PATIENCE: Duration = Duration::from_secs(30);

/// A mounted rclone with a cache of its own; gone, with it, when it is dropped.
pub(super) struct Rclone {
    child: Child,
    place: PathBuf,
    graveyard: Rc<Graveyard>,
}

impl Rclone {
    /// Mounts storage through it.
    pub(super) fn mount(ground: &Ground, name: &str) -> Result<Self> {
        let place = ground.file(name);
        for directory in [place.clone(), place.join("mount")] {
            fs::create_dir(directory)?;
        }
        let log = fs::File::create(place.join("log"))?;
        let mut command = User::Own.command("rclone");
        command.arg("mount").arg(ground.location()).arg(place.join("mount"));
        command.args(["--config", "/dev/null", "--read-only", "--vfs-cache-mode", "full"]);
        command.args(["--dir-cache-time", "24h", "--attr-timeout", "24h", "--cache-dir"]);
        command.arg(place.join("cache"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().context("cannot start rclone: run `cargo xtask setup`")?;
        let graveyard = Rc::clone(&ground.programs().graveyard);
        let mut rclone = Self { child, place, graveyard };
        let deadline = Instant::now() + PATIENCE;
        while !is_mounted(&rclone.root())? {
            if rclone.child.try_wait()?.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(rclone.place.join("log")).unwrap_or_default();
                bail!("rclone has not mounted: {}", said.trim());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(rclone)
    }

    /// Where it shows storage.
    pub(super) fn root(&self) -> PathBuf {
        self.place.join("mount")
    }

    fn end(&mut self) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("no process")?;
        if self.child.try_wait()?.is_none() {
            // It unmounts by itself then.
            kill_process(pid, Signal::TERM)?;
        }
        self.child.wait()?;
        if is_mounted(&self.root())? {
            rustix::mount::unmount(self.root(), rustix::mount::UnmountFlags::DETACH)?;
        }
        self.graveyard.bury(&self.place)
    }
}

impl Drop for Rclone {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("xtask: {}: {error:#}", self.place.display());
        }
    }
}

fn is_mounted(at: &Path) -> Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    Ok(mounts.lines().any(|line| line.split(' ').nth(1) == at.to_str()))
}
