//! Everything at once, at random: applications start, storage fails and hangs, room is made, daemons
//! and their helpers are killed and replaced. Short in each test run; `cargo xtask soak` for hours.
//!
//! What is *known* was read before anything fails and is pinned, so it must read right at every moment.
//! What is not may fail, but only for as long as storage does, and never reads wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pkgfs_tests::standin::{Effect, Fault, FaultErrno, Operation, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene, ends};
use rustix::process::Signal;
use serde_json::Value;

use crate::{packages, process, store};

/// Packages that come and go.
const PACKAGES: usize = 40;
/// Those that must always read right.
const KNOWN: usize = 5;
/// What Debian's Python brings and imports from the mount: an application of its own.
const MODULES: [&str; 6] = ["json", "email", "xml", "unittest", "logging", "concurrent"];

/// How long it takes; the last third without kills, its second half for what leaks.
fn length() -> Duration {
    let seconds = std::env::var("PKGFS_SOAK_SECONDS");
    Duration::from_secs(seconds.map_or(6, |seconds| seconds.parse().unwrap()))
}

struct Soak<'a> {
    scene: &'a Scene,
    mounted: &'a Mounted,
    /// Further applications: module, and the directory below the mount that Python looks in.
    real: Vec<(String, PathBuf)>,
    /// Odd while storage fails; another number afterwards.
    faults: AtomicU64,
    ends: AtomicBool,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    seed: AtomicU64,
}

#[test]
fn whatever_happens_at_random_readers_get_the_right_bytes_and_nothing_leaks() {
    let scene = Scene::behind_standin(&Options { delay_us: 50, ..Options::default() });
    packages::release(&scene, PACKAGES);
    scene.repository().release("stdlib", "3", |root| {
        MODULES.iter().for_each(|module| {
            copy(&Path::new("/usr/lib/python3.11").join(module), &root.join(module))
        });
    });
    let real = real_packages(&scene);
    // Less than all that is read.
    let quota = if real.is_empty() { 8 } else { 60 };
    let configuration = format!("origin.deadline_seconds = 2\nroom.quota_megabytes = {quota}\n")
        + "freshness_minutes = 0\nscrub.delay_seconds = 1\nscrub.days = 0\n"
        + "registration.miss_seconds = 0";
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    let real = real
        .into_iter()
        .map(|(name, version, module)| (module, mounted.payload(&name, version.as_str(), None)));
    let stdlib = mounted.payload("stdlib", "3", None);
    let soak = Soak {
        scene: &scene,
        mounted: &mounted,
        real: real.chain(MODULES.map(|module| (module.to_owned(), stdlib.clone()))).collect(),
        faults: AtomicU64::new(0),
        ends: AtomicBool::new(false),
        counts: Mutex::default(),
        seed: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
    };
    for package in 0..KNOWN {
        packages::assert_whole(&mounted, package);
        let _ = mounted
            .pkgfs(&[
                "pin".as_ref(),
                mounted.mountpoint().as_os_str(),
                packages::name(package).as_ref(),
            ])
            .good();
    }
    soak.run(length());
    println!("{:?}", soak.counts.lock().unwrap());
    (0..PACKAGES).for_each(|package| packages::assert_whole(&mounted, package));
    let said = mounted.pkgfs(&["verify".as_ref(), mounted.mountpoint().as_os_str()]).good();
    assert!(said.out.contains("0 bad") || !said.out.contains("bad"), "{said:?}");
    mounted.unmount();
    assert!(store::assert_sound(&mounted.store()) > KNOWN);
    let partial = fs::read_dir(mounted.store().join("partial")).unwrap().count();
    assert_eq!(partial, 0, "partial files are left");
}

