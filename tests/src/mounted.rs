//! The real program, mounted; and the proof, when it is dropped, that nothing is left of it.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::processes::{self, MARK, ends, eventually};
use crate::scene::Ground;
use crate::{MountOptions, Ran, Repository, User, programs};

/// A mount of pkgfs, with a store, a home and a configuration of its own.
pub struct Mounted {
    place: PathBuf,
    repository: Repository,
    options: MountOptions,
    /// Keeps the directory, and the stand-in, for as long as this is mounted.
    _ground: Arc<Ground>,
}

impl Mounted {
    pub(crate) fn new(
        ground: Arc<Ground>,
        repository: Repository,
        place: PathBuf,
        options: &MountOptions,
    ) -> Self {
        fs::create_dir(&place).unwrap();
        let mounted = Self { place, repository, options: options.clone(), _ground: ground };
        let owner = options.user.id();
        for part in ["", "home", "state", "config", "runtime"] {
            fs::create_dir_all(mounted.at(part)).unwrap();
            chown(mounted.at(part), Some(owner), Some(owner)).unwrap();
        }
        fs::write(mounted.at("pkgfs.toml"), options.file()).unwrap();
        mounted.mount();
        mounted
    }

    fn mount(&self) {
        if self.options.user == User::Ordinary {
            let mode = fs::metadata("/dev/fuse").unwrap().permissions().mode();
            assert_eq!(
                mode & 0o006,
                0o006,
                "/dev/fuse is closed to users: run `cargo xtask setup`"
            );
        }
        let (mountpoint, store, file) = (self.mountpoint(), self.store(), self.at("pkgfs.toml"));
        let mut command = self.command();
        command.arg("mount").arg(mountpoint).arg("--store").arg(store).arg("--config").arg(file);
        if self.options.serves_look_ups {
            command.arg("--repo").arg(self.repository.location());
        }
        if self.options.allow_other {
            command.arg("--allow-other");
        }
        let _ = Ran::new(&mut command).good();
    }

    /// Where it is mounted.
    #[must_use]
    pub fn mountpoint(&self) -> PathBuf {
        self.at("cache")
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.at("store")
    }

