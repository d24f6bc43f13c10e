//! rez's own copy of a variant, sealed when its mark goes.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use pkgfs_tests::Scene;
use rustix::io::Errno;

use crate::actions::{Cache, names};
use crate::payloads::{assert_same, left_to_rez, ready, small};

fn refusal<T>(outcome: std::io::Result<T>) -> Option<Errno> {
    outcome.err().and_then(|error| Errno::from_io_error(&error))
}

#[test]
fn a_copy_is_whole_and_sealed_when_rez_unlinks_its_mark() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", small);
    let mounted = scene.mount(&left_to_rez());
    let cache = Cache::new(mounted.mountpoint());
    let handle = repository.handle("tool", "1.0", None);
    let original = repository.directory("tool", "1.0");

    let copy = cache.begin(&handle).unwrap().unwrap();
    assert_eq!(names(&cache.place(&handle)), [".copying-a", "a.json"]);
    copy.tree(&original);
    // Until then it is rez's tree, to be written again if rez likes.
    fs::write(copy.root.join("later"), "later").unwrap();
    fs::remove_file(copy.root.join("later")).unwrap();
    assert_eq!(cache.find(&handle).unwrap(), None, "it is still being copied");
    copy.end();

    let root = cache.find(&handle).unwrap().unwrap();
    assert_eq!(names(&cache.place(&handle)), ["a", "a.json"]);
    assert_same(&original, &root);
    let run = root.join("run");
    assert_eq!(fs::metadata(&run).unwrap().permissions().mode() & 0o7777, 0o555);
    for (what, refused) in [
        ("write", refusal(fs::write(&run, "other"))),
        ("make", refusal(fs::write(root.join("new"), "new"))),
        ("remove", refusal(fs::remove_file(&run))),
        ("remove a directory", refusal(fs::remove_dir(root.join("python")))),
        ("make a directory", refusal(fs::create_dir(root.join("new")))),
        ("rename", refusal(fs::rename(&run, root.join("walk")))),
        ("change the mode", refusal(fs::set_permissions(&run, PermissionsExt::from_mode(0o777)))),
        ("copy again", refusal(fs::create_dir(&root))),
        ("write the json", refusal(fs::write(root.with_extension("json"), "{}"))),
    ] {
        let expected = if what == "copy again" { Errno::EXIST } else { Errno::ROFS };
        assert_eq!(refused, Some(expected), "{what}");
    }
    assert_same(&original, &root);
    assert_eq!(ready(&mounted), 1);
}

/// A process that was forked while the json was being written closes it, too: once the first close of
/// two had the variant registered, and the other did not wait for it.
#[test]
fn a_json_that_is_closed_twice_is_registered_when_either_close_returns() {
    let scene = Scene::new();
    let mounted = scene.mount(&left_to_rez());
    for turn in 0..20 {
        let name = format!("tool{turn}");
        scene.repository().release(&name, "1.0", small);
        let handle = scene.repository().handle(&name, "1.0", None);
        let place = mounted.registration(&name, "1.0", None);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(".copying-a"), "").unwrap();
        let mut json = File::create(place.join("a.json")).unwrap();
        write!(json, "{{\"handle\": {}}}", handle.to_json()).unwrap();
        let forked = json.try_clone().unwrap();
        thread::scope(|scope| {
            for closed in [json, forked] {
                let root = place.join("a");
                scope.spawn(move || {
                    drop(closed);
                    let made = fs::create_dir(&root).map_err(|error| error.kind());
                    assert!(matches!(made, Ok(()) | Err(ErrorKind::AlreadyExists)), "{made:?}");
                });
            }
        });
    }
}

/// Once a damaged file of a copy was said to be fetched anew, though nobody else has it, and
/// stayed an error for good.
#[test]
fn a_copy_of_which_nobody_can_give_a_file_again_is_removed_by_a_repair_for_rez_to_copy_anew() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", small);
    let mounted = scene.mount(&left_to_rez());
    let cache = Cache::new(mounted.mountpoint());
    let handle = repository.handle("tool", "1.0", None);
    let original = repository.directory("tool", "1.0");
    let copy = cache.begin(&handle).unwrap().unwrap();
    copy.tree(&original);
    fs::write(copy.root.join("own"), "nobody else has this").unwrap();
    copy.end();
    let root = cache.find(&handle).unwrap().unwrap();
    mounted.remount();
    let verify = |more: &[&str]| {
        let mountpoint = mounted.mountpoint();
        mounted.pkgfs(&[&["verify", mountpoint.to_str().unwrap(), "-q"], more].concat())
    };
    // One that origin has, and one that nobody has.
    for name in ["run", "own"] {
        let bytes = fs::read(root.join(name)).unwrap();
        let fans = fs::read_dir(mounted.store().join("blobs")).unwrap();
        let blobs = fans.flat_map(|fan| fs::read_dir(fan.unwrap().path()).unwrap());
        let mut blobs = blobs.map(|blob| blob.unwrap().path());
        let blob = blobs.find(|blob| fs::read(blob).unwrap() == bytes).unwrap();
        fs::remove_file(blob).unwrap();
        let found = verify(&[]);
        assert_eq!(found.code, Some(1), "{}", found.out);
        let told = mounted.view()["problems"].to_string();
        assert!(told.contains("rez copied") && told.contains("verify --repair"), "{told}");
        let repaired = verify(&["--repair"]);
        assert_eq!(repaired.code, Some(0), "{}", repaired.out);
        assert_eq!(
            repaired.out.contains("rez copies it in anew"),
            name == "own",
            "{}",
            repaired.out
        );
        if name == "run" {
            assert_eq!(fs::read(root.join(name)).unwrap(), bytes);
        }
    }
    assert_eq!(cache.find(&handle).unwrap(), None);
    let copy = cache.begin(&handle).unwrap().expect("rez may copy it in");
    copy.tree(&original);
    copy.end();
    assert_same(&original, &cache.find(&handle).unwrap().unwrap());
}