impl Soak<'_> {
    fn run(&self, length: Duration) {
        let ends_at = Instant::now() + length;
        thread::scope(|scope| {
            let _ends = Ends(&self.ends);
            let reader = |step: fn(&Self)| {
                scope.spawn(move || {
                    let _ends = Ends(&self.ends);
                    while !self.ends.load(Ordering::Relaxed) {
                        step(self);
                    }
                });
            };
            reader(Self::reads_known);
            reader(Self::reads_any);
            reader(Self::starts_an_application);
            let quiet_from = ends_at - length / 3;
            while Instant::now() < quiet_from && !self.ends.load(Ordering::Relaxed) {
                self.strikes();
            }
            let disturbs_until = |moment| {
                while Instant::now() < moment && !self.ends.load(Ordering::Relaxed) {
                    self.disturbs();
                }
            };
            // A daemon that has just begun fills up what it keeps, within bounds.
            disturbs_until(ends_at - length / 6);
            let before = self.held();
            disturbs_until(ends_at);
            let after = self.held();
            println!("held by the daemon before and after: {before:?}, {after:?}");
            assert!(after.descriptors < before.descriptors + 300, "{before:?} {after:?}");
            assert!(after.resident_kb < before.resident_kb + 60_000, "{before:?} {after:?}");
        });
    }

    fn storage_fails_since(&self, before: u64) -> bool {
        before % 2 == 1 || self.faults.load(Ordering::SeqCst) != before
    }

    fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    /// The same numbers in each run.
    fn dice(&self, sides: usize) -> usize {
        let next = |seed: u64| {
            let seed = seed ^ (seed << 13);
            let seed = seed ^ (seed >> 7);
            seed ^ (seed << 17)
        };
        let was =
            self.seed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seed| Some(next(seed)));
        (next(was.unwrap()) >> 33) as usize % sides
    }

    fn reads_known(&self) {
        packages::assert_whole(self.mounted, self.dice(KNOWN));
        self.count("known packages read");
    }

    fn reads_any(&self) {
        let package = KNOWN + self.dice(PACKAGES - KNOWN);
        let before = self.faults.load(Ordering::SeqCst);
        let root = self.mounted.payload(&packages::name(package), "1.0", None);
        for (file, path) in packages::files() {
            match fs::read(root.join(&path)) {
                Ok(bytes) => {
                    assert!(bytes == packages::content(package, file), "{package}: {path}")
                }
                Err(error) => {
                    let failing = self.storage_fails_since(before);
                    assert!(failing, "{package}: {path}: {error}, though storage answers");
                    assert_ne!(
                        error.kind(),
                        ErrorKind::NotFound,
                        "{package}: {path}: taken for absent"
                    );
                    self.count("cold reads of failing storage refused");
                    return;
                }
            }
        }
        self.count("other packages read");
    }

    fn starts_an_application(&self) {
        let (module, path) = &self.real[self.dice(self.real.len())];
        let before = self.faults.load(Ordering::SeqCst);
        let ran = Command::new("/usr/bin/python3")
            .args(["-c", &format!("import {module}; print({module}.__file__)")])
            .env("PYTHONPATH", path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let failing = self.storage_fails_since(before);
        if ran.status.success() && said.starts_with(path.to_str().unwrap()) {
            return self.count("applications started");
        }
        let why = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(failing, "{module} did not start from {}: {said}{why}", path.display());
        self.count("applications that failed with storage");
    }

    /// Something dies, or storage does, for a while.
    fn strikes(&self) {
        match self.dice(8) {
            0 | 1 => self.daemon_dies(),
            2 => {
                ends(self.mounted.holder_pid(), Signal::KILL);
                self.count("holders killed");
            }
            3 => {
                if let Some(worker) = process::worker(self.mounted) {
                    let _ = rustix::process::kill_process(
                        rustix::process::Pid::from_raw(worker.cast_signed()).unwrap(),
                        Signal::KILL,
                    );
                    self.count("workers killed");
                }
            }
            4 => {
                let mountpoint = self.mounted.mountpoint();
                let _ = self.mounted.pkgfs(&["upgrade".as_ref(), mountpoint.as_os_str()]).good();
                self.count("upgrades");
            }
            _ => self.disturbs(),
        }
        // A daemon that lives for less counts as one that cannot take over.
        thread::sleep(Duration::from_millis(600));
    }

    fn daemon_dies(&self) {
        let daemon = self.mounted.daemon_pid();
        ends(daemon, Signal::KILL);
        let _ = self.mounted.next_daemon(daemon);
        self.count("daemons killed");
    }

    /// Nothing dies.
    fn disturbs(&self) {
        let mountpoint = self.mounted.mountpoint();
        match self.dice(7) {
            0 => self.storage_fails(&Fault::new(Effect::Hang), "hangs of storage"),
            1 => {
                let error = Fault::new(Effect::Error { errno: FaultErrno::Eio });
                self.storage_fails(&error, "errors of storage");
            }
            2 => {
                let stale = Fault::new(Effect::Error { errno: FaultErrno::Estale });
                self.storage_fails(&stale.on([Operation::Read, Operation::Open]), "stale files");
            }
            3 => {
                let package = packages::name(KNOWN + self.dice(PACKAGES - KNOWN));
                let arguments = ["flush".as_ref(), mountpoint.as_os_str(), package.as_ref()];
                let _ = self.mounted.pkgfs(&arguments);
                self.count("flushes");
            }
            4 => {
                let last = self.mounted.view()["room"]["evicted_blobs"].as_u64();
                if last.is_some_and(|evicted| evicted > 0) {
                    self.count("looks at a store that blobs had gone from");
                }
            }
            5 => {
                let _ = self.mounted.pkgfs(&["verify".as_ref(), mountpoint.as_os_str()]).good();
                self.count("checks of all blobs");
            }
            _ => {
                // Each is more than the store may hold beside the others.
                let first = KNOWN + self.dice(PACKAGES - KNOWN - 10);
                for package in first..first + 10 {
                    packages::assert_whole(self.mounted, package);
                }
                self.count("walks through what is not all local");
            }
        }
        thread::sleep(Duration::from_millis(50));
    }

    fn storage_fails(&self, fault: &Fault, what: &'static str) {
        let control = self.scene.standin().control();
        self.faults.fetch_add(1, Ordering::SeqCst);
        control.fault(fault).unwrap();
        thread::sleep(Duration::from_millis(200 + 100 * self.dice(8) as u64));
        control.clear_faults().unwrap();
        control.release().unwrap();
        // Recovered when something that is not local reads again.
        pkgfs_tests::eventually("storage that is back is read again", || {
            let package = KNOWN + self.dice(PACKAGES - KNOWN);
            let root = self.mounted.payload(&packages::name(package), "1.0", None);
            packages::files().all(|(_, path)| fs::read(root.join(path)).is_ok())
        });
        self.faults.fetch_add(1, Ordering::SeqCst);
        self.count(what);
    }

    /// What the daemon holds.
    fn held(&self) -> Held {
        let pid = self.mounted.daemon_pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let view: Value = self.mounted.view();
        let left_behind = view["origin"]["left_behind"].as_u64().unwrap();
        assert!(left_behind <= 2, "{left_behind} workers are left behind");
        Held {
            resident_kb: resident.split_whitespace().next().unwrap().parse().unwrap(),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        }
    }
}

#[derive(Debug)]
struct Held {
    resident_kb: usize,
    descriptors: usize,
}

/// Whoever ends, or fails, ends all.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Packages of a rez repository that somebody else made: name, version and module, as
/// `PKGFS_SOAK_PACKAGES` lists them (`directory:name:version:module`, separated by blanks).
fn real_packages(scene: &Scene) -> Vec<(String, String, String)> {
    let listed = std::env::var("PKGFS_SOAK_PACKAGES").unwrap_or_default();
    let packages = listed.split_whitespace().map(|package| {
        let parts: Vec<_> = package.split(':').collect();
        let [directory, name, version, module] = parts[..] else { panic!("{package}") };
        scene.repository().release(name, version, |root| copy(Path::new(directory), root));
        (name.to_owned(), version.to_owned(), module.to_owned())
    });
    packages.collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let copied = Command::new("cp").arg("-rLT").args([from, to]).status().unwrap();
    assert!(copied.success(), "{} cannot be copied", from.display());
}
