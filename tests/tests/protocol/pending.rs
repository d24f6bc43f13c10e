//! Registration by a handle that rez writes to `.sys/pending`.

use std::fs;

use pkgfs_tests::standin::Options;
use pkgfs_tests::{MountOptions, Scene};
use serde_json::{Value, json};

use crate::actions::{Cache, names};
use crate::payloads::{self, assert_same, pending_only, problems, ready};

#[test]
fn a_variant_is_registered_before_the_close_of_its_handle_returns() {
    // Slow enough that a registration that comes later would be missed.
    let scene = Scene::behind_standin(&Options { delay_us: 3_000, ..Options::uncached() });
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
    let mounted = scene.mount(&pending_only());
    let cache = Cache::new(mounted.mountpoint());
    for (handle, source) in [
        (repository.handle("plain", "1.0", None), "plain/1.0"),
        (repository.handle("loose", None, None), "loose"),
        (repository.handle("varied", "2.1", 1), "varied/2.1/os-mac/arch-arm"),
    ] {
        assert_eq!(cache.find(&handle).unwrap(), None);
        let pending = cache.ask(&handle);
        let place = cache.place(&handle);
        assert_eq!(names(&place), ["a", "a.json"], "{source}");
        let json: Value = serde_json::from_slice(&fs::read(place.join("a.json")).unwrap()).unwrap();
        assert_eq!(json, json!({ "handle": handle.to_dict() }));
        let root = cache.find(&handle).unwrap().unwrap();
        assert_eq!(root, place.join("a"));
        assert_same(&repository.source().join(source), &root);
        // It is rez's file: rez removes it when it finds the variant there.
        fs::remove_file(pending).unwrap();
    }
    assert_eq!(problems(&mounted), Vec::<String>::new());
}

#[test]
fn a_handle_that_rez_did_not_write_is_left_alone_and_told() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", payloads::small);
    let mounted = scene.mount(&pending_only());
    let cache = Cache::new(mounted.mountpoint());
    let handle = repository.handle("tool", "1.0", None);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut dict = handle.to_dict();
        change(&mut dict);
        dict.to_string().into_bytes()
    };
    let text = handle.to_json();
    let location = repository.location().to_str().unwrap();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("truncated", text.as_bytes()[..text.len() - 9].to_vec(), "not complete JSON"),
        ("huge", [&vec![b' '; 3 << 20], text.as_bytes()].concat(), "JSON"),
        ("binary", b"\xff\xfe\0\x01".to_vec(), "not complete JSON"),
        ("nested", vec![b'['; 200_000], "JSON"),
        ("list", b"[1, 2]".to_vec(), "not a JSON object"),
        ("foreign", with(&|dict| dict["key"] = json!("memory.variant")), "memory.variant"),
        ("type", with(&|dict| dict["variables"]["repository_type"] = json!("zip")), "zip"),
        ("key", with(&|dict| dict["extra"] = json!(1)), "extra"),
        ("variable", with(&|dict| dict["variables"]["extra"] = json!(1)), "extra"),
        ("relative", with(&|dict| dict["variables"]["location"] = json!("sw/pkg")), "sw/pkg"),
        (
            "up",
            with(&|dict| dict["variables"]["location"] = json!(format!("{location}/../x"))),
            "..",
        ),
        ("name", with(&|dict| dict["variables"]["name"] = json!("../tool")), "../tool"),
        ("version", with(&|dict| dict["variables"]["version"] = json!("..")), "version"),
        ("index", with(&|dict| dict["variables"]["index"] = json!(4)), "package.py[4]"),
        ("negative", with(&|dict| dict["variables"]["index"] = json!(-1)), "index"),
        ("absent", with(&|dict| dict["variables"]["version"] = json!("9.9")), "not found"),
        ("nowhere", with(&|dict| dict["variables"]["location"] = json!("/no/such")), "not found"),
    ];
    let mut failures = Vec::new();
    for (name, text, told) in &cases {
        let before = problems(&mounted);
        let pending = cache.ask_with(name, text);
        // What rez may still want is not lost, and nothing else came of it.
        assert!(fs::read(&pending).unwrap() == *text, "{name}");
        assert_eq!(ready(&mounted), 0, "{name} was registered");
        assert_eq!(names(&mounted.mountpoint()), [".sys"], "{name}");
        let now = problems(&mounted);
        if !now.iter().any(|text| text.contains(told) && !text.contains('\n')) {
            let new: Vec<_> = now.iter().filter(|text| !before.contains(text)).collect();
            failures.push(format!("{name}: {new:?}"));
        }
    }
    assert_eq!(failures, Vec::<String>::new());
    // An empty file is one that is still to be written.
    let empty = cache.ask_with("empty", b"");
    assert_eq!((fs::metadata(empty).unwrap().len(), ready(&mounted)), (0, 0));
    // And the next good one is served.
    let _ = cache.ask(&handle);
    assert!(cache.find(&handle).unwrap().is_some());
}

#[test]
fn a_mount_of_several_users_takes_handles_of_named_repositories_alone() {
    let scene = Scene::new();
    scene.repository().release("named", "1.0", payloads::small);
    let other = scene.path("other");
    fs::create_dir_all(other.join("unnamed/1.0")).unwrap();
    let text = "name = 'unnamed'\nversion = '1.0'\ncachable = True\n";
    fs::write(other.join("unnamed/1.0/package.py"), text).unwrap();
    let mut unnamed = scene.repository().handle("unnamed", "1.0", None);
    unnamed.location = other.to_str().unwrap().to_owned();
    let named = scene.repository().handle("named", "1.0", None);

    let shared = scene.mount(&MountOptions { allow_other: true, ..MountOptions::default() });
    let cache = Cache::new(shared.mountpoint());
    let pending = cache.ask(&unnamed);
    assert_eq!(cache.find(&unnamed).unwrap(), None);
    assert!(pending.exists());
    let told = problems(&shared);
    assert!(told.iter().any(|text| text.contains(&unnamed.location)), "{told:?}");
    let _ = cache.ask(&named);
    assert!(cache.find(&named).unwrap().is_some());

    // A user's own mount goes by that user's word.
    let own = scene.mount(&MountOptions::default());
    let cache = Cache::new(own.mountpoint());
    let _ = cache.ask(&unnamed);
    assert!(cache.find(&unnamed).unwrap().is_some());
}

#[test]
fn with_registration_on_pending_switched_off_a_handle_is_only_a_file() {
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", payloads::small);
    let mounted = scene.mount(&payloads::left_to_rez());
    let cache = Cache::new(mounted.mountpoint());
    let handle = scene.repository().handle("tool", "1.0", None);
    let pending = cache.ask(&handle);
    assert_eq!(cache.find(&handle).unwrap(), None);
    assert_eq!(fs::read_to_string(pending).unwrap(), handle.to_json());
    assert_eq!(problems(&mounted), Vec::<String>::new());
}
