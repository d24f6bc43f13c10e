//! What the other whole-system tests stand on: a scene mounts as either user, plain or behind a
//! stand-in, goes on after a remount and a crash, and leaves nothing.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;

use pkgfs_tests::{MountOptions, Mounted, Scene, User, standin};

#[test]
fn a_scene_of_who_runs_the_tests_serves_and_leaves_nothing() {
    serves(&Scene::new(), User::Own);
}

#[test]
fn a_scene_of_an_ordinary_user_serves_and_leaves_nothing() {
    serves(&Scene::new(), User::Ordinary);
}

#[test]
fn a_scene_behind_a_standin_serves_both_users_and_counts() {
    for user in [User::Own, User::Ordinary] {
        let scene = Scene::behind_standin(&standin::Options::uncached());
        serves(&scene, user);
        assert!(scene.standin().control().stats().unwrap().operations.read > 0);
    }
}

fn serves(scene: &Scene, user: User) {
    let repository = scene.repository();
    repository.release("plain", "1.0", |root| fs::write(root.join("file"), "plain").unwrap());
    repository.release("unversioned", None, |root| fs::write(root.join("file"), "none").unwrap());
    repository.release_variants("split", "1.0", &[&["one"], &["two-2", "three"]], |index, root| {
        fs::write(root.join("file"), index.to_string()).unwrap();
    });
    let mounted = scene.mount(&MountOptions { user, ..MountOptions::default() });
    assert_eq!(mounted.view()["registrations"]["ready"], 0);
    user.run(|| shows_all(&mounted));
    assert_eq!(mounted.view()["registrations"]["ready"], 4);
    mounted.remount();
    user.run(|| shows_all(&mounted));
    mounted.kill_daemon();
    mounted.mount_again();
    user.run(|| shows_all(&mounted));
    let directory = mounted.mountpoint().parent().unwrap().to_owned();
    drop(mounted);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&*format!("{}/", directory.display())), "{mounts}");
}

fn shows_all(mounted: &Mounted) {
    let file = |name: &str, version: Option<&str>, index: Option<u32>| {
        fs::read_to_string(mounted.payload(name, version, index).join("file")).unwrap()
    };
    assert_eq!(file("plain", Some("1.0"), None), "plain");
    assert_eq!(file("unversioned", None, None), "none");
    assert_eq!(file("split", Some("1.0"), Some(0)), "0");
    assert_eq!(file("split", Some("1.0"), Some(1)), "1");
}
