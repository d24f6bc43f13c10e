//! What rez removes goes, stays away as long as it should, and hurts nobody who uses it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pkgfs_tests::{Mapping, MountOptions, Mounted, Scene};

use crate::actions::{Cache, names, touch};
use crate::payloads::{self, assert_same, ready};

fn scene() -> Scene {
    let scene = Scene::new();
    for version in ["1.0", "2.0"] {
        scene.repository().release("tool", version, payloads::small);
    }
    scene
}

fn restart(mounted: &Mounted, crash: bool) {
    if crash {
        mounted.kill_daemon();
        mounted.mount_again();
    } else {
        mounted.remount();
    }
}

#[test]
fn a_removed_variant_leaves_an_empty_directory_for_rez_to_delete() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let [first, second] =
        ["1.0", "2.0"].map(|version| scene.repository().handle("tool", version, None));
    let root = cache.find(&first).unwrap().unwrap();
    cache.find(&second).unwrap().unwrap();
    assert_same(&scene.repository().directory("tool", "1.0"), &root);

    let away = cache.remove(&first);
    assert!(!root.exists());
    assert_eq!(names(&away), Vec::<String>::new());
    // Version and `<h4>` directories went with it; the name has another version.
    assert_eq!(names(&mounted.mountpoint().join("tool")), ["2.0"]);
    assert_eq!(ready(&mounted), 1);
    // `shutil.rmtree`, as clean does.
    fs::remove_dir_all(&away).unwrap();
    assert_eq!(names(&cache.sys().join("to_delete")), Vec::<String>::new());
    // The blobs are the other variant's too.
    assert_same(
        &scene.repository().directory("tool", "2.0"),
        &cache.find(&second).unwrap().unwrap(),
    );

    cache.remove(&second);
    assert_eq!(names(&mounted.mountpoint()), [".sys"]);
}

#[test]
fn look_ups_do_not_bring_back_what_rez_removed_but_a_handle_does() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "1.0", None);
    for crash in [false, true] {
        cache.find(&handle).unwrap().unwrap();
        cache.remove(&handle);
        let missing = fs::metadata(cache.place(&handle)).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert_eq!(cache.find(&handle).unwrap(), None);
        restart(&mounted, crash);
        assert_eq!(cache.find(&handle).unwrap(), None, "after a restart, crash: {crash}");
        assert_eq!(ready(&mounted), 0);
        // rez makes the directory before it asks again: that is not the variant.
        fs::create_dir_all(cache.place(&handle)).unwrap();
        assert_eq!(cache.find(&handle).unwrap(), None);
        let _ = cache.ask(&handle);
        let root = cache.find(&handle).unwrap().unwrap();
        assert_same(&scene.repository().directory("tool", "1.0"), &root);
        restart(&mounted, crash);
        assert!(cache.find(&handle).unwrap().is_some(), "its tombstone was lifted");
    }
}

#[test]
fn adding_it_anew_lifts_the_tombstone_too() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "1.0", None);
    cache.find(&handle).unwrap().unwrap();
    cache.remove(&handle);
    let source = scene.repository().directory("tool", "1.0");
    let root = cache.add(&handle, &source);
    assert_same(&source, &root);
    restart(&mounted, true);
    assert_eq!(cache.find(&handle).unwrap(), Some(root.clone()));
    assert_same(&source, &root);
}

#[test]
fn when_a_tombstones_time_has_passed_a_look_up_brings_the_variant_back() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions {
        configuration: "registration.tombstone_days = 0".to_owned(),
        ..MountOptions::default()
    });
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "1.0", None);
    cache.find(&handle).unwrap().unwrap();
    cache.remove(&handle);
    assert!(cache.find(&handle).unwrap().is_some());
}

#[test]
fn what_rez_cleans_by_its_json_alone_stays_away_as_well() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "1.0", None);
    let root = cache.find(&handle).unwrap().unwrap();
    fs::remove_file(root.with_extension("json")).unwrap();
    assert_eq!(cache.find(&handle).unwrap(), None);
    assert_eq!(ready(&mounted), 0);
}

