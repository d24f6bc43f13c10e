//! Copies that rez began and did not end.

use std::fs;
use std::time::{Duration, Instant};

use pkgfs_tests::{MountOptions, Scene, eventually};

use crate::actions::{Cache, names};
use crate::payloads::{self, assert_same, ready};

/// rez takes a copy for stalled when its mark was not touched for this long.
const STALLED: Duration = Duration::from_secs(5);

#[test]
fn a_copy_that_is_not_touched_for_five_seconds_is_healed_and_one_that_is_touched_goes_on() {
    let scene = Scene::new();
    let repository = scene.repository();
    for version in ["1.0", "2.0"] {
        repository.release("tool", version, payloads::small);
    }
    let mounted = scene.mount(&payloads::pending_only());
    let cache = Cache::new(mounted.mountpoint());
    let [stalled, alive] = ["1.0", "2.0"].map(|version| repository.handle("tool", version, None));
    let going_on = cache.begin(&alive).unwrap().unwrap();
    fs::create_dir(&going_on.root).unwrap();
    let begun = Instant::now();
    let left = cache.begin(&stalled).unwrap().unwrap();
    fs::create_dir(&left.root).unwrap();
    fs::write(left.root.join("half"), "half of what was to come").unwrap();

    // rez looks for the mark whenever it looks for the variant.
    eventually("the stalled copy is healed", || {
        going_on.goes_on();
        assert_eq!(cache.find(&alive).unwrap(), None);
        !fs::exists(&left.copying).unwrap()
    });
    assert!(begun.elapsed() >= STALLED, "healed after {:?}", begun.elapsed());
    assert_eq!(cache.find(&stalled).unwrap(), Some(left.root.clone()));
    assert_eq!(names(&cache.place(&stalled)), ["a", "a.json"]);
    assert_same(&repository.directory("tool", "1.0"), &left.root);
    assert!(fs::write(left.root.join("half"), "more").is_err());

    // The other one is older, and still rez's to end.
    assert!(fs::exists(&going_on.copying).unwrap());
    fs::write(going_on.root.join("own"), "copied by rez").unwrap();
    going_on.end();
    assert_eq!(cache.find(&alive).unwrap(), Some(going_on.root.clone()));
    assert_eq!(names(&going_on.root), ["own"]);
}

#[test]
fn a_copy_left_before_a_restart_is_healed_at_the_first_look() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", payloads::small);
    for crash in [false, true] {
        let mounted = scene.mount(&MountOptions::default());
        let cache = Cache::new(mounted.mountpoint());
        let handle = repository.handle("tool", "1.0", None);
        // Look-ups would register it before rez could.
        let place = cache.place(&handle);
        fs::create_dir_all(&place).ok();
        if cache.registered(&handle).unwrap().is_some() {
            cache.remove(&handle);
        }
        let copy = cache.begin(&handle).unwrap().unwrap();
        fs::create_dir(&copy.root).unwrap();
        fs::write(copy.root.join("half"), "half").unwrap();
        if crash {
            mounted.kill_daemon();
            mounted.mount_again();
        } else {
            mounted.remount();
        }
        assert_eq!(cache.find(&handle).unwrap(), Some(copy.root.clone()), "crash: {crash}");
        assert_same(&repository.directory("tool", "1.0"), &copy.root);
        assert_eq!(names(&place), ["a", "a.json"]);
        assert_eq!(ready(&mounted), 1);
    }
}

#[test]
fn a_stalled_copy_that_may_not_be_served_is_left_to_rez() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", payloads::small);
    let definition = repository.directory("tool", "1.0").join("package.py");
    fs::write(definition, "name = 'tool'\nversion = '1.0'\ncachable = bool(1)\n").unwrap();
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let handle = repository.handle("tool", "1.0", None);
    let copy = cache.begin(&handle).unwrap().unwrap();
    fs::create_dir(&copy.root).unwrap();
    mounted.remount();
    // To rez it is a variant being copied, until a clean removes it.
    assert!(fs::exists(&copy.copying).unwrap());
    assert_eq!(cache.find(&handle).unwrap(), None);
    let away = cache.sys().join("to_delete/tool-1.0-away");
    fs::rename(&copy.root, &away).unwrap();
    fs::remove_file(copy.root.with_extension("json")).unwrap();
    fs::remove_file(&copy.copying).unwrap();
    fs::remove_dir_all(&away).unwrap();
    fs::remove_dir(cache.place(&handle)).unwrap();
    // And adds it again, whole.
    let root = cache.add(&handle, &repository.directory("tool", "1.0"));
    assert_same(&repository.directory("tool", "1.0"), &root);
}
