//! Names stay once given, new releases appear, and a look-up costs the same beside any number of
//! packages.

use std::fs;
use std::path::{Path, PathBuf};

use pkgfs_tests::standin::Options;
use pkgfs_tests::{MountOptions, Mounted, Scene, VariantHandle, eventually};
use serde_json::Value;

/// Answers of storage are not believed for longer than a moment.
fn doubting() -> MountOptions {
    let configuration = "registration.miss_seconds = 0\nfreshness_minutes = 0".to_owned();
    MountOptions { configuration, ..MountOptions::default() }
}

fn find(mounted: &Mounted, handle: &VariantHandle) -> Option<PathBuf> {
    let place = mounted.registration(&handle.name, handle.version.as_deref(), handle.index);
    let names = fs::read_dir(place).ok()?.map(|entry| entry.unwrap().path());
    let mut jsons = names.filter(|path| path.extension().is_some_and(|e| e == "json"));
    let json = jsons.find(|json| {
        let said: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
        said["handle"] == handle.to_dict()
    })?;
    Some(json.with_extension(""))
}

fn listed(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Writes the definition again, with these variants; each payload says which it is.
fn define(scene: &Scene, variants: &[&str], further: &str) {
    let repository = scene.repository();
    let requires: Vec<Vec<&str>> = variants.iter().map(|name| vec![*name]).collect();
    let requires: Vec<&[&str]> = requires.iter().map(Vec::as_slice).collect();
    repository.release_variants("tool", "1.0", &requires, |_, root| {
        fs::write(root.join("which"), root.file_name().unwrap().to_str().unwrap()).unwrap();
    });
    let definition = repository.directory("tool", "1.0").join("package.py");
    let text = fs::read_to_string(&definition).unwrap() + further;
    fs::write(definition, text).unwrap();
}

#[test]
fn names_stay_as_variants_are_appended_and_after_a_restart() {
    let scene = Scene::new();
    define(&scene, &["os-a", "os-b"], "");
    let mounted = scene.mount(&doubting());
    let handle = |index| scene.repository().handle("tool", "1.0", index);
    let first: Vec<_> = (0..2).map(|index| find(&mounted, &handle(index)).unwrap()).collect();
    assert_eq!(find(&mounted, &handle(2)), None);
    define(&scene, &["os-a", "os-b", "os-c"], "");
    eventually("the new variant is found", || find(&mounted, &handle(2)).is_some());
    let mut all = first;
    all.push(find(&mounted, &handle(2)).unwrap());
    let same = || {
        for (index, (root, which)) in all.iter().zip(["os-a", "os-b", "os-c"]).enumerate() {
            let index = u32::try_from(index).unwrap();
            assert_eq!(find(&mounted, &handle(index)).as_ref(), Some(root));
            assert_eq!(fs::read_to_string(root.join("which")).unwrap(), which);
        }
    };
    same();
    mounted.remount();
    same();
    mounted.kill_daemon();
    mounted.mount_again();
    same();
}

#[test]
fn a_variant_that_is_no_longer_offered_stays_where_it_is_registered_and_comes_nowhere_new() {
    for further in ["", "cachable = False\n"] {
        let scene = Scene::new();
        define(&scene, &["os-a", "os-b", "os-c"], "");
        let mounted = scene.mount(&doubting());
        let handle = |index| scene.repository().handle("tool", "1.0", index);
        let registered = find(&mounted, &handle(2)).unwrap();
        // Gone from the definition, or not to be cached any more.
        let left: &[&str] = if further.is_empty() { &["os-a"] } else { &["os-a", "os-b", "os-c"] };
        define(&scene, left, further);
        assert_eq!(find(&mounted, &handle(1)), None, "{further}");
        assert_eq!(find(&mounted, &handle(2)).as_ref(), Some(&registered));
        assert_eq!(fs::read_to_string(registered.join("which")).unwrap(), "os-c");
        mounted.remount();
        assert_eq!(find(&mounted, &handle(2)), Some(registered), "{further}");
    }
}

#[test]
fn a_variant_whose_definition_says_another_place_is_served_from_there() {
    for by_flush in [true, false] {
        let scene = Scene::new();
        define(&scene, &["os-a"], "");
        let mounted = scene.mount(&doubting());
        let handle = scene.repository().handle("tool", "1.0", 0);
        let root = find(&mounted, &handle).unwrap();
        assert_eq!(fs::read_to_string(root.join("which")).unwrap(), "os-a");
        define(&scene, &["os-b"], "");
        if by_flush {
            let _ = mounted.pkgfs(&["flush", mounted.mountpoint().to_str().unwrap()]).good();
        } else {
            // As rez does when it uses the variant.
            let json = fs::File::open(root.with_extension("json")).unwrap();
            json.set_modified(std::time::SystemTime::now()).unwrap();
        }
        eventually("the other place is shown", || {
            fs::read_to_string(root.join("which")).is_ok_and(|which| which == "os-b")
        });
        mounted.remount();
        assert_eq!(fs::read_to_string(root.join("which")).unwrap(), "os-b");
    }
}

#[test]
fn names_that_are_not_served_ask_storage_nothing_while_the_answer_is_believed() {
    let scene = Scene::behind_standin(&Options::uncached());
    define(&scene, &["os-a", "os-b"], "");
    fs::remove_dir_all(scene.repository().directory("tool", "1.0").join("os-b")).unwrap();
    scene.repository().release("private", "1.0", |_| {});
    let private = scene.repository().directory("private", "1.0").join("package.py");
    fs::write(private, "name = 'private'\ncachable = False\n").unwrap();
    let configuration = "registration.miss_seconds = 3600".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    let handle = |name: &str, version: &str, index: Option<u32>| {
        scene.repository().handle(name, Some(version), index)
    };
    let look = || {
        for number in 0..50 {
            assert_eq!(find(&mounted, &handle(&format!("none{number}"), "1.0", None)), None);
        }
        assert_eq!(find(&mounted, &handle("tool", "9.9", None)), None);
        assert_eq!(find(&mounted, &handle("tool", "1.0", Some(1))), None, "its root is gone");
        assert_eq!(find(&mounted, &handle("tool", "1.0", Some(7))), None);
        assert_eq!(find(&mounted, &handle("private", "1.0", None)), None);
    };
    look();
    let control = scene.standin().control();
    control.reset().unwrap();
    look();
    assert_eq!(control.stats().unwrap().operations.total(), 0);
    assert_eq!(listed(&mounted.mountpoint()), [".sys"]);
}

/// What storage was asked for one look-up beside this many packages of a hundred variants.
fn cost_beside(packages: u32) -> u64 {
    let scene = Scene::behind_standin(&Options::uncached());
    let requires: Vec<_> = (0..100).map(|number| format!("['os-{number}']")).collect();
    for number in 0..packages {
        let directory = scene.repository().directory(&format!("many{number}"), "1.0");
        fs::create_dir_all(directory.join("os-7")).unwrap();
        let variants = requires.join(", ");
        let text = format!("cachable = True\ntimestamp = 1\nvariants = [{variants}]\n");
        fs::write(directory.join("package.py"), text).unwrap();
    }
    let mounted = scene.mount(&MountOptions::default());
    let control = scene.standin().control();
    control.reset().unwrap();
    assert!(find(&mounted, &scene.repository().handle("many1", "1.0", 7)).is_some());
    let cost = control.stats().unwrap().operations.total();
    control.reset().unwrap();
    assert_eq!(listed(&mounted.mountpoint()), [".sys", "many1"]);
    assert_eq!(listed(&mounted.mountpoint().join("many1")), ["1.0"]);
    assert_eq!(listed(&mounted.mountpoint().join("many1/1.0")).len(), 1);
    assert_eq!(control.stats().unwrap().operations.total(), 0, "a listing asks storage nothing");
    cost
}

#[test]
fn listings_show_what_is_registered_and_look_ups_cost_the_same_beside_100_000_variants() {
    let few = cost_beside(3);
    assert_eq!(cost_beside(1000), few);
    // This client keeps nothing: the attributes of each directory on the way are asked for anew.
    assert!(few < 40, "{few} operations");
}
