//! Modes that let every permitted user do what rez does, whatever the first one's umask was.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use pkgfs_tests::{MountOptions, Scene, User};

use crate::actions::{Cache, names, touch};
use crate::payloads;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn registry_and_sys_are_open_to_all_whatever_the_makers_umask() {
    let scene = Scene::new();
    scene.repository().release("served", "1.0", payloads::small);
    let mounted = scene.mount(&MountOptions { allow_other: true, ..MountOptions::default() });
    let cache = Cache::new(mounted.mountpoint());
    let sys = cache.sys();
    // What umask 077 leaves of 0777 and 0666.
    let (directory, file) = (0o700, 0o600);
    for path in ["log/rez", "to_delete/x"] {
        DirBuilder::new().mode(directory).create(sys.join(path)).unwrap();
        assert_eq!(mode(&sys.join(path)), 0o777, "{path}");
    }
    for path in ["log/day.log", "pending/x.json", "host-1f.12-3"] {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(file).open(sys.join(path)).unwrap();
        assert_eq!(mode(&sys.join(path)), 0o666, "{path}");
        fs::set_permissions(sys.join(path), PermissionsExt::from_mode(0o400)).unwrap();
        assert_eq!(mode(&sys.join(path)), 0o666, "{path} after chmod");
    }
    let handle = scene.repository().handle("own", "1.0", None);
    let place = cache.place(&handle);
    let mut above = DirBuilder::new();
    above.mode(directory).recursive(true).create(&place).unwrap();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(file);
    options.open(place.join(".copying-a")).unwrap();
    let mut json = options.open(place.join("a.json")).unwrap();
    json.write_all(format!("{{\"handle\": {}}}", handle.to_json()).as_bytes()).unwrap();
    drop(json);
    for path in ["a.json", ".copying-a"] {
        assert_eq!(mode(&place.join(path)), 0o666, "{path}");
    }
    for path in ["own", "own/1.0", ".sys", ".sys/log", "."] {
        assert_eq!(mode(&mounted.mountpoint().join(path)), 0o777, "{path}");
    }
    let served = cache.find(&scene.repository().handle("served", "1.0", None)).unwrap().unwrap();
    assert_eq!((mode(&served), mode(&served.with_extension("json"))), (0o777, 0o666));
}

#[test]
fn another_user_looks_up_touches_logs_asks_locks_adds_and_removes() {
    let scene = Scene::new();
    let repository = scene.repository();
    for version in ["1.0", "2.0", "3.0"] {
        repository.release("tool", version, payloads::small);
    }
    let private = repository.directory("tool", "2.0");
    fs::set_permissions(&private, PermissionsExt::from_mode(0o755)).unwrap();
    let mounted = scene.mount(&MountOptions {
        allow_other: true,
        configuration: "registration.on_lookup = false".to_owned(),
        ..MountOptions::default()
    });
    let cache = Cache::new(mounted.mountpoint());
    let [first, second, third] =
        ["1.0", "2.0", "3.0"].map(|version| repository.handle("tool", version, None));
    let log = cache.sys().join("log/day.log");
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&log).unwrap();
    let _ = cache.ask(&first);
    cache.add(&second, &repository.directory("tool", "2.0"));

    User::Ordinary.run(|| {
        let cache = Cache::new(mounted.mountpoint());
        for handle in [&first, &second] {
            let root = cache.find(handle).unwrap().unwrap();
            assert_eq!(fs::read(root.join("run")).unwrap(), b"#!/bin/sh\necho run\n");
            touch(&root.with_extension("json")).unwrap();
        }
        let mut log = OpenOptions::new().append(true).open(&log).unwrap();
        log.write_all(b"the second user's line\n").unwrap();
        let pending = cache.ask(&third);
        assert!(cache.find(&third).unwrap().is_some());
        fs::remove_file(pending).unwrap();
        // What the first one added, by whichever way, and what this one did.
        for handle in [&first, &second, &third] {
            fs::remove_dir_all(cache.remove(handle)).unwrap();
        }
        cache.add(&first, &repository.directory("tool", "1.0"));
    });
    assert_eq!(fs::read_to_string(&log).unwrap(), "the second user's line\n");
    // And the first one removes what the second one copied in.
    let root = cache.find(&first).unwrap().unwrap();
    assert_eq!(fs::read(root.join("run")).unwrap(), b"#!/bin/sh\necho run\n");
    fs::remove_dir_all(cache.remove(&first)).unwrap();
    assert_eq!(names(&mounted.mountpoint()), [".sys"]);
    File::open(log).unwrap();
}
