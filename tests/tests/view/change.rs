//! A file that origin changes behind our back: the reader gets an error or the new bytes, never
//! a mix, never less, never zeros; and the next one to open it sees the new file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

use pkgfs_tests::standin::{Effect, Fault, Operation, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};
use rustix::io::Errno;

use crate::tree;

/// Long enough to be fetched in several reads.
const SIZE: usize = 6_000_000;

struct Subject {
    mounted: Mounted,
    scene: Scene,
    /// The file at origin, and in the view.
    source: PathBuf,
    shown: PathBuf,
    old: Vec<u8>,
}

fn subject(size: usize) -> Subject {
    let scene = Scene::behind_standin(&Options::uncached());
    let old = tree::content(size);
    scene.repository().release("changing", "1.0", |root| {
        fs::write(root.join("file"), &old).unwrap();
        fs::write(root.join("other"), "other\n").unwrap();
    });
    let source = scene.repository().directory("changing", "1.0").join("file");
    let mounted = scene.mount(&MountOptions::default());
    let shown = mounted.payload("changing", "1.0", None).join("file");
    Subject { mounted, scene, source, shown, old }
}

impl Subject {
    fn change(&self, how: &dyn Fn(&Path)) {
        how(&self.source);
        self.scene.standin().control().forget("changing").unwrap();
    }

    /// Opens anew until the file is the new one; meanwhile only errors may be seen.
    fn is_soon(&self, new: &[u8]) {
        eventually("the next open sees the new file", || match fs::read(&self.shown) {
            Ok(read) => {
                assert!(read == new, "{} bytes that origin never had", read.len());
                fs::metadata(&self.shown).unwrap().len() == new.len() as u64
            }
            Err(error) => {
                assert_eq!(Errno::from_io_error(&error), Some(Errno::STALE), "{error}");
                false
            }
        });
        let told = self.mounted.view()["problems"].to_string();
        assert!(told.contains("changed at origin"), "{told}");
    }
}

/// Other bytes at each place.
fn other(size: usize) -> Vec<u8> {
    tree::content(size).iter().map(|byte| !byte).collect()
}

type Way = (&'static str, fn(&Path, &[u8]), fn(usize) -> usize);

/// How a file may change.
const WAYS: [Way; 5] = [
    ("written in place", tree::change, |size| size),
    ("grown", tree::change, |size| size + 10_000),
    ("shrunk", tree::change, |size| size / 2),
    ("emptied", tree::change, |_| 0),
    ("replaced", replace, |size| size),
];

fn replace(file: &Path, bytes: &[u8]) {
    let new = file.with_extension("new");
    fs::write(&new, bytes).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn a_file_changed_before_its_fetch_is_an_error_or_the_new_file() {
    for (way, change, resize) in WAYS {
        // One that is asked for when it is opened, and one that is not.
        for size in [40_000, SIZE] {
            let subject = subject(size);
            assert_eq!(fs::metadata(&subject.shown).unwrap().len(), size as u64);
            let new = other(resize(size));
            subject.change(&|file| change(file, &new));
            match fs::read(&subject.shown) {
                Ok(read) => assert!(read == new, "{way}: {} bytes, not origin's", read.len()),
                Err(error) => {
                    assert_eq!(Errno::from_io_error(&error), Some(Errno::STALE), "{way}: {error}");
                }
            }
            subject.is_soon(&new);
        }
    }
}

#[test]
fn a_file_changed_during_its_fetch_is_never_a_mix() {
    for (way, change, resize) in WAYS {
        let subject = subject(SIZE);
        let control = subject.scene.standin().control();
        // Some of the old bytes have arrived when the rest is held up.
        let hang = Fault::new(Effect::Hang).on([Operation::Read]).at("changing/1.0/file").after(2);
        control.fault(&hang).unwrap();
        let shown = subject.shown.clone();
        let reader = thread::spawn(move || -> io::Result<Vec<u8>> {
            let mut read = Vec::new();
            File::open(shown)?.read_to_end(&mut read)?;
            Ok(read)
        });
        eventually("the fetch hangs", || control.stats().unwrap().hung > 0);
        let new = other(resize(SIZE));
        change(&subject.source, &new);
        control.release().unwrap();
        match reader.join().unwrap() {
            Ok(read) => assert!(read == new || read == subject.old, "{way}: a mix was read"),
            Err(error) => {
                assert_eq!(Errno::from_io_error(&error), Some(Errno::STALE), "{way}: {error}");
            }
        }
        subject.change(&|_| ());
        subject.is_soon(&new);
    }
}

#[test]
fn a_file_removed_before_its_fetch_is_gone_at_the_next_look() {
    let subject = subject(40_000);
    assert!(subject.shown.exists());
    subject.change(&|file| fs::remove_file(file).unwrap());
    let error = fs::read(&subject.shown).unwrap_err();
    let errno = Errno::from_io_error(&error);
    assert!(matches!(errno, Some(Errno::STALE | Errno::NOENT)), "{error}");
    eventually("it is gone from the view", || {
        let looked = fs::metadata(&subject.shown).map_err(|error| error.kind());
        looked.is_err_and(|kind| kind == io::ErrorKind::NotFound)
    });
    let other = subject.shown.with_file_name("other");
    assert_eq!(fs::read_to_string(other).unwrap(), "other\n");
}

#[test]
fn a_file_that_became_a_fifo_or_a_directory_is_an_error_and_nobody_waits() {
    let become_fifo = |file: &Path| {
        fs::remove_file(file).unwrap();
        let mode = rustix::fs::Mode::from(0o644);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, file, kind, mode, 0).unwrap();
    };
    let become_directory = |file: &Path| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    };
    for change in [&become_fifo as &dyn Fn(&Path), &become_directory] {
        let subject = subject(40_000);
        assert!(subject.shown.is_file());
        subject.change(change);
        // A fifo is not opened here: what was looked up a moment ago was a file.
        let file = File::open(&subject.shown).unwrap();
        assert!(file.read_at(&mut [0; 10], 0).is_err());
        drop(file);
        eventually("the view shows what it is now", || {
            !fs::symlink_metadata(&subject.shown).unwrap().is_file()
        });
    }
}