/// `os.setxattr` and `os.removexattr`, which `shutil.copystat` takes "not supported" of for an
/// answer, and nothing else.
fn set_and_remove_attribute(path: &Path) -> [Option<Errno>; 2] {
    let flags = rustix::fs::XattrFlags::empty();
    let set = rustix::fs::lsetxattr(path, "user.studio", b"shots", flags);
    [set.err(), rustix::fs::lremovexattr(path, "user.studio").err()]
}

#[test]
fn extended_attributes_are_not_supported_in_a_copy_under_way_and_read_only_in_a_payload() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", small);
    let mounted = scene.mount(&left_to_rez());
    let cache = Cache::new(mounted.mountpoint());
    let handle = repository.handle("tool", "1.0", None);
    let copy = cache.begin(&handle).unwrap().unwrap();
    copy.tree(&repository.directory("tool", "1.0"));
    let shown = ["", "python", "run"].map(|name| copy.root.join(name));
    for path in &shown {
        assert_eq!(set_and_remove_attribute(path), [Some(Errno::OPNOTSUPP); 2], "{path:?}");
    }
    assert_eq!(set_and_remove_attribute(&cache.sys()), [Some(Errno::OPNOTSUPP); 2]);
    copy.end();
    for path in &shown {
        assert_eq!(set_and_remove_attribute(path), [Some(Errno::ROFS); 2], "{path:?}");
    }
}

#[test]
fn a_sealed_copy_outlives_restarts_and_its_origin() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", small);
    let kept = scene.path("kept");
    let mounted = scene.mount(&left_to_rez());
    let cache = Cache::new(mounted.mountpoint());
    let handle = repository.handle("tool", "1.0", None);
    let root = cache.add(&handle, &repository.directory("tool", "1.0"));
    fs::rename(repository.source(), &kept).unwrap();
    for crash in [false, true] {
        if crash {
            mounted.kill_daemon();
            mounted.mount_again();
        } else {
            mounted.remount();
        }
        assert_eq!(cache.find(&handle).unwrap(), Some(root.clone()));
        assert_same(&kept.join("tool/1.0"), &root);
    }
    fs::rename(kept, repository.source()).unwrap();
}

#[test]
fn a_copy_of_what_is_local_already_takes_no_room() {
    let scene = Scene::new();
    let repository = scene.repository();
    for version in ["1.0", "2.0"] {
        repository.release("tool", version, |root| {
            fs::write(root.join("data"), vec![9; 300_000]).unwrap();
        });
    }
    let mounted = scene.mount(&left_to_rez());
    let cache = Cache::new(mounted.mountpoint());
    let blobs = || {
        let store = &mounted.view()["store"];
        [&store["blobs"], &store["blob_bytes"]].map(|count| count.as_u64().unwrap())
    };
    let add = |version| {
        let handle = repository.handle("tool", version, None);
        cache.add(&handle, &repository.directory("tool", version));
    };
    add("1.0");
    let [first, first_bytes] = blobs();
    add("2.0");
    let [second, second_bytes] = blobs();
    // Two definitions, one file of data.
    assert_eq!((first, second), (2, 3));
    assert!(second_bytes - first_bytes < 1000, "{first_bytes}, {second_bytes}");
}

#[test]
fn only_what_rez_makes_can_be_made_where_variants_are_registered() {
    let scene = Scene::new();
    let repository = scene.repository();
    repository.release("tool", "1.0", small);
    let mounted = scene.mount(&left_to_rez());
    let cache = Cache::new(mounted.mountpoint());
    let place = cache.place(&repository.handle("tool", "1.0", None));
    fs::create_dir_all(&place).unwrap();
    for name in ["a", "README", "a.txt", "A.json", ".copying-1", "ab cd.json", "a.json.tmp"] {
        let made = fs::create_dir(place.join(name));
        assert_eq!(refusal(made), Some(Errno::ROFS), "directory {name}");
        if name != "a" {
            let made = fs::File::create(place.join(name));
            assert_eq!(refusal(made), Some(Errno::ROFS), "file {name}");
        }
    }
    for above in ["file", "tool/file", "tool/1.0/file"] {
        let made = fs::File::create(mounted.mountpoint().join(above));
        assert_eq!(refusal(made), Some(Errno::ROFS), "{above}");
    }
    assert_eq!(names(&place), Vec::<String>::new());
}
