//! The index: what becomes of it when others touch it, or may not.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    thread,
};

use pkgfs_tests::{Ran, Scene, User};

use crate::scanning::{age, command, index, release, scan, scene, versions};

fn small() -> Scene {
    let scene = scene();
    for family in ["foo", "bar"] {
        release(&scene, family, "1.0");
        age(&scene, family, 3600);
    }
    scene
}

/// How many listings the next scan makes.
fn listings(scene: &Scene) -> u64 {
    let control = scene.standin().control();
    control.forget("").unwrap();
    control.reset().unwrap();
    assert_eq!(versions(&scan(scene, &[]).good()), ["bar-1.0", "foo-1.0"]);
    control.stats().unwrap().operations.readdir
}

#[test]
fn a_damaged_index_is_as_if_it_were_not_there_and_is_made_anew_without_a_word() {
    let scene = small();
    assert_eq!((listings(&scene), listings(&scene)), (3, 1));
    let good = fs::read(index(&scene)).unwrap();
    let mut damaged = vec![Vec::new(), b"nothing".to_vec(), good[..good.len() - 1].to_vec()];
    // The version, the checksum, and bytes all over what it protects.
    for place in [0, 1, 32, 33, good.len() / 2, good.len() - 1] {
        let mut one = good.clone();
        one[place] ^= 0x41;
        damaged.push(one);
    }
    damaged.push([good.clone(), vec![0]].concat());
    for bytes in damaged {
        fs::write(index(&scene), &bytes).unwrap();
        let ran = scan(&scene, &[]).good();
        assert_eq!(
            (versions(&ran), ran.err.as_str()),
            (vec!["bar-1.0".into(), "foo-1.0".into()], "")
        );
        assert_eq!(listings(&scene), 1, "it was not made anew: {bytes:?}");
    }
}

#[test]
fn the_index_is_private_and_written_only_if_there_is_something_new() {
    let scene = small();
    assert_eq!(versions(&scan(&scene, &[]).good()).len(), 2);
    let file = index(&scene);
    let first = file.metadata().unwrap();
    assert_eq!(first.permissions().mode() & 0o077, 0);
    assert_eq!(versions(&scan(&scene, &[]).good()).len(), 2);
    assert_eq!(index(&scene).metadata().unwrap().ino(), first.ino(), "it was replaced");
    release(&scene, "foo", "2.0");
    age(&scene, "foo", 3600);
    scene.standin().control().forget("").unwrap();
    assert_eq!(versions(&scan(&scene, &[]).good()).len(), 3);
    assert_ne!(index(&scene).metadata().unwrap().ino(), first.ino(), "it was not replaced");
}

#[test]
fn several_processes_at_once_find_what_is_there_and_leave_one_good_index() {
    let scene = small();
    for round in 0..4 {
        let version = format!("2.{round}");
        release(&scene, "foo", &version);
        age(&scene, "foo", 3600 - round);
        scene.standin().control().forget("").unwrap();
        thread::scope(|scope| {
            let scans: Vec<_> = (0..8).map(|_| scope.spawn(|| scan(&scene, &[]).good())).collect();
            for ended in scans {
                let found = versions(&ended.join().unwrap());
                assert_eq!(found.len(), 3 + usize::try_from(round).unwrap(), "{found:?}");
                assert!(found.contains(&format!("foo-{version}")), "{found:?}");
            }
        });
    }
    let control = scene.standin().control();
    control.forget("").unwrap();
    control.reset().unwrap();
    assert_eq!(versions(&scan(&scene, &[]).good()).len(), 6);
    assert_eq!(control.stats().unwrap().operations.readdir, 1);
    // One file, nothing temporary.
    index(&scene);
}

#[test]
fn a_home_that_cannot_be_written_to_is_a_scan_without_an_index() {
    let scene = small();
    let home = scene.path("home");
    fs::create_dir(&home).unwrap();
    let repository = scene.repository().location().to_str().unwrap();
    let run = || Ran::new(&mut command(&scene, User::Ordinary, &["--json", repository])).good();
    for _ in 0..2 {
        let ran = run();
        assert_eq!(
            (versions(&ran), ran.err.as_str()),
            (vec!["bar-1.0".into(), "foo-1.0".into()], "")
        );
    }
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    // And with one that can be, there is one.
    chown(&home, Some(User::Ordinary.id()), Some(User::Ordinary.id())).unwrap();
    run();
    assert_eq!(index(&scene).metadata().unwrap().uid(), User::Ordinary.id());
}

#[test]
fn root_leaves_nothing_in_the_home_of_somebody_else() {
    let scene = small();
    let home = scene.path("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(User::Ordinary.id()), None).unwrap();
    let repository = scene.repository().location().to_str().unwrap();
    let run = || Ran::new(&mut command(&scene, User::Own, &["--json", repository])).good();
    assert_eq!(versions(&run()).len(), 2);
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    // Nor below what an earlier root has left there.
    fs::create_dir_all(home.join(".cache/pkgfs")).unwrap();
    run();
    assert_eq!(fs::read_dir(home.join(".cache/pkgfs")).unwrap().count(), 0);
}
