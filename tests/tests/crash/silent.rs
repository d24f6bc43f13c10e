//! Storage that is dead, or close to it: how soon who asks for what is not local hears of it, how
//! soon storage is believed to be back, and what needs no storage at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pkgfs_tests::standin::{Effect, Fault, Operation, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};
use rustix::io::Errno;

use crate::packages;
use crate::process::origin;

const PACKAGES: usize = 12;
const DEADLINE: Duration = Duration::from_secs(2);
/// What a busy machine adds to what takes no time.
const SLACK: Duration = Duration::from_millis(700);
/// Longest that one request is waited for that finds out whether dead storage is back.
const TRIAL: Duration = Duration::from_secs(1);

/// Package 0 is local, the others are listed.
fn scene() -> (Scene, Mounted) {
    let scene = Scene::behind_standin(&Options::uncached());
    packages::release(&scene, PACKAGES);
    let configuration = "origin.deadline_seconds = 2".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    packages::assert_whole(&mounted, 0);
    for package in 1..PACKAGES - 1 {
        assert_eq!(fs::read_dir(file(&mounted, package).parent().unwrap()).unwrap().count(), 2);
    }
    (scene, mounted)
}

fn file(mounted: &Mounted, package: usize) -> PathBuf {
    mounted.payload(&packages::name(package), "1.0", None).join("inner-1/file-3")
}

fn hang(scene: &Scene, operations: &[Operation]) {
    let fault = Fault::new(Effect::Hang).on(operations.iter().copied());
    scene.standin().control().fault(&fault).unwrap();
}

/// Reads something, in a thread that is given up should it hang, and tells how long that took.
fn timed<T: Send + 'static>(
    path: &Path,
    what: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> (Option<Errno>, Duration) {
    let (sender, outcome) = mpsc::channel();
    let (path, began) = (path.to_path_buf(), Instant::now());
    let shown = path.display().to_string();
    thread::spawn(move || sender.send(what(&path).map(drop)));
    let outcome = outcome.recv_timeout(5 * DEADLINE);
    let outcome = outcome.unwrap_or_else(|_| panic!("{shown}: no end within {:?}", 5 * DEADLINE));
    (outcome.err().and_then(|error| Errno::from_io_error(&error)), began.elapsed())
}

fn read(path: &Path) -> (Option<Errno>, Duration) {
    timed(path, |path| fs::read(path))
}

fn assert_local_at_once(mounted: &Mounted) {
    let began = Instant::now();
    packages::assert_whole(mounted, 0);
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
}

/// A reader waited twice: the kernel asks again for what its own reading ahead did not get. And the
/// failure of a look-up above a package's own directory was told nobody.
#[test]
fn a_cold_request_ends_at_its_deadline_and_the_log_names_the_file_and_the_cause() {
    thread::scope(|scope| {
        // In a read that a kill would end, and in an open that no kill would.
        scope.spawn(|| assert_read_ends_in_time(&[Operation::Read]));
        scope.spawn(|| assert_read_ends_in_time(&[Operation::Open, Operation::Getattr]));
        scope.spawn(assert_names_end_in_time);
    });
}

fn assert_read_ends_in_time(operations: &[Operation]) {
    let (scene, mounted) = scene();
    hang(&scene, operations);
    let (errno, took) = read(&file(&mounted, 1));
    assert_eq!(errno, Some(Errno::TIMEDOUT));
    assert!(took >= DEADLINE - SLACK && took < DEADLINE + SLACK, "{operations:?}: {took:?}");
    let at = scene.repository().location().join("p001/1.0/inner-1/file-3");
    assert_told(&mounted, &at.to_string_lossy());
    scene.standin().control().release().unwrap();
}

/// Listings and look-ups of what is not known.
fn assert_names_end_in_time() {
    let (scene, mounted) = scene();
    let root = mounted.payload(&packages::name(PACKAGES - 1), "1.0", None);
    assert!(root.exists());
    hang(&scene, &[Operation::Readdir, Operation::Lookup, Operation::Open]);
    let list = |path: &Path| fs::read_dir(path)?.try_for_each(|entry| entry.map(drop));
    for (errno, took) in
        [timed(&root, list), timed(&mounted.mountpoint().join("p999"), |path| fs::metadata(path))]
    {
        assert!(!matches!(errno, None | Some(Errno::NOENT)), "{errno:?}");
        assert!(took < DEADLINE + SLACK, "{took:?}");
    }
    assert_told(&mounted, &format!("{}/1.0", packages::name(PACKAGES - 1)));
    assert_told(&mounted, "p999");
    scene.standin().control().release().unwrap();
}

