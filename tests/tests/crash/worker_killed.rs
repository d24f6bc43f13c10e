//! The process that reads shared storage is killed, again and again.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pkgfs_tests::standin::Options;
use pkgfs_tests::{MountOptions, Mounted, Scene, ends, eventually};
use rustix::process::Signal;

use crate::process::{origin, runs, worker};
use crate::{packages, store};

const KILLS: u64 = 30;
const DEADLINE: Duration = Duration::from_secs(2);

/// Ends the load, also when this test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How often files were read on shared storage.
fn operations(mounted: &Mounted) -> u64 {
    mounted.view()["origin"]["operations"]["read"].as_u64().unwrap()
}

#[test]
fn killing_the_worker_many_times_under_load_harms_neither_the_mount_nor_a_byte() {
    const PACKAGES: usize = 60;
    let scene = Scene::behind_standin(&Options { delay_us: 500, ..Options::uncached() });
    packages::release(&scene, PACKAGES);
    let mounted = scene.mount(&MountOptions {
        configuration: "origin.deadline_seconds = 2".to_owned(),
        ..MountOptions::default()
    });
    packages::assert_whole(&mounted, 0);
    for package in 1..PACKAGES {
        assert!(mounted.payload(&packages::name(package), "1.0", None).exists());
    }
    let local = mounted.payload(&packages::name(0), "1.0", None);
    let ended = AtomicBool::new(false);
    let (slowest, failed) = thread::scope(|scope| {
        // What is local is read all the while, and at once.
        let watch = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                for (file, path) in packages::files() {
                    let started = Instant::now();
                    assert!(fs::read(local.join(path)).unwrap() == packages::content(0, file));
                    slowest = slowest.max(started.elapsed());
                }
            }
            slowest
        });
        // Cold files: right, or an error within the deadline.
        let cold = [1, 2].map(|first| {
            let (mounted, ended) = (&mounted, &ended);
            scope.spawn(move || {
                let mut failed = 0;
                for package in (first..PACKAGES).step_by(2).cycle() {
                    let root = mounted.payload(&packages::name(package), "1.0", None);
                    for (file, path) in packages::files() {
                        let started = Instant::now();
                        match fs::read(root.join(&path)) {
                            Ok(bytes) => {
                                assert!(bytes == packages::content(package, file), "{path}")
                            }
                            Err(_) => failed += 1,
                        }
                        let took = started.elapsed();
                        assert!(took < DEADLINE * 4, "{package}/{path} took {took:?}");
                    }
                    if ended.load(Ordering::Relaxed) {
                        return failed;
                    }
                }
                unreachable!("a cycle does not end")
            })
        });
        let end = End(&ended);
        let mountpoint = mounted.mountpoint();
        for kills in 1..=KILLS {
            // What is local is no load on it: all but the first package is cold again.
            let mut flush = vec!["flush".to_owned(), mountpoint.to_str().unwrap().to_owned()];
            flush.extend((1..PACKAGES).map(packages::name));
            let before = operations(&mounted);
            let _ = mounted.pkgfs(&flush).good();
            eventually("it is at work", || operations(&mounted) > before + kills % 10);
            if let Some(pid) = worker(&mounted).filter(|pid| runs(*pid)) {
                ends(pid, Signal::KILL);
            }
            let killed = Instant::now();
            eventually("it is replaced", || origin(&mounted, "replaced") >= kills);
            // Its end is noticed; that it has become silent would take longer.
            assert!(killed.elapsed() < DEADLINE / 2, "replaced after {:?}", killed.elapsed());
        }
        drop(end);
        let failed: u32 = cold.into_iter().map(|thread| thread.join().unwrap()).sum();
        (watch.join().unwrap(), failed)
    });
    assert!(slowest < Duration::from_secs(1), "a local file took {slowest:?}");
    println!("{failed} cold reads failed; the slowest local one took {slowest:?}");
    eventually("it reads again", || {
        fs::read(mounted.payload("p001", "1.0", None).join("inner-0/file-2")).is_ok()
    });
    for package in 0..PACKAGES {
        packages::assert_whole(&mounted, package);
    }
    assert!(origin(&mounted, "started") > KILLS);
    mounted.unmount();
    store::assert_sound(&mounted.store());
}
