//! Links: kept inside the variant, content in their place where they lead into a repository, an
//! absolute link elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pkgfs_tests::standin::{Effect, Fault, FaultErrno, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene};

/// `linking` links into `shared`, which lies in the same repository behind a stand-in, and to a
/// directory that belongs to no repository.
fn linked() -> (Scene, Mounted) {
    let scene = Scene::behind_standin(&Options::uncached());
    let outside = scene.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("licence"), "not ours to serve\n").unwrap();
    let repository = scene.repository();
    repository.release("shared", "1.0", |root| {
        fs::create_dir_all(root.join("lib/deep")).unwrap();
        fs::write(root.join("lib/libshared.so"), "shared object\n").unwrap();
        fs::write(root.join("lib/deep/data"), "deep data\n").unwrap();
        symlink("libshared.so", root.join("lib/libshared.so.1")).unwrap();
        // From a directory shown in a link's place, back out of it, and on.
        symlink("../../../../outside/licence", root.join("lib/licence")).unwrap();
        symlink("../package.py", root.join("lib/definition")).unwrap();
    });
    let location = repository.location().to_owned();
    repository.release("linking", "1.0", |root| {
        fs::create_dir(root.join("inner")).unwrap();
        fs::write(root.join("inner/own"), "own\n").unwrap();
        let to = |target: &str, name: &str| symlink(target, root.join(name)).unwrap();
        to("inner/own", "kept");
        to("../../shared/1.0/lib/libshared.so", "file");
        to("../../shared/1.0/lib/libshared.so.1", "file-through-a-link");
        to("../../shared/1.0/lib", "directory");
        to("../../../outside/licence", "elsewhere");
        to("/etc/hostname", "system");
        to("../../../outside/gone", "dangling");
        let to = |target: PathBuf, name: &str| symlink(target, root.join(name)).unwrap();
        to(location.join("shared/1.0/lib/deep/data"), "absolute-file");
        to(location.join("linking/1.0/inner/own"), "absolute-inside");
    });
    let mounted = scene.mount(&MountOptions::default());
    (scene, mounted)
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().is_symlink()
}

#[test]
fn a_link_inside_the_variant_is_kept() {
    let (_scene, mounted) = linked();
    let payload = mounted.payload("linking", "1.0", None);
    assert_eq!(fs::read_link(payload.join("kept")).unwrap(), Path::new("inner/own"));
    // An absolute one leads to the same file of the payload, not to origin's.
    assert_eq!(fs::read_link(payload.join("absolute-inside")).unwrap(), Path::new("inner/own"));
    assert_eq!(fs::read_to_string(payload.join("absolute-inside")).unwrap(), "own\n");
}

#[test]
fn a_link_into_a_repository_shows_what_it_leads_to_also_with_origin_down() {
    let (scene, mounted) = linked();
    let payload = mounted.payload("linking", "1.0", None);
    let read = || {
        for (name, content) in [
            ("file", "shared object\n"),
            ("file-through-a-link", "shared object\n"),
            ("absolute-file", "deep data\n"),
            ("directory/libshared.so", "shared object\n"),
            ("directory/libshared.so.1", "shared object\n"),
            ("directory/deep/data", "deep data\n"),
        ] {
            assert_eq!(fs::read_to_string(payload.join(name)).unwrap(), content, "{name}");
        }
        for name in ["file", "file-through-a-link", "absolute-file", "directory"] {
            assert!(!is_link(&payload.join(name)), "{name} is a link");
        }
        assert!(is_link(&payload.join("directory/libshared.so.1")));
        let definition = fs::read_to_string(payload.join("directory/definition")).unwrap();
        assert!(definition.contains("name = \"shared\""), "{definition}");
        let source = scene.repository().directory("shared", "1.0").join("lib");
        let seen = crate::comparison::walk(&source.join("deep"), &payload.join("directory/deep"));
        assert_eq!(seen, Vec::<String>::new());
    };
    read();
    mounted.remount();
    let down = Fault::new(Effect::Error { errno: FaultErrno::Eio });
    scene.standin().control().fault(&down).unwrap();
    read();
}

#[test]
fn a_link_elsewhere_is_an_absolute_link_to_origins_target() {
    let (scene, mounted) = linked();
    let payload = mounted.payload("linking", "1.0", None);
    let licence = scene.path("outside/licence");
    assert_eq!(fs::read_link(payload.join("elsewhere")).unwrap(), licence);
    assert_eq!(fs::read_to_string(payload.join("elsewhere")).unwrap(), "not ours to serve\n");
    assert_eq!(fs::read_link(payload.join("directory/licence")).unwrap(), licence);
    assert_eq!(fs::read_link(payload.join("system")).unwrap(), Path::new("/etc/hostname"));
    let dangling = Path::new("../../../outside/gone");
    assert_eq!(fs::read_link(payload.join("dangling")).unwrap(), dangling);
}

#[test]
fn a_link_into_a_second_repository_counts_as_one_into_a_repository() {
    let scene = Scene::new();
    let second = scene.path("second");
    fs::create_dir_all(second.join("other/1.0")).unwrap();
    fs::write(second.join("other/1.0/data"), "second\n").unwrap();
    scene.repository().release("linking", "1.0", |root| {
        symlink(second.join("other/1.0/data"), root.join("data")).unwrap();
    });
    let first = scene.repository().location();
    let both = format!("repositories = [{first:?}, {second:?}]");
    let payload_is_link = |configuration: String| {
        // Repositories on the command line would replace these.
        let mounted = scene.mount(&MountOptions {
            serves_look_ups: configuration.is_empty(),
            configuration,
            ..MountOptions::default()
        });
        let data = mounted.payload("linking", "1.0", None).join("data");
        assert_eq!(fs::read_to_string(&data).unwrap(), "second\n");
        is_link(&data)
    };
    assert!(!payload_is_link(both));
    assert!(payload_is_link(String::new()));
}

#[test]
fn links_that_hold_themselves_are_found_and_told() {
    let scene = Scene::new();
    let repository = scene.repository();
    // One leads above itself; two packages lead into each other.
    for (name, other) in [("left", "right"), ("right", "left")] {
        repository.release(name, "1.0", |root| {
            fs::write(root.join("name"), name).unwrap();
            symlink(format!("../../{other}/1.0"), root.join("other")).unwrap();
            symlink("../..", root.join("family")).unwrap();
        });
    }
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("left", "1.0", None);
    assert!(is_link(&payload.join("family")));
    assert_eq!(fs::read_to_string(payload.join("other/name")).unwrap(), "right");
    let back = payload.join("other/other");
    assert!(is_link(&back), "the tree has no end");
    let canonical = repository.location().join("left/1.0");
    assert_eq!(fs::canonicalize(&back).unwrap(), canonical);
    // A walk of everything ends, and somebody is told why these are links.
    let mut files = 0;
    count(&payload, &mut files);
    assert_eq!(files, 4, "two packages with two files each");
    let told = "which holds it";
    pkgfs_tests::eventually("the log tells of the loop", || mounted.log().contains(told));
}

fn count(directory: &Path, files: &mut usize) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            count(&entry.path(), files);
        } else if entry.file_type().unwrap().is_file() {
            *files += 1;
        }
    }
}
