//! Repositories from rez's own configuration.

use std::fs;
use std::os::unix::fs::symlink;

use pkgfs_tests::{MountOptions, Mounted, Scene, VariantHandle};
use serde_json::json;

use crate::oracle::{NEWEST, ask, commands};

#[test]
fn repositories_are_those_rez_looks_in_less_the_local_one() {
    let scene = Scene::new();
    let at = |name: &str| scene.path(name).to_str().unwrap().to_owned();
    for name in ["one", "two", "local", "mount-0/home/three"] {
        fs::create_dir_all(scene.path(name).join("tool/1.0")).unwrap();
        let definition = scene.path(name).join("tool/1.0/package.py");
        fs::write(definition, "name = 'tool'\nversion = '1.0'\ncachable = True\n").unwrap();
    }
    symlink("two", scene.path("link")).unwrap();
    symlink("local", scene.path("link-to-local")).unwrap();
    fs::write(at("file"), "").unwrap();
    let paths = json!([
        at("one/"),
        at("link"),
        at("two"),
        at("one"),
        at("missing"),
        at("local"),
        at("file"),
        at("link-to-local"),
        "~/three",
    ]);
    fs::remove_dir_all(scene.path("mount-0/home/three")).unwrap();
    fs::remove_dir_all(scene.path("mount-0")).unwrap();
    let options = MountOptions {
        serves_look_ups: false,
        rez: Some(commands(NEWEST)),
        rez_settings: json!({ "packages_path": paths, "local_packages_path": at("local") }),
        ..MountOptions::default()
    };
    let mounted = scene.mount(&options);
    let home = mounted.store().with_file_name("home").join("three");
    assert_eq!(mounted.view()["repositories"], json!([at("one"), at("two")]));
    let missing = json!([at("missing"), at("file"), home]);
    assert_eq!(mounted.view()["missing_repositories"], missing);
    fs::create_dir_all(home.join("tool/1.0")).unwrap();
    fs::write(home.join("tool/1.0/package.py"), "cachable = True\n").unwrap();
    mounted.remount();
    assert_eq!(mounted.view()["repositories"], json!([at("one"), at("two"), home]));
    let said = mounted.pkgfs(&["status"]).good().out;
    let gone = format!("{}: missing", at("missing"));
    for shown in [at("one"), at("two"), home.display().to_string(), gone] {
        assert!(said.contains(&shown), "{said}");
    }
    assert!(!said.contains(&at("local")), "{said}");
    // As handles name them, however they were spelled.
    let one = ask(NEWEST, &options, &[&scene.path("one/"), &scene.path("link"), &home]);
    for variant in one.iter().flat_map(|package| &package.variants) {
        assert!(mounted.mountpoint().join(&variant.path).exists(), "{variant:?}");
    }
    let local = ask(NEWEST, &options, &[&scene.path("local")]);
    assert!(!mounted.mountpoint().join(&local[0].variants[0].path).exists());
}

#[test]
fn a_repository_that_is_missing_at_the_start_is_served_once_it_is_there() {
    let scene = Scene::new();
    let at = |name: &str| scene.path(name).to_str().unwrap().to_owned();
    let (first, late, local) = (at("first"), at("late"), at("local"));
    let release = |name: &str, tool: &str| {
        fs::create_dir_all(scene.path(name).join(tool).join("1.0")).unwrap();
        let definition = scene.path(name).join(tool).join("1.0/package.py");
        fs::write(definition, "cachable = True\n").unwrap();
    };
    release("first", "early");
    symlink("elsewhere/local", &local).unwrap();
    let options = |configuration: &str| MountOptions {
        serves_look_ups: false,
        rez_settings: json!({
            "packages_path": [local, late, first, at("elsewhere/local"), at("elsewhere/late")],
            "local_packages_path": local,
        }),
        configuration: configuration.to_owned(),
        ..MountOptions::default()
    };
    let [mounted, doubting] = ["registration.miss_seconds = 3600", "registration.miss_seconds = 0"]
        .map(|configuration| scene.mount(&options(configuration)));
    let handle = |name: &str, tool: &str| VariantHandle {
        location: at(name),
        ..scene.repository().handle(tool, "1.0", None)
    };
    let is_there = |mounted: &Mounted, name: &str, tool: &str| {
        let handle = handle(name, tool);
        let place = mounted.mountpoint().join(tool).join("1.0").join(handle.h4());
        place.join("a/package.py").exists()
    };
    for mounted in [&mounted, &doubting] {
        assert!(is_there(mounted, "first", "early"));
        assert!(!is_there(mounted, "elsewhere/late", "new"));
        assert_eq!(mounted.view()["repositories"], json!([first]));
        assert!(mounted.view()["missing_repositories"].as_array().unwrap().contains(&json!(late)));
    }
    release("elsewhere/late", "new");
    release("elsewhere/local", "built");
    symlink("elsewhere/late", &late).unwrap();
    assert!(is_there(&doubting, "elsewhere/late", "new"));
    assert!(!is_there(&doubting, "elsewhere/local", "built"), "local builds are never served");
    // By its real path, in the place that rez gives it, and once.
    let all = json!([at("elsewhere/late"), first]);
    assert_eq!(doubting.view()["repositories"], all);
    assert_eq!(doubting.view()["missing_repositories"], json!([]));
    // What is believed for long is asked anew after a flush.
    assert!(!is_there(&mounted, "elsewhere/late", "new"));
    let _ = mounted.pkgfs(&["flush", mounted.mountpoint().to_str().unwrap()]).good();
    assert!(is_there(&mounted, "elsewhere/late", "new"));
    assert_eq!(mounted.view()["repositories"], all);
}
