//! Listings that the kernel keeps: they cost nothing, and never hide what has changed since.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pkgfs_tests::{MountOptions, Mounted, Ran, Scene, User, eventually};
use rustix::fs::Dir;
use rustix::process::{Pid, Signal, kill_process};

/// Longer than any walk takes, shorter than a test may.
const PATIENCE: Duration = Duration::from_secs(20);

fn scene(versions: usize) -> Scene {
    let scene = Scene::new();
    for version in 0..versions {
        scene.repository().release("tool", format!("{version}.0").as_str(), |root| {
            fs::create_dir_all(root.join("python/tool")).unwrap();
            fs::write(root.join("python/tool/__init__.py"), "").unwrap();
        });
    }
    scene
}

/// All paths below a directory.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}

/// The names in an open directory, from its begin.
fn names(directory: &mut Dir) -> BTreeSet<String> {
    directory.rewind();
    let entries = directory.map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}

fn open(path: impl AsRef<Path>) -> Dir {
    Dir::new(File::open(path).unwrap()).unwrap()
}

#[test]
fn a_tree_that_was_walked_is_walked_again_without_the_daemon() {
    for (mode, user) in
        [("passthrough", User::Own), ("cached", User::Own), ("stateless", User::Ordinary)]
    {
        let scene = scene(1);
        let configuration = format!("mode = '{mode}'");
        let mounted = scene.mount(&MountOptions { user, configuration, ..MountOptions::default() });
        let payload = mounted.payload("tool", "0.0", None);
        let walked = move || user.run(|| walk(&payload));
        let first = walked();
        assert_eq!(walked(), first);
        let daemon = Pid::from_raw(i32::try_from(mounted.daemon_pid()).unwrap()).unwrap();
        kill_process(daemon, Signal::STOP).unwrap();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(walked()).ok());
        let again = receiver.recv_timeout(PATIENCE);
        kill_process(daemon, Signal::CONT).unwrap();
        assert_eq!(again, Ok(first), "{mode}");
    }
}

#[test]
fn who_has_the_registry_open_sees_what_is_registered_and_removed_meanwhile() {
    let scene = scene(40);
    let mounted = scene.mount(&MountOptions::default());
    let payload = |version: usize| mounted.payload("tool", format!("{version}.0").as_str(), None);
    assert!(payload(0).is_dir());
    let mut root = open(mounted.mountpoint());
    let mut family = open(mounted.mountpoint().join("tool"));
    assert_eq!(names(&mut family), BTreeSet::from(["0.0".to_owned()]));
    let hash = payload(0).parent().unwrap().to_owned();
    let mut variants = open(&hash);
    assert_eq!(names(&mut variants).len(), 2);
    for version in 1..40 {
        // Somebody reads the listing at the very time that it changes.
        thread::scope(|scope| {
            scope.spawn(|| names(&mut family));
            assert!(payload(version).is_dir());
        });
    }
    eventually("all versions are listed", || names(&mut family).len() == 40);
    for version in 0..40 {
        let _ = remove(&mounted, version);
    }
    eventually("the variant is not listed", || names(&mut variants).is_empty());
    eventually("the family is not listed", || names(&mut root).is_empty());
}

fn remove(mounted: &Mounted, version: usize) -> Ran {
    let mountpoint = mounted.mountpoint();
    let request = format!("tool-{version}");
    mounted.pkgfs(&["remove", mountpoint.to_str().unwrap(), &request]).good()
}

#[test]
fn names_that_stay_are_read_once_while_others_come_and_go() {
    const NAMES: usize = 1000;
    let scene = scene(1);
    let mounted = scene.mount(&MountOptions::default());
    let log = mounted.mountpoint().join(".sys/log");
    let file = |name: &str| File::create(log.join(name)).unwrap();
    (0..NAMES).for_each(|number| drop(file(&format!("stays-{number}"))));
    (0..NAMES).for_each(|number| drop(file(&format!("goes-{number}"))));
    let mut slow = open(&log);
    let mut read = Vec::new();
    let entry = |entry: rustix::io::Result<rustix::fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().into_owned()
    };
    read.extend(slow.by_ref().take(NAMES).map(entry));
    for number in 0..NAMES {
        fs::remove_file(log.join(format!("goes-{number}"))).unwrap();
        if number % 3 == 0 {
            drop(file(&format!("comes-{number}")));
        }
    }
    // Somebody else begins anew.
    let all = fs::read_dir(&log).unwrap().count();
    assert_eq!(all, NAMES + NAMES.div_ceil(3));
    read.extend(slow.map(entry));
    let mut stayed: Vec<_> = read.into_iter().filter(|name| name.starts_with("stays-")).collect();
    assert_eq!(stayed.len(), NAMES);
    stayed.sort();
    stayed.dedup();
    assert_eq!(stayed.len(), NAMES);
}

#[test]
fn a_tree_with_more_names_than_one_answer_holds_is_removed_while_it_is_read() {
    let scene = scene(1);
    let mounted = scene.mount(&MountOptions::default());
    let log = mounted.mountpoint().join(".sys/log");
    for number in 0..600 {
        fs::create_dir_all(log.join(format!("deep/{number}"))).unwrap();
        fs::write(log.join(format!("deep/{number}/file")), "").unwrap();
    }
    fs::remove_dir_all(log.join("deep")).unwrap();
    assert!(!log.join("deep").exists());
}
