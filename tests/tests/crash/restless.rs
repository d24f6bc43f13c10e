//! Load that takes no failure: whoever does any of this notices no more than a pause.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pkgfs_tests::{Mapping, Mounted, Scene, User};

use crate::load::{Way, register};
use crate::packages;

/// Packages that are there from the start.
pub(crate) const KNOWN: usize = 4;

/// What the load has seen.
#[derive(Default)]
pub(crate) struct Restless {
    ends: AtomicBool,
    steps: AtomicUsize,
    longest: Mutex<Duration>,
}

impl Restless {
    /// Reads, maps, walks, writes and registers while `meanwhile` runs. Packages from [`KNOWN`] on are
    /// registered one after the other. Any failure fails the test.
    pub(crate) fn run(
        scene: &Scene,
        mounted: &Mounted,
        user: User,
        new: usize,
        meanwhile: impl FnOnce(),
    ) -> Self {
        let load = Self::default();
        user.run(|| (0..KNOWN).for_each(|package| packages::assert_whole(mounted, package)));
        thread::scope(|scope| {
            let _ends = Ends(&load.ends);
            for first in 0..2 {
                let load = &load;
                let reads = move |turn| opens_and_reads(mounted, turn + first);
                scope.spawn(move || user.run(|| load.go_on(reads)));
            }
            scope.spawn(|| {
                user.run(|| {
                    let mut open = open_files(mounted);
                    load.go_on(|_| reads_what_is_open(&mut open));
                });
            });
            scope.spawn(|| user.run(|| load.go_on(|_| walks(mounted))));
            scope.spawn(|| user.run(|| load.go_on(|turn| writes(mounted, turn))));
            for name in ["one", "other"] {
                let load = &load;
                let locks = move |turn| takes_the_lock(mounted, name, turn);
                scope.spawn(move || user.run(|| load.go_on(locks)));
            }
            scope.spawn(|| {
                for package in KNOWN..KNOWN + new {
                    if load.ends.load(Ordering::Relaxed) {
                        break;
                    }
                    let way = [Way::LookUp, Way::Pending, Way::CopyIn][package % 3];
                    user.run(|| {
                        assert!(register(scene, mounted, package, way).unwrap(), "{package}");
                        packages::assert_whole(mounted, package);
                    });
                }
            });
            meanwhile();
        });
        load
    }

    fn go_on(&self, mut step: impl FnMut(usize)) {
        let _ends = Ends(&self.ends);
        for turn in 0.. {
            if self.ends.load(Ordering::Relaxed) {
                break;
            }
            let started = Instant::now();
            step(turn);
            let mut longest = self.longest.lock().unwrap();
            *longest = started.elapsed().max(*longest);
            self.steps.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many things were done.
    pub(crate) fn steps(&self) -> usize {
        self.steps.load(Ordering::Relaxed)
    }

    /// The longest that one of them took.
    pub(crate) fn longest(&self) -> Duration {
        *self.longest.lock().unwrap()
    }
}

/// Whoever ends, or fails, ends all.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn files(mounted: &Mounted) -> Vec<(PathBuf, Vec<u8>)> {
    let known = (0..KNOWN).flat_map(|package| {
        let root = mounted.payload(&packages::name(package), "1.0", None);
        packages::files()
            .map(move |(file, path)| (root.join(path), packages::content(package, file)))
    });
    known.collect()
}

fn opens_and_reads(mounted: &Mounted, turn: usize) {
    let package = turn % KNOWN;
    packages::assert_whole(mounted, package);
    let root = mounted.payload(&packages::name(package), "1.0", None);
    let missing = fs::metadata(root.join(format!("missing-{turn}"))).unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
}

type Open = (File, Option<Mapping>, Vec<u8>);

fn open_files(mounted: &Mounted) -> Vec<Open> {
    let open = |(path, content): (PathBuf, Vec<u8>)| {
        let file = File::open(path).unwrap();
        let mapping =
            (!content.is_empty()).then(|| Mapping::readable(&file, content.len()).unwrap());
        (file, mapping, content)
    };
    files(mounted).into_iter().map(open).collect()
}

fn reads_what_is_open(open: &mut [Open]) {
    for (file, mapping, content) in open {
        let mut read = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut read).unwrap();
        assert!(read == *content, "an open file has other bytes");
        for at in (0..content.len()).step_by(4096) {
            let mapped = mapping.as_ref().unwrap().load(at);
            assert_eq!(mapped, content[at], "a mapped file has other bytes");
        }
    }
}

fn walks(mounted: &Mounted) {
    for package in 0..KNOWN {
        let root = mounted.payload(&packages::name(package), "1.0", None);
        for inner in ["inner-0", "inner-1"] {
            let names = fs::read_dir(root.join(inner)).unwrap();
            let sizes: u64 = names.map(|name| name.unwrap().metadata().unwrap().len()).sum();
            let known = packages::files().filter(|(_, path)| path.starts_with(inner));
            let expected: usize =
                known.map(|(file, _)| packages::content(package, file).len()).sum();
            assert_eq!(sizes, expected as u64);
        }
    }
}

fn writes(mounted: &Mounted, turn: usize) {
    let log = mounted.mountpoint().join(".sys/log");
    let path = log.join(format!("{turn}.log"));
    let mut file = File::create_new(&path).unwrap();
    for line in 0..20 {
        writeln!(file, "line {line}").unwrap();
    }
    drop(file);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 20);
    let moved = log.join(format!("{turn}.moved"));
    fs::rename(&path, &moved).unwrap();
    fs::remove_file(&moved).unwrap();
    fs::create_dir(&path).unwrap();
    fs::remove_dir(&path).unwrap();
}

/// As rez takes its lock: whoever links first has it, alone.
fn takes_the_lock(mounted: &Mounted, name: &str, turn: usize) {
    let sys = mounted.mountpoint().join(".sys");
    let own = sys.join(format!("{name}-{turn}"));
    fs::write(&own, "").unwrap();
    let lock = sys.join("log/lock");
    if fs::hard_link(&own, &lock).is_ok() {
        let held = sys.join("log/held");
        File::create_new(&held).expect("two have the lock");
        fs::remove_file(held).unwrap();
        fs::remove_file(&lock).unwrap();
    }
    fs::remove_file(own).unwrap();
}
