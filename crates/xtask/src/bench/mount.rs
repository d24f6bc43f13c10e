//! A mount of pkgfs that is gone, with its store, when it is dropped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::graveyard::Graveyard;
use super::ground::Ground;
use super::namespace::Namespace;
use super::repository::Package;
use super::user::User;
use super::way::Way;
use crate::demo::strays::Strays;
use crate::process;

/// No end of a daemon takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mounted pkgfs with a store of its own.
pub(super) struct Mount {
    program: PathBuf,
    user: User,
    place: PathBuf,
    repository: PathBuf,
    namespace: Option<Rc<Namespace>>,
    strays: Rc<Strays>,
    graveyard: Rc<Graveyard>,
}

impl Mount {
    /// Mounts with a fresh store, in the mode of `way`.
    pub(super) fn make(ground: &Ground, way: Way, name: &str) -> Result<Self> {
        Self::of(ground, way, name, &ground.location())
    }

    /// The same for a repository anywhere.
    pub(super) fn of(ground: &Ground, way: Way, name: &str, repository: &Path) -> Result<Self> {
        Self::with(ground, way, name, repository, None, "")
    }

    /// A mount with further settings.
    pub(super) fn set(ground: &Ground, way: Way, name: &str, settings: &str) -> Result<Self> {
        Self::with(ground, way, name, &ground.location(), None, settings)
    }

    /// The same in a namespace, which must have been made when storage was mounted already.
    pub(super) fn inside(
        ground: &Ground,
        way: Way,
        name: &str,
        namespace: &Rc<Namespace>,
    ) -> Result<Self> {
        Self::with(ground, way, name, &ground.location(), Some(Rc::clone(namespace)), "")
    }

    fn with(
        ground: &Ground,
        way: Way,
        name: &str,
        repository: &Path,
        namespace: Option<Rc<Namespace>>,
        further: &str,
    ) -> Result<Self> {
        let mount = Self {
            program: ground.programs().pkgfs.clone(),
            user: way.user(),
            place: ground.file(name),
            repository: repository.to_owned(),
            namespace,
            strays: Rc::clone(&ground.programs().strays),
            graveyard: Rc::clone(&ground.programs().graveyard),
        };
        mount.user.directory(&mount.place)?;
        // Repository and store may share a disk here, which rez refuses by default.
        let settings = "{\"package_cache_same_device\": true, \"tmpdir\": \"/tmp\"}";
        let mode = way.mode().context("this way is not pkgfs")?;
        let text =
            format!("mode = {mode:?}\nrez.config_command = [\"echo\", {settings:?}]\n{further}\n");
        fs::write(mount.place.join("config.toml"), text)?;
        mount.mount()?;
        Ok(mount)
    }

    /// Mounts the store, and returns the seconds that took.
    pub(super) fn mount(&self) -> Result<f64> {
        let mut command = self.command();
        command.arg("mount").arg(self.mountpoint()).arg("--store").arg(self.store());
        command.arg("--config").arg(self.place.join("config.toml"));
        command.arg("--repo").arg(&self.repository);
        let log = self.place.join("mount.log");
        // A file, not a pipe: the daemon may keep its standard error for as long as it lives.
        command.stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let began = Instant::now();
        let status = command.stdin(Stdio::null()).status().context("cannot start pkgfs")?;
        let seconds = began.elapsed().as_secs_f64();
        if !status.success() {
            bail!("pkgfs mount: {}", fs::read_to_string(&log).unwrap_or_default().trim());
        }
        Ok(seconds)
    }

    /// Unmounts, and waits for the end of the daemon.
    pub(super) fn unmount(&self) -> Result<()> {
        let daemon = self.number("/daemon/pid")?;
        process::output(self.command().arg("unmount").arg(self.mountpoint()))?;
        wait_for_end(daemon)
    }

    /// Where it is mounted.
    pub(super) fn mountpoint(&self) -> PathBuf {
        self.place.join("cache")
    }

    /// What it keeps.
    pub(super) fn store(&self) -> PathBuf {
        self.place.join("store")
    }

    /// Files that are not whole yet.
    pub(super) fn partial(&self) -> PathBuf {
        self.store().join("partial")
    }

