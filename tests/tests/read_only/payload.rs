//! A payload that comes from origin.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use pkgfs_tests::{MountOptions, Scene, Tree, User};
use rustix::fs::XattrFlags;

use crate::attempts::{Place, all_fail};
use crate::modes;
use crate::store;
use crate::witness::Witness;

/// One of everything: kinds, sizes, modes and owners, with attributes.
fn one_of_everything(root: &Path) {
    let files = [
        ("plain", "plain".repeat(3000), 0o644),
        ("writable", "anybody may write this at origin".to_owned(), 0o666),
        ("program", "#!/bin/sh\n".to_owned(), 0o755),
        ("setuid", "setuid".to_owned(), 0o4755),
        ("empty", String::new(), 0o644),
        ("large", "0123456789abcdef".repeat(1 << 16), 0o644),
        ("private", "for the owner alone".to_owned(), 0o600),
    ];
    for directory in ["theirs", "theirs/sub", "ours"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    for (name, text, mode) in files {
        for (directory, owner) in [("theirs", User::Ordinary.id()), ("ours", User::Own.id())] {
            let path = root.join(directory).join(name);
            fs::write(&path, &text).unwrap();
            keep(&path);
            chown(&path, Some(owner), Some(owner)).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
    }
    symlink("theirs/plain", root.join("link")).unwrap();
    for directory in ["theirs", "theirs/sub"] {
        let path = root.join(directory);
        keep(&path);
        chown(&path, Some(User::Ordinary.id()), None).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    }
    fs::write(root.join("theirs/sub/file"), "below").unwrap();
}

fn keep(path: &Path) {
    rustix::fs::setxattr(path, "user.kept", b"kept", XattrFlags::empty()).unwrap();
}

/// Everything to make attempts on.
pub(crate) fn targets(root: &Path) -> Vec<PathBuf> {
    let tree = Tree::of(root).unwrap();
    tree.0
        .keys()
        .map(|name| if name.as_os_str().is_empty() { root.into() } else { root.join(name) })
        .collect()
}

/// A directory on another file system with a file in it, in which all may write.
pub(crate) fn outside(scene: &Scene) -> PathBuf {
    let outside = scene.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::set_permissions(&outside, Permissions::from_mode(0o777)).unwrap();
    let donor = outside.join("donor");
    fs::write(&donor, "intruder").unwrap();
    chown(donor, Some(User::Ordinary.id()), None).unwrap();
    outside
}

#[test]
fn nobody_changes_a_payload_of_a_shared_mount_in_any_mode() {
    let options = MountOptions { allow_other: true, ..MountOptions::default() };
    unchangeable(&options, &[User::Own, User::Ordinary]);
}

#[test]
fn an_ordinary_user_changes_nothing_in_a_mount_of_their_own_in_any_mode() {
    unchangeable(
        &MountOptions { user: User::Ordinary, ..MountOptions::default() },
        &[User::Ordinary],
    );
}

fn unchangeable(options: &MountOptions, users: &[User]) {
    for mode in modes::of(options) {
        let scene = Scene::new();
        scene.repository().release("everything", "1.0", one_of_everything);
        let original = scene.repository().directory("everything", "1.0");
        if options.user == User::Ordinary {
            // Who reads everything must be able to.
            fs::remove_file(original.join("ours/private")).unwrap();
        }
        let outside = outside(&scene);
        let mounted = scene.mount(&modes::options(mode, options.clone()));
        modes::assert_mode(&mounted, mode);
        let root = mounted.payload("everything", "1.0", None);

        let reader = options.user;
        let paths = reader.run(|| targets(&root));
        let before = reader.run(|| Tree::of(&root).unwrap());
        let expected = Tree::of(&original).unwrap().as_payload();
        assert_eq!(before.clone().as_payload().difference(&expected), None);
        assert_no_write_bits(&before);
        store::holds_all(&mounted);

        let witness = Witness::of(reader, &original, &root);
        let writable = mounted.mountpoint().join(".sys/log");
        let place = Place { root: &root, outside: &outside, writable: &writable };
        for &user in users {
            all_fail(user, reader, &paths, &place);
        }
        witness.saw_nothing();

        let same = |when: &str| {
            let now = reader.run(|| Tree::of(&root).unwrap()).as_payload();
            assert_eq!(now.difference(&expected), None, "{when}");
            assert!(store::is_sound(&mounted) > 5, "{when}");
        };
        same("after all attempts");
        mounted.remount();
        fs::rename(scene.repository().source(), scene.path("gone")).unwrap();
        same("from the store alone");
        assert!(!outside.join("got").exists());
    }
}

fn assert_no_write_bits(tree: &Tree) {
    for (name, seen) in &tree.0 {
        let is_root = name.as_os_str().is_empty();
        let is_link = seen.mode & 0o170_000 == 0o120_000;
        assert!(is_root || is_link || seen.mode & 0o222 == 0, "{}: {seen:?}", name.display());
    }
}

/// rez makes what it removes writable before it moves it away, so that must not fail; no more.
#[test]
fn the_root_of_a_payload_takes_a_mode_without_changing() {
    let scene = Scene::new();
    scene.repository().release("everything", "1.0", one_of_everything);
    let mounted = scene.mount(&MountOptions::default());
    let root = mounted.payload("everything", "1.0", None);
    let before = Tree::of(&root).unwrap();
    for mode in [0o555, 0o777, 0o4777] {
        fs::set_permissions(&root, Permissions::from_mode(mode)).unwrap();
        let now = Tree::of(&root).unwrap();
        assert_eq!(now.0[Path::new("")].mode, before.0[Path::new("")].mode);
        assert_eq!(now.as_payload().difference(&before.clone().as_payload()), None);
    }
}
