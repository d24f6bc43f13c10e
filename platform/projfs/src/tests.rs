//! The provider over a real view: what programs and rez do, and what they find.

use std::fs;

use crate::{
    codes::Win32,
    placeholder::READONLY,
    projection::Event,
    scene::Scene,
    security::{Descriptors, with_denial},
};

#[test]
fn a_look_up_registers_and_what_rez_wants_is_on_disk_when_it_returns() {
    let scene = Scene::new();
    let h4 = scene.package("foo", &[("lib/x.py", b"x = 1\n")]);
    scene.look(&h4).unwrap();
    let json = fs::read_to_string(scene.on_disk(&format!(r"{h4}\a.json"))).unwrap();
    assert!(json.contains("filesystem.variant"), "{json}");
    let path = scene.through(&h4, r"lib\x.py");
    let placeholder = scene.look(&path).unwrap();
    assert_eq!(placeholder.basic.size, 6);
    assert_eq!(placeholder.basic.attributes & READONLY, READONLY);
    assert_eq!(placeholder.security.unwrap(), Descriptors::default().file);
    assert_eq!(scene.read(&path).unwrap(), b"x = 1\n");
    assert_eq!(scene.list(&scene.through(&h4, "")).unwrap(), ["lib", "package.py"]);
    assert_eq!(scene.list("").unwrap(), [".pkgfs", "foo"]);
    assert_eq!(scene.list(&h4).unwrap(), ["a", "a.json"]);
}

#[test]
fn a_placeholder_has_what_origin_says_behind_the_denial() {
    // Revision 1, self-relative, with the list `(A;;FA;;;BU)` and nobody for owner and group.
    let users = [
        &[1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0][..],
        &[2, 0, 32, 0, 1, 0, 0, 0],
        &[0, 0, 24, 0, 0xFF, 1, 0x1F, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0],
    ]
    .concat();
    for (scene, kept) in [(Scene::keeping_acls(), true), (Scene::new(), false)] {
        let h4 = scene.package("foo", &[("lib/x.py", b"")]);
        scene.look(&h4).unwrap();
        for (path, directory) in [("lib", true), (r"lib\x.py", false)] {
            let path = scene.through(&h4, path);
            scene.origin_says(&path, &users);
            let expected = match (kept, directory) {
                (true, directory) => with_denial(&users, directory).unwrap(),
                (false, true) => Descriptors::default().directory,
                (false, false) => Descriptors::default().file,
            };
            assert_eq!(scene.look(&path).unwrap().security.unwrap(), expected, "{path}");
        }
    }
}

#[cfg(unix)]
#[test]
fn everybody_may_read_where_lists_are_kept_and_storage_has_none() {
    let scene = Scene::keeping_acls();
    let h4 = scene.package("foo", &[("x.py", b"")]);
    scene.look(&h4).unwrap();
    let placeholder = scene.look(&scene.through(&h4, "x.py")).unwrap();
    assert_eq!(placeholder.security.unwrap(), Descriptors::default().file);
}

#[test]
fn what_no_repository_has_is_not_found() {
    let scene = Scene::new();
    scene.package("foo", &[]);
    for path in [r"bar", r"foo\2.0", r"foo\1.0\abcd"] {
        assert_eq!(scene.look(path).err(), Some(Win32::FILE_NOT_FOUND), "{path}");
    }
}

#[test]
fn a_large_file_comes_whole_and_in_order() {
    let scene = Scene::new();
    let bytes: Vec<u8> = (0..5_000_003_u32).map(|n| (n % 251) as u8).collect();
    let h4 = scene.package("foo", &[("large", &bytes)]);
    scene.look(&h4).unwrap();
    assert!(scene.read(&scene.through(&h4, "large")).unwrap() == bytes);
}

#[test]
fn the_identity_of_a_file_begins_with_the_digest_once_that_is_known() {
    let scene = Scene::new();
    let h4 = scene.package("foo", &[("x", b"some bytes")]);
    scene.look(&h4).unwrap();
    let path = scene.through(&h4, "x");
    scene.read(&path).unwrap();
    scene.block_on(scene.view.settle());
    scene.ask(&path).unwrap();
    let placeholder = scene.look(&path).unwrap();
    assert!(placeholder.version.content[..32] != [0; 32]);
}

#[test]
fn a_flush_leads_to_another_tree_and_takes_the_old_one_away() {
    let scene = Scene::new();
    let h4 = scene.package("foo", &[("x", b"old")]);
    scene.look(&h4).unwrap();
    let old = scene.through(&h4, "x");
    assert_eq!(scene.read(&old).unwrap(), b"old");
    fs::write(scene.repository().join("foo/1.0/x"), b"newer").unwrap();
    scene.block_on(scene.view.flush(&[])).unwrap();
    let new = scene.through(&h4, "x");
    assert_ne!(old, new);
    assert_eq!(scene.read(&new).unwrap(), b"newer");
    scene.until("the old tree's end", || !scene.played.placeholders.lock().contains_key(&old));
    // Nobody gets new bytes by an old path, nor the other way round.
    assert_eq!(scene.ask(&old), Err(Win32::FILE_INVALID));
}