fn assert_told(mounted: &Mounted, name: &str) {
    let log = mounted.log();
    let mut lines = log.lines().filter(|line| line.contains(name));
    assert!(lines.any(|line| line.contains("answer")), "{name}: {log}");
}

/// Where a kill could end what hung, no worker was ever left behind, and each read waited for its
/// deadline for as long as storage was dead.
#[test]
fn dead_storage_fails_at_once_after_the_first_time_outs_and_is_back_within_seconds() {
    thread::scope(|scope| {
        for operation in [Operation::Read, Operation::Open] {
            scope.spawn(move || assert_fails_at_once_and_is_back(operation));
        }
    });
}

fn assert_fails_at_once_and_is_back(operation: Operation) {
    let (scene, mounted) = scene();
    hang(&scene, &[operation]);
    thread::scope(|scope| {
        let first = [1, 2].map(|package| {
            let path = file(&mounted, package);
            scope.spawn(move || read(&path))
        });
        for first in first {
            assert_eq!(first.join().unwrap().0, Some(Errno::TIMEDOUT));
        }
    });
    let mut at_once = 0;
    for package in (3..10).chain(3..10) {
        let (errno, took) = read(&file(&mounted, package));
        assert_eq!(errno, Some(Errno::TIMEDOUT));
        assert!(took < TRIAL + SLACK, "{took:?}");
        at_once += usize::from(took < SLACK);
    }
    assert!(at_once > 7, "{at_once} of 14 failed at once");
    assert_local_at_once(&mounted);
    assert!(origin(&mounted, "refused") > 0);
    // Threads and workers that hang are bounded, and counted.
    assert!(origin(&mounted, "left_behind") <= 4 && origin(&mounted, "stuck") <= 16);
    scene.standin().control().release().unwrap();
    let back = Instant::now();
    eventually("it is back", || fs::read(file(&mounted, 3)).is_ok());
    assert!(back.elapsed() < Duration::from_secs(6), "{:?}", back.elapsed());
    for package in 0..PACKAGES {
        packages::assert_whole(&mounted, package);
    }
}

/// What gets on is no failure, however slow.
#[test]
fn storage_that_is_slow_to_a_crawl_gives_whole_files_while_local_ones_are_served_at_once() {
    let (scene, mounted) = scene();
    // Each name in a path is asked for, one at a time.
    scene.standin().control().set_slots(1).unwrap();
    scene.standin().control().set_delay_us(50_000).unwrap();
    let began = Instant::now();
    thread::scope(|scope| {
        let reading =
            scope.spawn(|| (1..3).for_each(|package| packages::assert_whole(&mounted, package)));
        while !reading.is_finished() {
            assert_local_at_once(&mounted);
        }
        reading.join().unwrap();
    });
    assert!(began.elapsed() > DEADLINE, "it was not slow: {:?}", began.elapsed());
    assert_eq!(origin(&mounted, "timed_out"), 0);
}

#[test]
fn a_killed_daemon_is_mounted_again_and_tells_its_status_while_storage_hangs() {
    let (scene, mounted) = scene();
    let all = [Operation::Lookup, Operation::Getattr, Operation::Open, Operation::Read];
    hang(&scene, &all);
    // A thread that hangs in an open cannot be killed.
    assert!(read(&file(&mounted, 1)).0.is_some());
    mounted.kill_daemon();
    let began = Instant::now();
    mounted.mount_again();
    let _ = mounted.status();
    assert!(began.elapsed() < DEADLINE + Duration::from_secs(3), "{:?}", began.elapsed());
    assert_local_at_once(&mounted);
    assert!(read(&file(&mounted, 2)).0.is_some_and(|errno| errno != Errno::NOENT));
    assert!(origin(&mounted, "left_behind") <= 4);
    scene.standin().control().release().unwrap();
    eventually("it is back", || fs::read(file(&mounted, 2)).is_ok());
    for package in 0..PACKAGES {
        packages::assert_whole(&mounted, package);
    }
}
