//! All of shared storage is gone: what a mount that failed looks like.

use std::fs;

use pkgfs_tests::{MountOptions, Scene};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};

use crate::packages;

fn touch(path: &std::path::Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

#[test]
fn registered_payloads_outlive_a_repository_that_is_missing_or_empty() {
    let scene = Scene::new();
    packages::release(&scene, 3);
    // Each touch of a json compares with origin.
    let configuration = "freshness_minutes = 0\norigin.deadline_seconds = 2".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    packages::assert_whole(&mounted, 0);
    packages::assert_whole(&mounted, 1);
    let cold = mounted.payload("p002", "1.0", None);
    assert_eq!(fs::read_dir(cold.join("inner-1")).unwrap().count(), 2);
    let (source, away) = (scene.repository().source().to_path_buf(), scene.path("away"));
    for (empty, restart) in [(false, false), (true, false), (true, true)] {
        let what = format!("empty: {empty}, restart: {restart}");
        fs::rename(&source, &away).unwrap();
        if empty {
            fs::create_dir(&source).unwrap();
        }
        if restart {
            mounted.remount();
        }
        for package in [0, 1] {
            touch(&mounted.payload(&packages::name(package), "1.0", None).with_extension("json"));
            packages::assert_whole(&mounted, package);
        }
        // What is not local is an error; what it is registered as stays.
        touch(&cold.with_extension("json"));
        assert!(fs::read(cold.join("inner-1/file-3")).is_err(), "{what}");
        // Whatever was checked in the background by now, or is now, takes nothing away.
        for package in [0, 1] {
            packages::assert_whole(&mounted, package);
        }
        let ready = mounted.view()["registrations"]["ready"].as_u64();
        assert_eq!(ready, Some(3), "{what}");
        if empty {
            fs::remove_dir(&source).unwrap();
        }
        fs::rename(&away, &source).unwrap();
    }
    for package in 0..3 {
        packages::assert_whole(&mounted, package);
    }
}
