//! The process that reads shared storage hangs: in the kernel, or because somebody stopped it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use pkgfs_tests::standin::{Effect, Fault, Operation, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene, ends, eventually};
use rustix::process::{Pid, Signal, kill_process};

use crate::packages;
use crate::process::{origin, reader, runs, worker};

const DEADLINE: Duration = Duration::from_secs(2);
/// What is local takes no longer than this, on a machine that does other things too.
const AT_ONCE: Duration = Duration::from_millis(700);

fn scene() -> (Scene, Mounted) {
    let scene = Scene::behind_standin(&Options::uncached());
    packages::release(&scene, 6);
    let mounted = scene.mount(&MountOptions {
        configuration: "origin.deadline_seconds = 2".to_owned(),
        ..MountOptions::default()
    });
    packages::assert_whole(&mounted, 0);
    for package in 1..6 {
        let inner = mounted.payload(&packages::name(package), "1.0", None).join("inner-1");
        assert_eq!(fs::read_dir(inner).unwrap().count(), 2);
    }
    (scene, mounted)
}

/// Reads what is not local: how it ended, which must be within a bounded time.
fn cold(path: &Path) -> Option<ErrorKind> {
    let started = Instant::now();
    let error = fs::read(path).err().map(|error| error.kind());
    let took = started.elapsed();
    assert!(took < DEADLINE * 3 + Duration::from_secs(1), "{} took {took:?}", path.display());
    error
}

fn assert_local_at_once(mounted: &Mounted) {
    let started = Instant::now();
    packages::assert_whole(mounted, 0);
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
}

fn problems(mounted: &Mounted) -> String {
    mounted.view()["problems"].to_string()
}

fn file(mounted: &Mounted, package: usize) -> std::path::PathBuf {
    mounted.payload(&packages::name(package), "1.0", None).join("inner-1/file-3")
}

#[test]
fn with_storage_hanging_local_files_are_served_and_cold_reads_end_within_the_deadline() {
    let (scene, mounted) = scene();
    for operation in [Operation::Read, Operation::Open, Operation::Getattr] {
        let hang = Fault::new(Effect::Hang).on([operation, Operation::Lookup]);
        scene.standin().control().fault(&hang).unwrap();
        let path = file(&mounted, 1);
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (1..4)
                .map(|package| {
                    let path = file(&mounted, package);
                    scope.spawn(move || cold(&path))
                })
                .collect();
            assert_local_at_once(&mounted);
            let outcomes: Vec<_> = waiting.into_iter().map(|cold| cold.join().unwrap()).collect();
            assert_local_at_once(&mounted);
            let no_absence = |outcome: &Option<ErrorKind>| {
                outcome.is_some_and(|error| error != ErrorKind::NotFound)
            };
            assert!(outcomes.iter().all(no_absence), "{operation:?}: {outcomes:?}");
        });
        assert!(
            problems(&mounted).contains("did not answer"),
            "{operation:?}: {}",
            problems(&mounted)
        );
        assert!(origin(&mounted, "timed_out") > 0);
        scene.standin().control().release().unwrap();
        eventually("it recovers by itself", || fs::read(&path).is_ok());
        packages::assert_whole(&mounted, 1);
        let _ = mounted
            .pkgfs(&[
                "flush".as_ref(),
                mounted.mountpoint().as_os_str(),
                "p001".as_ref(),
                "p002".as_ref(),
                "p003".as_ref(),
            ])
            .good();
    }
    for package in 0..6 {
        packages::assert_whole(&mounted, package);
    }
}

#[test]
fn a_caller_that_waits_for_hanging_storage_can_be_killed() {
    let (scene, mounted) = scene();
    scene.standin().control().fault(&Fault::new(Effect::Hang).on([Operation::Read])).unwrap();
    let mut readers: Vec<_> = [1, 2].map(|package| reader(&file(&mounted, package))).into();
    for reader in &mut readers {
        let pid = reader.id();
        let asked = || fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        eventually("it waits for its bytes", || {
            asked().contains("folio") || asked().contains("fuse")
        });
        let started = Instant::now();
        ends(pid, Signal::KILL);
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
        reader.wait().unwrap();
    }
    scene.standin().control().release().unwrap();
    eventually("it recovers by itself", || fs::read(file(&mounted, 1)).is_ok());
    packages::assert_whole(&mounted, 1);
}

#[test]
fn a_stopped_worker_is_replaced_and_no_read_is_lost() {
    let (_scene, mounted) = scene();
    let pid = worker(&mounted).unwrap();
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::STOP).unwrap();
    let path = file(&mounted, 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| cold(&path));
        assert_local_at_once(&mounted);
        let outcome = waiting.join().unwrap();
        assert_ne!(outcome, Some(ErrorKind::NotFound));
        assert_local_at_once(&mounted);
    });
    eventually("it recovers by itself", || fs::read(&path).is_ok());
    packages::assert_whole(&mounted, 1);
    assert_ne!(worker(&mounted), Some(pid));
    eventually("the stopped one is gone", || !runs(pid));
}

#[test]
fn a_wedged_worker_is_all_that_an_unmount_leaves_until_storage_lets_it_go() {
    let (scene, mounted) = scene();
    // No open can be broken off: who waits in one cannot even be killed.
    let hang = Fault::new(Effect::Hang).on([Operation::Open]);
    scene.standin().control().fault(&hang).unwrap();
    let pid = worker(&mounted).unwrap();
    let daemon = mounted.daemon_pid();
    assert!(cold(&file(&mounted, 1)).is_some());
    assert_local_at_once(&mounted);
    let started = Instant::now();
    mounted.unmount();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(!runs(daemon));
    scene.standin().control().release().unwrap();
    eventually("the wedged worker is gone", || !runs(pid));
    mounted.mount_again();
    packages::assert_whole(&mounted, 1);
}
