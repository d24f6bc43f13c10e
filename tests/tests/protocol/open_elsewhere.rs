//! `.sys` is an ordinary writable directory.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;

use pkgfs_tests::{MountOptions, Scene};

use crate::actions::{Cache, names};

#[test]
fn logs_are_appended_to_truncated_renamed_and_kept_over_restarts() {
    let scene = Scene::new();
    let mounted = scene.mount(&MountOptions::default());
    let sys = Cache::new(mounted.mountpoint()).sys();
    let log = sys.join("log/day.log");
    let append = |text: &str| {
        let mut file = OpenOptions::new().append(true).create(true).open(&log).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append("one\n");
    append("two\n");
    assert_eq!(fs::read_to_string(&log).unwrap(), "one\ntwo\n");
    mounted.remount();
    append("three\n");
    assert_eq!(fs::read_to_string(&log).unwrap(), "one\ntwo\nthree\n");
    OpenOptions::new().write(true).open(&log).unwrap().set_len(4).unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "one\n");
    File::create(&log).unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    let renamed = sys.join("log/other.log");
    fs::rename(&log, &renamed).unwrap();
    assert_eq!(names(&sys.join("log")), ["other.log"]);
    fs::remove_file(renamed).unwrap();
}

#[test]
fn an_unlinked_file_is_used_on_by_who_has_it_open() {
    let scene = Scene::new();
    let mounted = scene.mount(&MountOptions::default());
    let sys = Cache::new(mounted.mountpoint()).sys();
    let path = sys.join("log/day.log");
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).open(&path).unwrap();
    file.write_all(b"before ").unwrap();
    fs::remove_file(&path).unwrap();
    file.write_all(b"after").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "before after");
    assert_eq!(file.metadata().unwrap().len(), 12);
}

#[test]
fn both_names_of_a_linked_file_are_one_file() {
    let scene = Scene::new();
    let mounted = scene.mount(&MountOptions::default());
    let sys = Cache::new(mounted.mountpoint()).sys();
    let (one, two) = (sys.join("log/one"), sys.join("log/two"));
    fs::write(&one, "text").unwrap();
    fs::hard_link(&one, &two).unwrap();
    let [first, second] = [&one, &two].map(|path| fs::metadata(path).unwrap());
    assert_eq!((first.ino(), first.nlink()), (second.ino(), 2));
    fs::remove_file(&one).unwrap();
    assert_eq!(fs::metadata(&two).unwrap().nlink(), 1);
    assert_eq!(fs::read_to_string(&two).unwrap(), "text");
    // No name leads out of it, and none into it.
    assert!(std::os::unix::fs::symlink("/etc/passwd", sys.join("log/link")).is_err());
    assert!(fs::hard_link(&two, mounted.mountpoint().join("two")).is_err());
}