#[test]
fn removing_a_variant_breaks_nobody_who_uses_it() {
    let scene = Scene::new();
    let repository = scene.repository();
    let read: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let unread: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 241) as u8).collect();
    repository.release("tool", "1.0", |root| {
        fs::write(root.join("read"), &read).unwrap();
        fs::write(root.join("unread"), &unread).unwrap();
        fs::create_dir(root.join("inner")).unwrap();
        fs::write(root.join("inner/file"), "inner").unwrap();
    });
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let handle = repository.handle("tool", "1.0", None);
    let root = cache.find(&handle).unwrap().unwrap();
    let mut partly = File::open(root.join("read")).unwrap();
    let mut first = vec![0; 4096];
    partly.read_exact(&mut first).unwrap();
    let opened = File::open(root.join("unread")).unwrap();
    let mapped = Mapping::readable(File::open(root.join("read")).unwrap(), read.len()).unwrap();
    assert_eq!(mapped.load(0), read[0]);
    // A process that stands in the payload, and waits to be told to go on.
    let mut within = Command::new("sh")
        .args(["-c", "read go; ls -d . >/dev/null && exec /bin/echo on"])
        .current_dir(root.join("inner"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();

    let away = cache.remove(&handle);
    fs::remove_dir_all(&away).unwrap();
    let _ = mounted.pkgfs(&["flush".as_ref(), mounted.mountpoint().as_os_str()]).good();

    let mut rest = Vec::new();
    partly.read_to_end(&mut rest).unwrap();
    assert!(first == read[..4096] && rest == read[4096..]);
    let mut whole = vec![0; unread.len()];
    opened.read_exact_at(&mut whole, 0).unwrap();
    assert!(whole == unread);
    assert!(read.iter().enumerate().step_by(1000).all(|(at, byte)| mapped.load(at) == *byte));
    drop(within.stdin.take());
    let output = within.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "on\n");
    // Who comes now finds nothing.
    assert_eq!(fs::metadata(&root).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_removed_sealed_copy_is_read_on_by_who_has_it_open() {
    let scene = Scene::new();
    let repository = scene.repository();
    let content: Vec<u8> = (0..2_000_000_u32).map(|at| (at % 239) as u8).collect();
    repository.release("tool", "1.0", |root| fs::write(root.join("data"), &content).unwrap());
    let mounted = scene.mount(&payloads::left_to_rez());
    let cache = Cache::new(mounted.mountpoint());
    let handle = repository.handle("tool", "1.0", None);
    let root = cache.add(&handle, &repository.directory("tool", "1.0"));
    let open = File::open(root.join("data")).unwrap();
    fs::remove_dir_all(cache.remove(&handle)).unwrap();
    // Nothing else has these bytes.
    let mut whole = vec![0; content.len()];
    open.read_exact_at(&mut whole, 0).unwrap();
    assert!(whole == content);
}

#[test]
fn the_jsons_time_is_the_later_of_its_touch_and_the_payloads_last_use() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "1.0", None);
    let root = cache.find(&handle).unwrap().unwrap();
    let json = root.with_extension("json");
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let long_ago = modified(&json) - std::time::Duration::from_secs(20 * 86_400);
    let set = |time| File::open(&json).unwrap().set_modified(time).unwrap();
    set(long_ago);
    assert_eq!(modified(&json), long_ago, "rez's clean goes by this");
    restart(&mounted, true);
    // A crash may lose the latest times, never the variant.
    assert!(json.exists());
    set(long_ago);
    mounted.remount();
    assert_eq!(modified(&json), long_ago);
    // A process that runs for a month touches no json, but reads.
    fs::read(root.join("run")).unwrap();
    assert!(modified(&json) > long_ago + std::time::Duration::from_secs(86_400));
    touch(&json).unwrap();
    let now = std::time::SystemTime::now();
    assert!(modified(&json) + std::time::Duration::from_secs(60) > now);
}
