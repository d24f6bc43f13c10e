//! A place for one test: a directory with its own store, state and configuration, the
//! real program run in it, and the proof afterwards that nothing is left of it.
#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use pkgfs_fuse::MountInfo;
use tempfile::TempDir;

/// Marks the processes of a place through their environment.
const MARK: &str = "TEST_PLACE_OF_PKGFS";
/// An ordinary user without a name.
const NOBODY: u32 = 65534;

pub struct Place {
    directory: TempDir,
    user: Option<u32>,
}

/// What a run of the program came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    /// A place of the user who runs the tests.
    pub fn new() -> Self {
        // Not below /tmp: rez holds repositories there for temporary.
        let directory = tempfile::Builder::new().prefix("pkgfs-test-").tempdir_in("/var/tmp");
        let place = Self { directory: directory.unwrap(), user: None };
        for part in ["home", "state", "config", "system", "repo"] {
            fs::create_dir(place.at(part)).unwrap();
        }
        // rez itself is not what these tests are about.
        let rez = r#"{"package_cache_same_device": true, "tmpdir": "/tmp"}"#;
        place.configure(&format!("rez.config_command = ['echo', '{rez}']\n"));
        place
    }

    /// A place of an ordinary user, whoever runs the tests.
    pub fn of_ordinary_user() -> Self {
        let mut place = Self::new();
        if rustix::process::geteuid().is_root() {
            place.user = Some(NOBODY);
            for part in ["", "home", "state", "config", "config/pkgfs", "system", "repo"] {
                std::os::unix::fs::chown(place.at(part), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        place
    }

    /// Whether it belongs to the user who runs the tests.
    pub fn is_ours(&self) -> bool {
        self.user.is_none()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn mountpoint(&self) -> PathBuf {
        self.at("mnt")
    }

    pub fn store(&self) -> PathBuf {
        self.at("store")
    }

    /// Writes the user's configuration.
    pub fn configure(&self, toml: &str) {
        fs::create_dir_all(self.at("config/pkgfs")).unwrap();
        fs::write(self.at("config/pkgfs/config.toml"), toml).unwrap();
    }

    /// The program with these arguments, not yet started.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new("env");
        if let Some(user) = self.user {
            command.arg("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={user}")]);
            command.arg("--clear-groups");
        }
        command.arg(env!("CARGO_BIN_EXE_pkgfs")).args(arguments);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["PKGFS_", "XDG_", "REZ_"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.at("home"))
            .env("XDG_STATE_HOME", self.at("state"))
            .env("XDG_CONFIG_HOME", self.at("config"))
            .env("XDG_CONFIG_DIRS", self.at("system"))
            .env("XDG_CACHE_HOME", self.at("cache"))
            .env(MARK, self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    /// `mount MNT --store STORE` and more.
    pub fn mount(&self, more: &[&str]) -> Ran {
        let (mountpoint, store) = (self.mountpoint(), self.store());
        let mut arguments =
            vec!["mount", mountpoint.to_str().unwrap(), "--store", store.to_str().unwrap()];
        arguments.extend(more);
        self.run(&arguments)
    }

    pub fn unmount(&self, more: &[&str]) -> Ran {
        let mountpoint = self.mountpoint();
        let mut arguments = vec!["unmount", mountpoint.to_str().unwrap()];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// `status --json` of the mount.
    pub fn status(&self) -> serde_json::Value {
        let ran = self.run(&["status", self.mountpoint().to_str().unwrap(), "--json"]).good();
        serde_json::from_str::<serde_json::Value>(&ran.out).unwrap()["mounts"][0].clone()
    }

    pub fn daemon_pid(&self) -> i32 {
        let status = self.status();
        status["daemon"]["pid"].as_i64().unwrap_or_else(|| panic!("{status}")) as i32
    }

    /// Kills the daemon, and the process that would start another.
    pub fn crash(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        let status = self.status();
        let process =
            |pid: &serde_json::Value| Pid::from_raw(pid.as_i64().unwrap() as i32).unwrap();
        let daemon = process(&status["daemon"]["pid"]);
        kill_process(daemon, Signal::STOP).unwrap();
        kill_process(process(&status["daemon"]["hand_over"]["holder"]), Signal::KILL).unwrap();
        kill_process(daemon, Signal::KILL).unwrap();
    }

    /// The mounts in this place.
    pub fn mounts(&self) -> Vec<MountInfo> {
        let all = pkgfs_fuse::all_mounts().unwrap();
        all.into_iter()
            .filter(|mount| mount.mountpoint.starts_with(self.directory.path()))
            .collect()
    }

    /// The processes started in this place that still run.
    pub fn processes(&self) -> Vec<String> {
        let mark = format!("{MARK}={}", self.directory.path().display());
        let marked = |pid: &str| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
        };
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && marked(name))
            .map(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                format!("{pid} {}", String::from_utf8_lossy(&line).replace('\0', " "))
            })
            .collect()
    }

    /// Nothing mounted, nothing running, no directory to be filled.
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.mounts(), []);
        eventually("every process has ended", || self.processes().is_empty());
        assert!(!self.mountpoint().exists(), "{} is left", self.mountpoint().display());
        assert!(!self.store().join("control.sock").exists(), "the control socket is left");
    }

    /// The daemon's log.
    pub fn log(&self) -> String {
        let Ok(logs) = fs::read_dir(self.at("state/pkgfs")) else { return String::new() };
        logs.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of the daemon:\n{}", self.log());
        }
        for mount in self.mounts() {
            let _ = pkgfs_fuse::unmount(&mount.mountpoint, true);
        }
        for process in self.processes() {
            let pid = process.split(' ').next().and_then(|pid| pid.parse().ok());
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

impl Ran {
    /// It must have succeeded.
    pub fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It must have failed with one line that holds all of these.
    pub fn refused(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
        for debris in ["Os {", "Error(", "Some(", "panicked"] {
            assert!(!self.err.contains(debris), "{self:?}");
        }
        self
    }
}

pub fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Waits for what no descriptor tells, and fails if it does not come.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < until, "it did not happen that {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

pub fn kill(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A process with its working directory somewhere, ended with the test.
pub struct Sitter(pub Child);

impl Sitter {
    pub fn in_directory(path: &Path) -> Self {
        Self(Command::new("sleep").arg("600").current_dir(path).spawn().unwrap())
    }
}

impl Drop for Sitter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tests that need to look like another machine, or another user, need root for that.
pub fn needs_root() {
    assert!(rustix::process::geteuid().is_root(), "run this test as root, it changes users");
}