#[test]
fn an_open_file_is_left_to_its_reader_and_goes_when_it_is_closed() {
    let scene = Scene::new();
    let h4 = scene.package("foo", &[("x", b"old")]);
    scene.look(&h4).unwrap();
    let old = scene.through(&h4, "x");
    scene.read(&old).unwrap();
    scene.played.open.lock().push(old.clone());
    scene.block_on(scene.view.flush(&[])).unwrap();
    assert_ne!(old, scene.through(&h4, "x"));
    assert!(scene.played.placeholders.lock().contains_key(&old));
    scene.played.open.lock().clear();
    scene.until("the old file's end", || !scene.played.placeholders.lock().contains_key(&old));
}

#[test]
fn a_handle_in_pending_is_registered_before_its_close_is_answered() {
    let scene = Scene::with(false, false);
    let h4 = scene.package("foo", &[("x", b"x")]);
    assert_eq!(scene.look(&h4).err(), Some(Win32::FILE_NOT_FOUND));
    let handle = scene.handle("foo").to_json();
    scene.write(r".sys\pending\foo-1.0-1.json", handle.as_bytes());
    scene.look(&h4).unwrap();
    assert_eq!(scene.read(&scene.through(&h4, "x")).unwrap(), b"x");
}

#[test]
fn rez_removes_a_variant_as_on_a_plain_cache() {
    let scene = Scene::new();
    let h4 = scene.package("foo", &[("x", b"x")]);
    scene.look(&h4).unwrap();
    let tree = scene.through(&h4, "x");
    scene.read(&tree).unwrap();
    let (from, to) = (format!(r"{h4}\a"), r".sys\to_delete\foo-1.0-1");
    // Not anywhere else, and not so that rez would try again for ever.
    assert_eq!(
        scene.tell(Event::PreRename, &from, true, Some(r"foo\1.0\x")),
        Err(Win32::NOT_SUPPORTED)
    );
    assert_eq!(scene.tell(Event::PreDelete, &from, true, None), Err(Win32::NOT_SUPPORTED));
    scene.tell(Event::PreRename, &from, true, Some(to)).unwrap();
    fs::rename(scene.on_disk(&from), scene.on_disk(to)).unwrap();
    scene.tell(Event::Renamed, &from, true, Some(to)).unwrap();
    let moved = fs::symlink_metadata(scene.on_disk(to)).unwrap();
    assert!(moved.is_dir() && fs::read_dir(scene.on_disk(to)).unwrap().next().is_none());
    scene.delete(&format!(r"{h4}\a.json")).unwrap();
    scene.tell(Event::PreDelete, &h4, true, None).unwrap();
    // Wine removes no directory that somebody is listing, as the provider may be.
    scene.until("its removal", || fs::remove_dir(scene.on_disk(&h4)).is_ok());
    scene.tell(Event::ClosedDeleted, &h4, true, None).unwrap();
    scene.until("the tree's end", || !scene.played.placeholders.lock().contains_key(&tree));
    assert!(!scene.on_disk(&from).exists());
    // It does not come back by being looked for.
    scene.played.placeholders.lock().remove(&h4);
    assert_eq!(scene.ask(&h4), Err(Win32::FILE_NOT_FOUND));
}

