//! rez's lock on the mount: rez's own contenders, ours beside them, and locks left by the killed.

use std::fs;
use std::io::ErrorKind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use pkgfs_tests::{MountOptions, Scene};

use crate::actions::{Cache, names};
use crate::lock_file::{LockFile, left_by_a_killed_process};
use crate::payloads::{self, assert_same, pending_only, problems, ready};

fn scene(versions: &[&str]) -> Scene {
    let scene = Scene::new();
    for version in versions {
        scene.repository().release("tool", *version, payloads::small);
    }
    scene
}

#[test]
fn the_second_link_to_the_lock_is_refused_and_the_number_of_links_tells_who_has_it() {
    let scene = scene(&[]);
    let mounted = scene.mount(&MountOptions::default());
    let sys = Cache::new(mounted.mountpoint()).sys();
    let first = LockFile::acquire(&sys).unwrap();
    assert_eq!(first.links(), 2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let second = LockFile::prepare(&sys).unwrap();
            assert_eq!(second.links(), 1);
            assert_eq!(second.try_link().unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(second.links(), 1);
            assert_eq!(first.links(), 2);
        });
    });
    // Whose process lives keeps it, however often somebody looks.
    for _ in 0..50 {
        assert!(fs::exists(first.lock()).unwrap());
    }
    drop(first);
    assert_eq!(names(&sys), ["log", "pending", "to_delete"]);
    assert_eq!(LockFile::acquire(&sys).unwrap().links(), 2);
}

#[test]
fn a_look_up_registers_nothing_while_rez_holds_the_lock_and_at_once_when_it_lets_go() {
    let scene = scene(&["1.0"]);
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "1.0", None);
    let lock = LockFile::acquire(&cache.sys()).unwrap();
    thread::scope(|scope| {
        let (sender, found) = mpsc::channel();
        scope.spawn(|| {
            let sender = sender;
            sender.send(cache.find(&handle).unwrap()).unwrap();
        });
        let waiting = found.recv_timeout(Duration::from_millis(500));
        assert_eq!(waiting, Err(RecvTimeoutError::Timeout), "it did not wait for the lock");
        assert_eq!(ready(&mounted), 0);
        let freed = Instant::now();
        drop(lock);
        assert!(found.recv().unwrap().is_some());
        assert!(freed.elapsed() < Duration::from_millis(500), "{:?}", freed.elapsed());
    });
}

#[test]
fn a_lock_that_is_held_for_long_makes_a_look_up_a_miss_not_a_hang() {
    let scene = scene(&["1.0"]);
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "1.0", None);
    let lock = LockFile::acquire(&cache.sys()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            assert_eq!(cache.find(&handle).unwrap(), None);
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        });
    });
    assert_eq!(ready(&mounted), 0);
    assert!(problems(&mounted).iter().any(|text| text.contains("lock")));
    drop(lock);
    assert!(cache.find(&handle).unwrap().is_some());
}

#[test]
fn who_holds_the_lock_does_not_wait_for_itself() {
    let scene = scene(&["1.0", "2.0"]);
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let [first, second] =
        ["1.0", "2.0"].map(|version| scene.repository().handle("tool", version, None));
    let lock = LockFile::acquire(&cache.sys()).unwrap();
    let started = Instant::now();
    assert_eq!(cache.find(&first).unwrap(), None);
    let _ = cache.ask(&second);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(ready(&mounted), 0);
    drop(lock);
    assert!(cache.find(&first).unwrap().is_some());
    assert!(cache.find(&second).unwrap().is_some());
}

#[test]
fn a_lock_left_by_a_killed_process_is_gone_for_the_next_who_looks_for_it() {
    let scene = scene(&[]);
    let mounted = scene.mount(&MountOptions::default());
    let sys = Cache::new(mounted.mountpoint()).sys();
    for restart in [false, true] {
        let own = left_by_a_killed_process(&sys, "-1234567890123456789");
        if restart {
            // Nothing but the file's name says then who took it.
            mounted.remount();
        }
        assert!(!fs::exists(sys.join(".lock.lock")).unwrap(), "restart: {restart}");
        assert!(!fs::exists(&own).unwrap());
        let lock = LockFile::acquire(&sys).unwrap();
        assert_eq!(lock.links(), 2);
    }
    // rez itself never looks before it links; most of its hashes are positive.
    let _ = left_by_a_killed_process(&sys, "1234567890123456789");
    let started = Instant::now();
    assert_eq!(LockFile::acquire(&sys).unwrap().links(), 2);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_lock_left_by_a_killed_process_does_not_keep_variants_away() {
    let scene = scene(&["1.0", "2.0"]);
    let repository = scene.repository();
    for (options, version) in [(MountOptions::default(), "1.0"), (pending_only(), "2.0")] {
        let mounted = scene.mount(&options);
        let cache = Cache::new(mounted.mountpoint());
        let _ = left_by_a_killed_process(&cache.sys(), "-1234567890123456789");
        let handle = repository.handle("tool", version, None);
        let started = Instant::now();
        if !options.serves_look_ups {
            let _ = cache.ask(&handle);
        }
        assert!(cache.find(&handle).unwrap().is_some(), "{version}");
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(names(&cache.sys()), ["log", "pending", "to_delete"]);
    }
}

#[test]
fn a_variant_that_all_want_at_once_is_registered_once() {
    const VERSIONS: usize = 12;
    let versions: Vec<String> = (0..VERSIONS).map(|number| format!("{number}.0")).collect();
    let scene = scene(&versions.iter().map(String::as_str).collect::<Vec<_>>());
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let repository = scene.repository();
    // Two that add as rez does, one that looks up, one that asks by handles.
    thread::scope(|scope| {
        for contender in 0..4 {
            let (cache, versions) = (&cache, &versions);
            scope.spawn(move || {
                for version in versions {
                    let handle = repository.handle("tool", version.as_str(), None);
                    match contender {
                        0 | 1 => {
                            if let Some(copy) = cache.begin(&handle).unwrap() {
                                copy.tree(&repository.directory("tool", version.as_str()));
                                copy.end();
                            }
                        }
                        2 => drop(cache.find(&handle).unwrap()),
                        _ => drop(cache.ask(&handle)),
                    }
                }
            });
        }
    });
    for version in &versions {
        let handle = repository.handle("tool", version.as_str(), None);
        assert_eq!(names(&cache.place(&handle)), ["a", "a.json"], "{version}");
        let root = cache.find(&handle).unwrap().unwrap();
        assert_same(&repository.directory("tool", version.as_str()), &root);
    }
    assert_eq!(ready(&mounted), VERSIONS as u64);
}
