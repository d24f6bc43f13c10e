//! Registration by look-up in the repositories that were named.

use std::fs;
use std::io::ErrorKind;

use pkgfs_tests::{MountOptions, Scene, eventually};

use crate::actions::{Cache, names};
use crate::payloads::{self, assert_same, problems, ready};

#[test]
fn rezs_look_up_alone_finds_every_variant_with_a_plain_root() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("plain", "1.0", payloads::small);
    repository.release("loose", None, payloads::small);
    repository.release_variants(
        "varied",
        "2.1",
        &[&["os-linux"], &["os-mac", "arch-arm"]],
        |_, root| {
            payloads::small(root);
        },
    );
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    assert_eq!(names(&mounted.mountpoint()), [".sys"], "nothing is listed that nobody asked for");
    for (handle, source) in [
        (repository.handle("plain", "1.0", None), "plain/1.0"),
        (repository.handle("loose", None, None), "loose"),
        (repository.handle("varied", "2.1", 0), "varied/2.1/os-linux"),
        (repository.handle("varied", "2.1", 1), "varied/2.1/os-mac/arch-arm"),
    ] {
        let root = cache.find(&handle).unwrap().unwrap_or_else(|| panic!("{}", handle.uri()));
        assert_same(&repository.source().join(source), &root);
    }
    assert_eq!(names(&mounted.mountpoint()), [".sys", "loose", "plain", "varied"]);
    assert_eq!(ready(&mounted), 4);
}

#[test]
fn what_no_repository_has_is_not_there_and_leaves_nothing() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", payloads::small);
    let mounted = scene.mount(&MountOptions::default());
    let h4 = repository.handle("tool", "1.0", None).h4();
    for name in [
        format!("tool/1.0/{h4}0"),
        format!("tool/1.0/{}", if h4 == "0000" { "0001" } else { "0000" }),
        format!("tool/9.9/{h4}"),
        format!("tool/_NO_VERSION/{h4}"),
        format!("TOOL/1.0/{h4}"),
        "tool/1.0/package.py".to_owned(),
        "none".to_owned(),
        ".git".to_owned(),
        "tool/.lock".to_owned(),
    ] {
        let error = fs::metadata(mounted.mountpoint().join(&name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
    }
    assert_eq!(ready(&mounted), 0);
    assert_eq!(names(&mounted.mountpoint()), [".sys"]);
    let nothing_yet = ["tool", "tool/1.0"].map(|name| mounted.mountpoint().join(name));
    nothing_yet.iter().for_each(|path| assert_eq!(names(path), Vec::<String>::new()));
}

#[test]
fn a_new_release_appears_within_the_time_for_which_a_miss_is_believed() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", payloads::small);
    let mounted = scene.mount(&MountOptions {
        configuration: "registration.miss_seconds = 1".to_owned(),
        ..MountOptions::default()
    });
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "2.0", None);
    assert_eq!(cache.find(&handle).unwrap(), None);
    scene.repository().release("tool", "2.0", payloads::small);
    eventually("the release is found", || cache.find(&handle).unwrap().is_some());
    assert_same(&scene.repository().directory("tool", "2.0"), &cache.place(&handle).join("a"));
}

#[test]
fn a_handle_brings_a_release_that_was_just_missed() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", payloads::small);
    let mounted = scene.mount(&MountOptions {
        configuration: "registration.miss_seconds = 3600".to_owned(),
        ..MountOptions::default()
    });
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "2.0", None);
    assert_eq!(cache.find(&handle).unwrap(), None);
    scene.repository().release("tool", "2.0", payloads::small);
    let _ = cache.ask(&handle);
    assert!(cache.find(&handle).unwrap().is_some());
}

#[test]
fn a_definition_that_only_rez_can_tell_is_left_to_rez_and_told() {
    let scene = Scene::new();
    let repository = scene.repository();
    for (name, text) in [
        (
            "computed",
            "name = 'computed'\nversion = '1.0'\ncachable = True\nvariants = [[x] for x in 'ab']\n",
        ),
        (
            "hashed",
            "name = 'hashed'\nversion = '1.0'\ncachable = True\nhashed_variants = True\nvariants = [['os-linux']]\n",
        ),
        ("broken", "name = 'broken'\nversion = (\n"),
    ] {
        repository.release(name, "1.0", payloads::small);
        fs::write(repository.directory(name, "1.0").join("package.py"), text).unwrap();
        let mounted = scene.mount(&MountOptions::default());
        let cache = Cache::new(mounted.mountpoint());
        for index in [None, Some(0)] {
            assert_eq!(cache.find(&repository.handle(name, "1.0", index)).unwrap(), None, "{name}");
        }
        assert_eq!(ready(&mounted), 0);
        let told = problems(&mounted);
        assert!(told.iter().any(|text| text.contains(name)), "{name}: {told:?}");
        // rez adds it by itself, here as anywhere.
        let handle = repository.handle(name, "1.0", 0);
        let root = cache.add(&handle, &repository.directory(name, "1.0"));
        assert_eq!(cache.find(&handle).unwrap(), Some(root));
    }
}
