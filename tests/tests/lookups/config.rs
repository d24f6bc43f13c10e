//! Repositories from rez's own configuration.

use std::fs;
use std::os::unix::fs::symlink;

use pkgfs_tests::{MountOptions, Scene};
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
    // Made too late for this daemon, in time for the next.
    fs::create_dir_all(home.join("tool/1.0")).unwrap();
    fs::write(home.join("tool/1.0/package.py"), "cachable = True\n").unwrap();
    assert_eq!(mounted.view()["repositories"], json!([at("one"), at("two")]));
    mounted.remount();
    assert_eq!(mounted.view()["repositories"], json!([at("one"), at("two"), home]));
    let said = mounted.pkgfs(&["status"]).good().out;
    for shown in [at("one"), at("two"), home.display().to_string()] {
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