#[test]
fn rez_copies_a_variant_in_and_a_link_takes_its_place() {
    let scene = Scene::with(false, false);
    let h4 = scene.package("foo", &[("lib/x", b"x")]);
    let mut below = String::new();
    for name in h4.split('\\') {
        below = if below.is_empty() { name.to_owned() } else { format!("{below}\\{name}") };
        fs::create_dir(scene.on_disk(&below)).unwrap();
        scene.tell(Event::Created, &below, true, None).unwrap();
    }
    scene.write(&format!(r"{h4}\.copying-a"), b"");
    let json = pkgfs_rez::registration::encode(&scene.handle("foo"));
    scene.write(&format!(r"{h4}\a.json"), json.as_bytes());
    for directory in ["a", r"a\lib"] {
        fs::create_dir(scene.on_disk(&format!(r"{h4}\{directory}"))).unwrap();
        scene.tell(Event::Created, &format!(r"{h4}\{directory}"), true, None).unwrap();
    }
    scene.write(&format!(r"{h4}\a\lib\x"), b"copied");
    scene.delete(&format!(r"{h4}\.copying-a")).unwrap();
    let tree = scene.through(&h4, r"lib\x");
    assert_eq!(scene.read(&tree).unwrap(), b"copied");
    assert!(scene.on_disk(&format!(r"{h4}\a.json")).exists());
    let mut left: Vec<_> = fs::read_dir(scene.on_disk(&h4)).unwrap().collect();
    left.retain(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn nothing_of_a_payload_may_be_changed() {
    let scene = Scene::new();
    let h4 = scene.package("foo", &[("x", b"x")]);
    scene.look(&h4).unwrap();
    let path = scene.through(&h4, "x");
    scene.look(&path).unwrap();
    for event in [Event::PreDelete, Event::PreConvertToFull] {
        assert_eq!(scene.tell(event, &path, false, None), Err(Win32::ACCESS_DENIED));
    }
    for event in [Event::PreRename, Event::PreSetHardlink] {
        let to = Some(r".sys\x");
        assert_eq!(scene.tell(event, &path, false, to), Err(Win32::ACCESS_DENIED));
        let into = scene.through(&h4, "y");
        assert_eq!(scene.tell(event, r".sys\x", false, Some(&into)), Err(Win32::ACCESS_DENIED));
    }
    let above = r"foo\1.0";
    assert_eq!(scene.tell(Event::PreDelete, above, true, None), Err(Win32::DIR_NOT_EMPTY));
}

#[test]
fn rez_takes_its_lock_by_a_hard_link() {
    let scene = Scene::new();
    let (own, lock) = (r".sys\host-1.2", r".sys\.lock.lock");
    scene.write(own, b"");
    scene.tell(Event::PreSetHardlink, own, false, Some(lock)).unwrap();
    fs::hard_link(scene.on_disk(own), scene.on_disk(lock)).unwrap();
    scene.tell(Event::HardlinkCreated, own, false, Some(lock)).unwrap();
    scene.delete(own).unwrap();
    scene.delete(lock).unwrap();
    // Both are gone in the view, or they could not be made again.
    scene.write(own, b"");
    scene.tell(Event::HardlinkCreated, own, false, Some(lock)).unwrap();
}

#[test]
fn names_are_found_in_any_case_and_shown_in_their_own() {
    let scene = Scene::new();
    let h4 = scene.package("foo", &[("Lib/Readme.TXT", b"x"), ("lib2", b"y")]);
    scene.look(&h4).unwrap();
    let path = scene.through(&h4, r"LIB\README.txt");
    scene.ask(&scene.through(&h4, "LIB")).unwrap();
    scene.ask(&path).unwrap();
    let known = scene.played.placeholders.lock();
    assert!(known.keys().any(|path| path.ends_with(r"\Lib")), "{:?}", known.keys());
    assert!(known.keys().any(|path| path.ends_with(r"\Readme.TXT")), "{:?}", known.keys());
}

#[cfg(unix)]
#[test]
fn a_link_shows_as_one_or_as_what_it_leads_to() {
    for links in [true, false] {
        let scene = Scene::with(links, true);
        let h4 = scene.package("foo", &[("lib/x", b"x")]);
        let at = scene.repository().join("foo/1.0");
        std::os::unix::fs::symlink("lib/x", at.join("file")).unwrap();
        std::os::unix::fs::symlink("lib", at.join("directory")).unwrap();
        scene.look(&h4).unwrap();
        let look = |name: &str| scene.look(&scene.through(&h4, name)).unwrap().basic.kind;
        if links {
            let link = |target: &str, directory| crate::placeholder::Kind::Link {
                target: crate::names::wide(target),
                directory,
            };
            assert_eq!(look("file"), link(r"lib\x", false));
            assert_eq!(look("directory"), link("lib", true));
        } else {
            assert_eq!(look("file"), crate::placeholder::Kind::File);
            assert_eq!(scene.read(&scene.through(&h4, "file")).unwrap(), b"x");
            assert_eq!(look("directory"), crate::placeholder::Kind::Directory);
            assert_eq!(scene.read(&scene.through(&h4, r"directory\x")).unwrap(), b"x");
        }
    }
}

#[test]
fn a_use_of_a_json_is_taken_from_its_time_when_it_is_closed() {
    let scene = Scene::new();
    let h4 = scene.package("foo", &[("x", b"x")]);
    scene.look(&h4).unwrap();
    let json = format!(r"{h4}\a.json");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1000);
    let file = fs::File::options().write(true).open(scene.on_disk(&json)).unwrap();
    file.set_modified(later).unwrap();
    drop(file);
    scene.tell(Event::ClosedUnmodified, &json, false, None).unwrap();
    let level = crate::path::Level::of(&h4.split('\\').map(str::to_owned).collect::<Vec<_>>());
    let wanted = scene.block_on(scene.provider.wanted(&level.unwrap())).unwrap().unwrap();
    let since = later.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(wanted.files["a.json"].mtime.secs.unsigned_abs(), since.as_secs());
}
