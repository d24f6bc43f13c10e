//! Profiles shown, taken to another machine, and forgotten.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pkgfs_tests::{MountOptions, Mounted, Scene};

use crate::start::Start;
use crate::{CONTEXT, KIB, ahead, content, local, profile, profiles, storage};

const LARGE: usize = 900 * KIB;

fn odd() -> &'static OsStr {
    OsStr::from_bytes(b"na\xffme of \xf0")
}

fn large() -> Vec<u8> {
    (0..LARGE).map(|at| (at / KIB) as u8 | 0x80).collect()
}

fn scene() -> Scene {
    let scene = Scene::behind_standin(&storage());
    scene.repository().release("odd", "1.0", |root| {
        let directory = root.join(odd());
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(odd()), content(1)).unwrap();
        fs::write(root.join("plain"), content(2)).unwrap();
        fs::write(root.join("library.so"), large()).unwrap();
    });
    scene.repository().release("other", "1.0", |root| {
        fs::write(root.join("file"), content(3)).unwrap();
    });
    scene
}

fn learn(mounted: &Mounted) {
    let mut start = Start::new(CONTEXT);
    let payload = mounted.payload("odd", "1.0", None);
    start.reads(&payload.join("plain"), &content(2));
    start.reads(&payload.join(odd()).join(odd()), &content(1));
    start.reads_part(&payload.join("library.so"), 600 * KIB, &large()[600 * KIB..601 * KIB]);
    start.reads(&mounted.payload("other", "1.0", None).join("file"), &content(3));
    start.remount_after(mounted);
}

fn exported(scene: &Scene, mounted: &Mounted, targets: &[&str]) -> PathBuf {
    let file = scene.path("exported.json");
    let arguments = [targets, &["--output", file.to_str().unwrap()]].concat();
    let _ = profile(mounted, "export", &arguments).good();
    file
}

#[test]
fn an_exported_profile_serves_another_store() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    learn(&mounted);
    let file = exported(&scene, &mounted, &[]);
    let text = fs::read_to_string(&file).unwrap();
    for own in [mounted.mountpoint(), mounted.store()] {
        assert!(!text.contains(own.to_str().unwrap()), "{text}");
    }
    let another = scene.mount(&MountOptions::default());
    assert_eq!(profiles(&another).len(), 0);
    // Before the variants are registered there.
    let (file, mountpoint) = (file.to_str().unwrap(), another.mountpoint());
    let imported = another.pkgfs(&["profile", "import", file, mountpoint.to_str().unwrap()]);
    assert_eq!(imported.good().out.lines().count(), 2);
    let files = |mounted| {
        let known = profiles(mounted).into_iter();
        known.map(|mut profile| profile["files"].take()).collect::<Vec<_>>()
    };
    assert_eq!(files(&another), files(&mounted));

    let payload = another.payload("odd", "1.0", None);
    let other = another.payload("other", "1.0", None).join("file");
    assert!(other.exists());
    let mut start = Start::new(CONTEXT);
    start.reads(&payload.join("plain"), &content(2));
    local(&another, 4);
    assert_eq!(ahead(&another), (3, 3));
    start.reads(&payload.join(odd()).join(odd()), &content(1));
    start.reads(&other, &content(3));
    start.reads(&payload.join("library.so"), &large());
    assert_eq!(ahead(&another), (3, 0));
}

#[test]
fn of_a_large_file_the_parts_that_were_read_are_told() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    learn(&mounted);
    let known = profiles(&mounted);
    let files = known[0]["files"].as_array().unwrap();
    let library = files.iter().find(|file| file["path"] == "library.so").unwrap();
    let (part, wanted) = (&library["ranges"][0], 600 * KIB as u64);
    assert!(part[0].as_u64().unwrap() <= wanted && part[1].as_u64().unwrap() > wanted, "{library}");
    assert!(files.iter().all(|file| file == library || file["ranges"].is_null()));
    let hex = "6e61ff6d65206f6620f0";
    assert_eq!(files[1]["path_hex"], format!("{hex}2f{hex}"));
}

#[test]
fn what_is_cleared_is_forgotten_and_the_rest_stays() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    learn(&mounted);
    let uris = |mounted: &Mounted| -> Vec<String> {
        let known = profiles(mounted).into_iter();
        known.map(|profile| profile["uri"].as_str().unwrap().to_owned()).collect()
    };
    let handle = |name| scene.repository().handle(name, "1.0", None).uri();
    assert_eq!(uris(&mounted), [handle("odd"), handle("other")]);
    let told = profile(&mounted, "show", &["other"]).good().out;
    assert!(told.contains(&handle("other")) && !told.contains(&handle("odd")), "{told}");
    assert!(told.contains("1 files, "), "{told}");

    let cleared = profile(&mounted, "clear", &["odd-1.0"]).good();
    assert_eq!(cleared.out, format!("forgotten {}\n", handle("odd")));
    assert_eq!(uris(&mounted), [handle("other")]);
    let unknown = profile(&mounted, "clear", &[&handle("odd")]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("no profile of it is known"), "{}", unknown.err);
    // Also of a variant that is not registered any more.
    let mountpoint = mounted.mountpoint();
    let _ = mounted.pkgfs(&["remove", mountpoint.to_str().unwrap(), "other"]).good();
    let _ = profile(&mounted, "clear", &["other"]).good();
    mounted.remount();
    assert_eq!(uris(&mounted), [""; 0]);
    assert_eq!(profile(&mounted, "show", &[]).good().out, "no launch was learnt yet\n");
}

#[test]
fn what_is_no_export_is_refused_with_a_line() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let mountpoint = mounted.mountpoint();
    let file = scene.path("wrong.json");
    let handle = scene.repository().handle("odd", "1.0", None).to_dict();
    let wrong = |context: &str, handle: &serde_json::Value| {
        serde_json::json!({
            "pkgfs_profiles": 1,
            "profiles": [{ "handle": handle, "context": context, "files": [{ "path": "../../x" }] }],
        })
        .to_string()
    };
    let import = |text: &str| {
        fs::write(&file, text).unwrap();
        let arguments = ["profile", "import", file.to_str().unwrap(), mountpoint.to_str().unwrap()];
        mounted.pkgfs(&arguments)
    };
    for (text, reason) in [
        ("nothing".to_owned(), "is not what `pkgfs profile export` writes"),
        (r#"{"pkgfs_profiles": 2, "profiles": []}"#.to_owned(), "has format 2"),
        (wrong("not hexadecimal", &handle), "names no context"),
        (wrong("", &serde_json::json!({})), "the handle has no"),
    ] {
        let ran = import(&text);
        assert_eq!(ran.code, Some(1), "{text}");
        assert!(ran.err.contains(reason) && ran.err.lines().count() == 1, "{}", ran.err);
    }
    // A path that leads out of the variant is left out.
    let _ = import(&wrong("", &handle)).good();
    assert_eq!(profiles(&mounted)[0]["files"], serde_json::json!([]));
}
