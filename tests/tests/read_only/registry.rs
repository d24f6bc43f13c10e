//! The directories above payloads, where rez makes what it needs, and nothing else is made.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use pkgfs_tests::{MountOptions, Mounted, Scene, User};
use rustix::fs::{CWD, FileType, Mode};
use rustix::io::Errno;

use crate::attempts::is_refusal;

/// What rez never makes in the mountpoint, below a package's name, below a version, and beside
/// registrations.
const NO_BUSINESS: [(&str, &[&str]); 4] = [
    ("", &["not a name", "-foo", "foo-1.0", ".hidden", ".sys2", "é", "foo.", "a..b"]),
    ("foo", &["not..one", ".hidden", "1.0-", "-1.0", "1.0  beta"]),
    ("foo/1.0", &["abc", "abcde", "ABCD", "wxyz", "abc ", ".abc"]),
    ("foo/1.0/*", &["A", "a1", "1", ".copying-A", ".tmp", "a.txt", "payload", ".copying"]),
];

fn scene() -> (Scene, Mounted) {
    let scene = Scene::new();
    scene.repository().release("foo", "1.0", |root| fs::write(root.join("file"), "x").unwrap());
    let mounted = scene.mount(&MountOptions { allow_other: true, ..MountOptions::default() });
    assert!(mounted.payload("foo", "1.0", None).is_dir());
    (scene, mounted)
}

/// Every name below a directory, without payloads and rez's own files.
fn names(mounted: &Mounted) -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut waiting = vec![mounted.mountpoint()];
    while let Some(directory) = waiting.pop() {
        for name in fs::read_dir(directory).unwrap() {
            let path = name.unwrap().path();
            let is_level = path.is_dir() && !path.ends_with("a") && !path.ends_with(".sys");
            names.push(path.clone());
            if is_level {
                waiting.push(path);
            }
        }
    }
    names.sort();
    names
}

type Edit<'a> = Box<dyn Fn() -> io::Result<()> + Sync + 'a>;
type Making = (&'static str, fn(&Path) -> io::Result<()>);

const MAKINGS: [Making; 7] = [
    ("mkdir", |path| fs::create_dir(path)),
    ("create", |path| File::create_new(path).map(drop)),
    ("symlink", |path| symlink("/", path)),
    ("mknod", |path| Ok(rustix::fs::mknodat(CWD, path, FileType::RegularFile, Mode::RWXU, 0)?)),
    ("mkfifo", |path| Ok(rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0)?)),
    ("link", |path| fs::hard_link(beside(path, ".sys/log/own"), path)),
    ("rename", |path| fs::rename(beside(path, ".sys/log/own"), path)),
];

/// A path in the mount that another one lies in.
fn beside(path: &Path, name: &str) -> PathBuf {
    path.ancestors().map(|above| above.join(name)).find(|path| path.exists()).unwrap()
}

#[test]
fn names_that_rez_has_no_business_with_are_made_by_nobody() {
    let (_scene, mounted) = scene();
    let before = names(&mounted);
    fs::write(mounted.mountpoint().join(".sys/log/own"), "intruder").unwrap();
    let registration = mounted.registration("foo", "1.0", None);
    let mut wrong = Vec::new();
    for (level, intruders) in NO_BUSINESS {
        let directory = match level.strip_suffix("/*") {
            Some(_) => registration.clone(),
            None => mounted.mountpoint().join(level),
        };
        for intruder in intruders {
            let path = directory.join(intruder);
            for (how, make) in MAKINGS {
                for user in [User::Own, User::Ordinary] {
                    let outcome = user.run(|| make(&path));
                    if !outcome.as_ref().is_err_and(|error| is_refusal(error, &[])) {
                        wrong.push(format!("{user:?}: {how} {}: {outcome:?}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(names(&mounted), before);
}

/// Where rez makes directories alone, nothing else is made either, whatever it is called.
#[test]
fn nothing_but_directories_is_made_above_registrations() {
    let (_scene, mounted) = scene();
    let before = names(&mounted);
    fs::write(mounted.mountpoint().join(".sys/log/own"), "intruder").unwrap();
    for path in ["bar", "foo/2.0", "foo/1.0/abcd"] {
        let path = mounted.mountpoint().join(path);
        for (how, make) in MAKINGS.iter().filter(|(how, _)| *how != "mkdir") {
            let error = make(&path).expect_err(how);
            assert!(is_refusal(&error, &[]), "{how} {}: {error}", path.display());
        }
    }
    let socket = mounted.mountpoint().join("bar");
    assert!(is_refusal(&UnixListener::bind(socket).unwrap_err(), &[]));
    assert_eq!(names(&mounted), before);
}

#[test]
fn the_registration_of_a_variant_is_not_edited() {
    let (scene, mounted) = scene();
    let json = mounted.registration("foo", "1.0", None).join("a.json");
    let before = fs::read(&json).unwrap();
    let other = json.with_file_name("b.json");
    let edits: [(&str, Edit<'_>); 7] = [
        ("write", Box::new(|| fs::write(&json, "{}"))),
        ("append", Box::new(|| OpenOptions::new().append(true).open(&json).map(drop))),
        ("truncate", Box::new(|| Ok(nix::unistd::truncate(&json, 0)?))),
        ("rename", Box::new(|| fs::rename(&json, &other))),
        ("link", Box::new(|| fs::hard_link(&json, &other))),
        ("rename over", Box::new(|| fs::rename(scene.path("repository/foo/1.0/file"), &json))),
        ("rename payload", Box::new(|| fs::rename(json.with_file_name("a"), &other))),
    ];
    for user in [User::Own, User::Ordinary] {
        for (how, edit) in &edits {
            let outcome = user.run(edit);
            let refused = outcome.as_ref().is_err_and(|error| is_refusal(error, &[Errno::XDEV]));
            assert!(refused, "{user:?}: {how}: {outcome:?}");
            assert_eq!(fs::read(&json).unwrap(), before, "{how}");
        }
    }
}

#[test]
fn the_directories_that_rez_works_in_stay() {
    let (_scene, mounted) = scene();
    let before = names(&mounted);
    let away = mounted.mountpoint().join("away");
    for path in [".sys", "foo", "foo/1.0"] {
        let path = mounted.mountpoint().join(path);
        let refusals = [
            ("rename", fs::rename(&path, &away)),
            ("rmdir", fs::remove_dir(&path)),
            ("replace", fs::rename(mounted.mountpoint().join(".sys/log"), &path)),
        ];
        for (how, outcome) in refusals {
            let error = outcome.expect_err(how);
            let also = [Errno::NOTEMPTY, Errno::BUSY, Errno::INVAL];
            assert!(is_refusal(&error, &also), "{how} {}: {error}", path.display());
        }
    }
    assert_eq!(names(&mounted), before);
}