    /// Registers packages, and tells where each is below any mount of this repository.
    pub(super) fn add(&self, packages: &[Package]) -> Result<BTreeMap<&'static str, PathBuf>> {
        let uris: Vec<String> = packages.iter().map(|it| it.uri(&self.repository)).collect();
        let mut command = self.command();
        process::output(command.arg("add").arg(self.mountpoint()).args(&uris))?;
        let mut command = self.command();
        let listed = process::output(command.args(["list", "--json"]).arg(self.mountpoint()))?;
        let listed: Value = serde_json::from_str(&listed)?;
        let variants = listed["variants"].as_array().context("list tells no variants")?;
        let place = |(package, uri): (&Package, &String)| {
            let variant = variants.iter().find(|it| it["uri"] == **uri);
            let path = Path::new(variant.and_then(|it| it["path"].as_str())?);
            Some((package.name, path.strip_prefix(self.mountpoint()).ok()?.to_owned()))
        };
        let placed: Option<_> = packages.iter().zip(&uris).map(place).collect();
        placed.context("list does not tell where what was added is")
    }

    /// Fetches packages whole, and returns the seconds that took.
    pub(super) fn warm(&self, packages: &[Package]) -> Result<f64> {
        let mut command = self.command();
        command.args(["warm", "--quiet"]).arg(self.mountpoint());
        command.args(packages.iter().map(|it| it.uri(&self.repository)));
        let began = Instant::now();
        process::output(&mut command)?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Writes what it has learnt of launches into a file, and tells of how many variants that is.
    pub(super) fn export_profiles(&self, file: &Path) -> Result<usize> {
        let mut command = self.command();
        let exported = process::output(command.args(["profile", "export"]).arg(self.mountpoint()))?;
        fs::write(file, &exported)?;
        let exported: Value = serde_json::from_str(&exported)?;
        Ok(exported["profiles"].as_array().context("export tells no profiles")?.len())
    }

    /// Takes in what another mount has learnt.
    pub(super) fn import_profiles(&self, file: &Path) -> Result<()> {
        let mut command = self.command();
        command.args(["profile", "import"]).arg(file).arg(self.mountpoint());
        process::output(&mut command).map(drop)
    }

    /// Lists all variants, forgets what is local of them, and looks for what nobody needs: the seconds
    /// that each took.
    pub(super) fn about_all(&self) -> Result<[f64; 3]> {
        let orders = [&["list", "--json"][..], &["flush"], &["clean", "--dry-run"]];
        let mut seconds = [0.0; 3];
        for (order, seconds) in orders.into_iter().zip(&mut seconds) {
            let began = Instant::now();
            process::output(self.command().args(order).arg(self.mountpoint()))?;
            *seconds = began.elapsed().as_secs_f64();
        }
        Ok(seconds)
    }

    /// What `status --json` says of it.
    pub(super) fn status(&self) -> Result<Value> {
        let mut command = self.command();
        let said = process::output(command.args(["status", "--json"]).arg(self.mountpoint()))?;
        let mut status: Value = serde_json::from_str(&said)?;
        Ok(status["mounts"][0].take())
    }

    /// A number of the status.
    pub(super) fn number(&self, pointer: &str) -> Result<u64> {
        let status = self.status()?;
        let number = status.pointer(pointer).and_then(Value::as_u64);
        number.with_context(|| format!("status tells no {pointer}: {status}"))
    }

    /// Resident bytes of the daemon, and of it with the worker that reads storage.
    pub(super) fn memory(&self) -> Result<(u64, u64)> {
        let status = self.status()?;
        let resident = |pointer: &str| {
            let pid = status.pointer(pointer).and_then(Value::as_u64);
            pid.map_or(Ok(0), resident)
        };
        let daemon = resident("/daemon/pid")?;
        Ok((daemon, daemon + resident("/daemon/view/origin/pid")?))
    }

    fn command(&self) -> Command {
        let mut command = self.user.command(&self.program);
        command.env("HOME", &self.place).env("TMPDIR", "/tmp");
        for name in ["CACHE_HOME", "CONFIG_HOME", "STATE_HOME", "RUNTIME_DIR"] {
            command.env(format!("XDG_{name}"), &self.place);
        }
        self.strays.mark(&mut command);
        match &self.namespace {
            Some(namespace) => namespace.enter(&command),
            None => command,
        }
    }

    fn end(&self) -> Result<()> {
        let own = || PathBuf::from("/proc/self/mounts");
        let seen = self.namespace.as_ref().map_or_else(own, |it| it.mounts());
        let mounted = fs::read_to_string(seen)?;
        let at = self.mountpoint();
        if mounted.lines().any(|line| line.split(' ').nth(1) == at.to_str()) {
            let daemon = self.number("/daemon/pid");
            process::output(self.command().args(["unmount", "--lazy"]).arg(&at))?;
            wait_for_end(daemon?)?;
        }
        self.graveyard.bury(&self.place)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("xtask: {}: {error:#}", self.place.display());
        }
    }
}

fn resident(pid: u64) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.context("no VmRSS")?.parse::<u64>()? * 1024)
}

/// Waits until a process that was told to end has ended.
fn wait_for_end(pid: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Path::new(&format!("/proc/{pid}")).exists() {
        if Instant::now() > deadline {
            bail!("process {pid} has not ended after {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
