//! The daemon is killed at any moment, under load.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use pkgfs_tests::standin::Options;
use pkgfs_tests::{MountOptions, Scene};

use crate::load::Load;
use crate::{packages, store};

/// How often the daemon is killed.
const KILLS: usize = 30;
/// Packages that are new in each life.
const NEW: usize = 6;

/// As [`Load::run`] does it.
fn is_copied_in(package: usize) -> bool {
    package % 3 == 2
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    let scene = Scene::behind_standin(&Options { delay_us: 100, ..Options::uncached() });
    packages::release(&scene, KILLS * NEW);
    (0..KILLS * NEW).filter(|package| is_copied_in(*package)).for_each(|package| {
        packages::leave_to_rez(&scene, package);
    });
    let mounted = scene.mount(&MountOptions::default());
    let mut acknowledged = Vec::new();
    let mut cut_short = 0;
    let mut known = HashSet::new();
    for life in 0..KILLS {
        let load = Load::default();
        let new: Vec<_> = (life * NEW..(life + 1) * NEW).collect();
        let serving = mounted.all_processes();
        // Lives of all lengths: each has a moment of its own.
        let moment = (life * 7919) % 97;
        load.run(&scene, &mounted, &new, |load| {
            load.reaches(moment);
            serving.crash();
        });
        store::assert_sound_besides(&mounted.store(), &mut known);
        mounted.mount_again();
        store::assert_sound_besides(&mounted.store(), &mut known);
        acknowledged.extend(load.acknowledged());
        // By what is listed: a look-up would register it anew.
        let listed: HashSet<_> = fs::read_dir(mounted.mountpoint())
            .unwrap()
            .map(|name| name.unwrap().file_name().into_string().unwrap())
            .collect();
        for package in &acknowledged {
            let there = listed.contains(&packages::name(*package));
            assert!(there, "life {life}: {package} was acknowledged, and is gone");
        }
        // All of the last life, acknowledged or not: what was under way is whole, or not there.
        for package in new {
            let place = mounted.registration(&packages::name(package), "1.0", None);
            if !is_copied_in(package) {
                assert!(place.exists(), "life {life}: {package} is cachable, and not served");
            } else if !place.join("a.json").exists() || place.join(".copying-a").exists() {
                assert!(!load.acknowledged().contains(&package), "life {life}: {package}");
                cut_short += 1;
                continue;
            }
            packages::assert_whole(&mounted, package);
        }
    }
    for package in &acknowledged {
        packages::assert_whole(&mounted, *package);
    }
    assert!(acknowledged.len() > KILLS, "only {} registrations", acknowledged.len());
    println!("{} registrations acknowledged, {cut_short} copies cut short", acknowledged.len());
    // Neither all copies nor none were cut short: the moments differ.
    assert!((1..KILLS * NEW / 3).contains(&cut_short), "{cut_short} copies cut short");
    assert!(store::assert_sound(&mounted.store()) > KILLS * NEW);
}

#[test]
fn mounting_again_recovers_the_stale_mount_and_says_so() {
    let scene = Scene::new();
    packages::release(&scene, 1);
    let mounted = scene.mount(&MountOptions::default());
    packages::assert_whole(&mounted, 0);
    mounted.kill_daemon();
    let mountpoint = mounted.mountpoint();
    let error = fs::read_dir(&mountpoint).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
    let (store, repository) = (mounted.store(), scene.repository().location());
    let file = store.with_file_name("pkgfs.toml");
    let mut arguments = vec![Path::new("mount"), &mountpoint, Path::new("--store"), &store];
    arguments.extend([Path::new("--config"), &file, Path::new("--repo"), repository]);
    let said = mounted.pkgfs(&arguments).good();
    assert!(said.out.contains("had died"), "{said:?}");
    packages::assert_whole(&mounted, 0);
}