#[test]
fn who_has_the_old_file_open_goes_on_reading_it_when_it_changes() {
    let subject = subject(SIZE);
    let file = File::open(&subject.shown).unwrap();
    let mut first = vec![0; 1000];
    file.read_exact_at(&mut first, 0).unwrap();
    let whole = fs::read(&subject.shown).unwrap();
    assert!(whole == subject.old);
    // Until it was compared with origin for the last time it could turn out to be a mix.
    // Its small neighbour may be local before it.
    eventually("the file is local", || {
        subject.mounted.view()["hydrated"]["bytes"].as_u64().unwrap() >= SIZE as u64
    });
    let new = other(SIZE);
    subject.change(&|path| tree::change(path, &new));
    subject.change(&|path| fs::write(path.with_file_name("other"), "changed\n").unwrap());
    let mountpoint = subject.mounted.mountpoint();
    let _ = subject.mounted.pkgfs(&[Path::new("flush"), &mountpoint]).good();
    assert!(fs::read(&subject.shown).unwrap() == new);
    let mut read = vec![0; SIZE];
    file.read_exact_at(&mut read, 0).unwrap();
    assert!(read == subject.old);
}

/// The bytes are the same, but nothing says so before they are read.
#[test]
fn a_file_that_was_touched_is_an_error_or_whole_before_its_fetch_and_its_time_is_seen_after_it() {
    let touch = |path: &Path| {
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(100);
        File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
    };
    for fetched in [false, true] {
        let subject = subject(SIZE);
        assert_eq!(fs::metadata(&subject.shown).unwrap().len(), SIZE as u64);
        if fetched {
            assert!(fs::read(&subject.shown).unwrap() == subject.old);
        }
        subject.change(&touch);
        if fetched {
            let mountpoint = subject.mounted.mountpoint();
            let _ = subject.mounted.pkgfs(&[Path::new("flush"), &mountpoint]).good();
        }
        eventually("it is read as it is", || match fs::read(&subject.shown) {
            Ok(read) => {
                assert!(read == subject.old, "{} bytes that origin never had", read.len());
                let [shown, source] = [&subject.shown, &subject.source]
                    .map(|path| fs::metadata(path).unwrap().modified().unwrap());
                shown == source
            }
            Err(error) => {
                assert_eq!(Errno::from_io_error(&error), Some(Errno::STALE), "{error}");
                false
            }
        });
    }
}

#[test]
fn a_directory_that_is_replaced_is_the_old_one_or_the_new_one_and_open_files_keep_theirs() {
    let scene = Scene::behind_standin(&Options::uncached());
    let fill = |root: &Path, generation: u8| {
        for name in ["part/first", "part/second"] {
            fs::create_dir_all(root.join("part")).unwrap();
            fs::write(root.join(name), vec![generation; 40_000]).unwrap();
        }
        fs::write(root.join("part").join(format!("only-{generation}")), "x").unwrap();
    };
    scene.repository().release("changing", "1.0", |root| fill(root, 1));
    // Each touch of a json compares with origin.
    let configuration = "freshness_minutes = 0".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    let payload = mounted.payload("changing", "1.0", None);
    let part = payload.join("part");
    assert_eq!(fs::read(part.join("first")).unwrap(), vec![1; 40_000]);
    let open = File::open(part.join("first")).unwrap();
    eventually("it is local", || mounted.view()["hydrated"]["files"].as_u64() >= Some(1));
    let source = scene.repository().directory("changing", "1.0");
    fill(&scene.path("new"), 2);
    fs::rename(source.join("part"), scene.path("old")).unwrap();
    fs::rename(scene.path("new/part"), source.join("part")).unwrap();
    scene.standin().control().forget("changing").unwrap();
    // Nobody has read the second: it is the new one, once that is noticed, or an error.
    match fs::read(part.join("second")) {
        Ok(read) => assert_eq!(read, vec![2; 40_000]),
        Err(error) => assert_eq!(Errno::from_io_error(&error), Some(Errno::STALE), "{error}"),
    }
    File::open(payload.with_extension("json"))
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    eventually("the new directory is seen whole", || {
        let names = fs::read_dir(&part).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        let old = ["first", "only-1", "second"];
        assert!(names == old || names == ["first", "only-2", "second"], "{names:?}");
        names != old
    });
    for name in ["first", "second"] {
        assert_eq!(fs::read(part.join(name)).unwrap(), vec![2; 40_000], "{name}");
    }
    let mut read = vec![0; 40_000];
    open.read_exact_at(&mut read, 0).unwrap();
    assert_eq!(read, vec![1; 40_000], "an open file changed under its reader");
    let told = mounted.view()["problems"].to_string();
    assert!(told.contains("changed at origin"), "{told}");
}