    /// The directory that holds a variant's registration, `<name>/<version>/<h4>`, in the mount.
    #[must_use]
    pub fn registration<'a>(
        &self,
        name: &str,
        version: impl Into<Option<&'a str>>,
        index: impl Into<Option<u32>>,
    ) -> PathBuf {
        let handle = self.repository.handle(name, version, index);
        self.mountpoint().join(name).join(handle.version_dir()).join(handle.h4())
    }

    /// The root of a variant's payload in the mount: the first that was registered there.
    #[must_use]
    pub fn payload<'a>(
        &self,
        name: &str,
        version: impl Into<Option<&'a str>>,
        index: impl Into<Option<u32>>,
    ) -> PathBuf {
        self.registration(name, version, index).join("a")
    }

    /// Runs a command of pkgfs as the user who mounted.
    pub fn pkgfs<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Ran {
        Ran::new(self.command().args(arguments))
    }

    /// Starts a command of pkgfs as the user who mounted.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: &[A]) -> std::process::Child {
        self.command().args(arguments).spawn().unwrap()
    }

    /// What `status --json` says of this mount.
    #[must_use]
    pub fn status(&self) -> Value {
        let mountpoint = self.mountpoint();
        let arguments = [OsStr::new("status"), mountpoint.as_os_str(), OsStr::new("--json")];
        let said = self.pkgfs(&arguments).good().out;
        let mut status: Value = serde_json::from_str(&said).unwrap();
        status["mounts"][0].take()
    }

    /// What `status --json` says of the view: registrations, hydrated and known files, origin.
    #[must_use]
    pub fn view(&self) -> Value {
        self.status()["daemon"]["view"].take()
    }

    /// What the daemon says of each registered variant: `uri`, `path`, `origin`, …
    #[must_use]
    pub fn variants(&self) -> Vec<Value> {
        let mut socket = UnixStream::connect(self.store().join("control.sock")).unwrap();
        socket.write_all(b"GET /v1/variants HTTP/1.0\r\n\r\n").unwrap();
        let mut said = String::new();
        socket.read_to_string(&mut said).unwrap();
        let (_, body) = said.split_once("\r\n\r\n").unwrap();
        let lines: Vec<Value> =
            body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.last().unwrap()["unknown"], serde_json::json!([]), "{body}");
        let pages = lines.iter().filter_map(|line| line["variants"].as_array());
        pages.flatten().cloned().collect()
    }

    /// How the mount serves the bytes of files.
    #[must_use]
    pub fn mode(&self) -> String {
        self.status()["mode"].as_str().unwrap().to_owned()
    }

    /// The daemon's process.
    #[must_use]
    pub fn daemon_pid(&self) -> u32 {
        let status = self.status();
        let pid = status["daemon"]["pid"].as_u64();
        pid.and_then(|pid| pid.try_into().ok()).unwrap_or_else(|| panic!("no daemon: {status}"))
    }

    /// The process that starts another daemon when this one dies.
    #[must_use]
    pub fn holder_pid(&self) -> u32 {
        let status = self.status();
        let pid = status["daemon"]["hand_over"]["holder"].as_u64();
        pid.and_then(|pid| pid.try_into().ok()).unwrap_or_else(|| panic!("no holder: {status}"))
    }

    /// What to kill for a crash that nothing follows.
    #[must_use]
    pub fn all_processes(&self) -> Serving {
        Serving { daemon: self.daemon_pid(), holder: self.holder_pid() }
    }

    /// Kills the daemon and the process that would start another, as a crash of the machine would, and
    /// waits until they are gone.
    pub fn kill_daemon(&self) {
        self.all_processes().crash();
    }

    /// Waits until another daemon than this one answers.
    #[must_use]
    pub fn next_daemon(&self, former: u32) -> u32 {
        let mut next = None;
        eventually("another daemon answers", || {
            let pid = self.status()["daemon"]["pid"].as_u64();
            next = pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != former);
            next.is_some()
        });
        next.unwrap()
    }

    /// Unmounts; everything that is open must have been closed.
    pub fn unmount(&self) {
        let mountpoint = self.mountpoint();
        let _ = self.pkgfs(&[OsStr::new("unmount"), mountpoint.as_os_str()]).good();
    }

    /// Ends the daemon in good order, and mounts the same store again.
    pub fn remount(&self) {
        self.unmount();
        self.mount();
    }

    /// Mounts again after [`kill_daemon`](Self::kill_daemon), or after [`unmount`](Self::unmount).
    pub fn mount_again(&self) {
        self.mount();
    }

    /// The daemon's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        let Ok(logs) = fs::read_dir(self.at("state/pkgfs")) else { return String::new() };
        logs.map(|log| fs::read_to_string(log.unwrap().path()).unwrap_or_default()).collect()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    fn command(&self) -> Command {
        let mut command = self.options.user.command(programs::built("pkgfs"));
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy();
            if ["PKGFS_", "XDG_", "REZ_"].iter().any(|prefix| shown.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.at("home"))
            .env("XDG_STATE_HOME", self.at("state"))
            .env("XDG_CONFIG_HOME", self.at("config"))
            .env("XDG_CONFIG_DIRS", self.at("config/system"))
            .env("XDG_CACHE_HOME", self.at("home"))
            .env("XDG_RUNTIME_DIR", self.at("runtime"))
            .envs(self.options.variables())
            .env(MARK, &self.place)
            .current_dir(&self.place)
            .stdin(Stdio::null());
        command
    }

    fn mounts(&self) -> Vec<PathBuf> {
        let mounts = pkgfs_fuse::all_mounts().unwrap().into_iter();
        mounts.map(|mount| mount.mountpoint).filter(|at| at.starts_with(&self.place)).collect()
    }

    fn is_mounted(&self) -> bool {
        !self.mounts().is_empty()
    }

    /// Ends whatever is left, by force.
    fn clear(&self) {
        for mountpoint in self.mounts() {
            pkgfs_fuse::unmount(&mountpoint, true).ok();
        }
        for (pid, _) in processes::marked(&self.place) {
            // It may end by itself meanwhile.
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// The processes that a mount lives by.
#[derive(Clone, Copy, Debug)]
pub struct Serving {
    daemon: u32,
    holder: u32,
}

impl Serving {
    /// The process that would start another daemon.
    #[must_use]
    pub fn holder(self) -> u32 {
        self.holder
    }

    /// Kills the daemon alone.
    pub fn kill_daemon(self) {
        ends(self.daemon, Signal::KILL);
    }

    /// Kills both.
    pub fn crash(self) {
        let daemon = Pid::from_raw(self.daemon.cast_signed()).unwrap();
        // It would start another holder.
        rustix::process::kill_process(daemon, Signal::STOP).unwrap();
        ends(self.holder, Signal::KILL);
        ends(self.daemon, Signal::KILL);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A second panic would hide the first.
        if std::thread::panicking() {
            eprintln!("log of the daemon:\n{}", self.log());
            return self.clear();
        }
        let mountpoint = self.mountpoint();
        let _cleared = Cleared(self);
        if self.is_mounted() {
            let unmount = [OsStr::new("unmount"), mountpoint.as_os_str(), OsStr::new("--lazy")];
            let _ = self.pkgfs(&unmount).good();
        }
        assert!(!self.is_mounted(), "unmount left {:?} mounted", self.mounts());
        assert!(!mountpoint.exists(), "unmount left {}", mountpoint.display());
        let what = format!("the processes of {} have ended", mountpoint.display());
        eventually(&what, || processes::marked(&self.place).is_empty());
    }
}

/// Clears a mount's place also when a check of it fails.
struct Cleared<'a>(&'a Mounted);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}
