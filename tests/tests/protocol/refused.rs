//! What rez would refuse to cache is refused by both ways in.

use std::fs;

use pkgfs_tests::{MountOptions, Scene};
use serde_json::{Value, json};

use crate::actions::Cache;
use crate::payloads::{self, problems, ready};

/// Mounts with rez's settings, asks for the variant by a handle and by a look-up, and tells
/// whether it was served, and the problems.
fn served(scene: &Scene, rez_settings: &Value) -> ([bool; 2], Vec<String>) {
    let handle = scene.repository().handle("tool", "1.0", None);
    let mut problems_of_both = Vec::new();
    let outcomes = [false, true].map(|serves_look_ups| {
        let rez_settings = rez_settings.clone();
        let mounted =
            scene.mount(&MountOptions { serves_look_ups, rez_settings, ..MountOptions::default() });
        let cache = Cache::new(mounted.mountpoint());
        if !serves_look_ups {
            let _ = cache.ask(&handle);
        }
        let found = cache.find(&handle).unwrap().is_some();
        assert_eq!(ready(&mounted), u64::from(found));
        problems_of_both.extend(problems(&mounted));
        found
    });
    (outcomes, problems_of_both)
}

#[test]
fn local_temporary_and_same_device_packages_are_refused_by_rezs_own_settings() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", payloads::small);
    let repository = scene.repository().location().to_str().unwrap().to_owned();
    let above = scene.path("");
    let above = above.to_str().unwrap().trim_end_matches('/');
    for (settings, told) in [
        (json!({ "local_packages_path": repository }), "local"),
        (json!({ "tmpdir": above }), "temporary"),
        (json!({ "package_cache_same_device": false }), "same device"),
    ] {
        let (outcomes, problems) = served(&scene, &settings);
        assert_eq!(outcomes, [false, false], "{settings}");
        let one_line = |text: &&String| text.contains(told) && text.contains("tool/1.0");
        assert_eq!(problems.iter().filter(one_line).count(), 2, "{settings}: {problems:?}");
    }
    let local = json!({ "local_packages_path": repository, "package_cache_local": true });
    assert_eq!(served(&scene, &local).0, [true, true]);
}

#[test]
fn a_package_that_says_it_is_not_cachable_is_refused_whatever_the_defaults_are() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", payloads::small);
    let definition = scene.repository().directory("tool", "1.0").join("package.py");
    fs::write(&definition, "name = 'tool'\nversion = '1.0'\ncachable = False\n").unwrap();
    let (outcomes, problems) = served(&scene, &json!({ "default_cachable": true }));
    assert_eq!(outcomes, [false, false]);
    // Told to who asked for it by its handle; that look-ups find such packages is no problem.
    assert!(problems.iter().all(|text| text.contains("not cachable")), "{problems:?}");
    assert_eq!(problems.len(), 1);
    // Without a word of its own the defaults decide.
    fs::write(&definition, "name = 'tool'\nversion = '1.0'\n").unwrap();
    assert_eq!(served(&scene, &json!({ "default_cachable": true })).0, [true, true]);
    assert_eq!(served(&scene, &json!({ "default_cachable": false })).0, [false, false]);
}
