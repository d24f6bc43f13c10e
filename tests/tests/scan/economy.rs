//! What a scan asks of storage, counted.

use pkgfs_tests::{Scene, standin::Tally};

use crate::scanning::{age, release, scan, scene, versions};

const FAMILIES: u64 = 20;
const VERSIONS: u64 = 10;

fn filled() -> Scene {
    let scene = scene();
    for family in 0..FAMILIES {
        for version in 0..VERSIONS {
            release(&scene, &format!("family{family}"), &format!("1.{version}"));
        }
        for version in 0..VERSIONS {
            age_version(&scene, &format!("family{family}"), &format!("1.{version}"));
        }
        age(&scene, &format!("family{family}"), 3600);
    }
    scene
}

fn age_version(scene: &Scene, family: &str, version: &str) {
    let directory = scene.repository().directory(family, version);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::open(directory).unwrap().set_modified(old).unwrap();
}

/// What a scan asked, with the kernel knowing nothing beforehand.
fn asked(scene: &Scene, more: &[&str]) -> Tally {
    let control = scene.standin().control();
    control.forget("").unwrap();
    control.reset().unwrap();
    assert!(versions(&scan(scene, more).good()).len() as u64 >= FAMILIES * VERSIONS);
    control.stats().unwrap().operations
}

#[test]
fn a_first_scan_lists_each_family_once_and_looks_once_for_each_definition() {
    let scene = filled();
    let operations = asked(&scene, &[]);
    assert_eq!(operations.readdir, 1 + FAMILIES, "{operations:?}");
    assert_eq!(operations.lookup, FAMILIES * VERSIONS, "{operations:?}");
    assert!(operations.total() <= 1 + FAMILIES + FAMILIES * VERSIONS + 4, "{operations:?}");
    assert_eq!(operations.open + operations.read, 0, "{operations:?}");
}

#[test]
fn a_scan_of_what_did_not_change_lists_the_root_and_nothing_else() {
    let scene = filled();
    asked(&scene, &[]);
    let operations = asked(&scene, &[]);
    assert_eq!((operations.readdir, operations.lookup), (1, 0), "{operations:?}");
    assert!(operations.total() <= 4, "{operations:?}");
    assert_eq!(asked(&scene, &["--fresh"]).readdir, 1 + FAMILIES);
}

#[test]
fn one_version_more_costs_one_listing_and_one_look() {
    let scene = filled();
    asked(&scene, &[]);
    release(&scene, "family7", "2.0");
    let operations = asked(&scene, &[]);
    assert_eq!((operations.readdir, operations.lookup), (2, 1), "{operations:?}");
    assert!(operations.total() <= 6, "{operations:?}");
    let found = versions(&scan(&scene, &[]).good());
    assert!(found.contains(&"family7-2.0".to_owned()), "{found:?}");
}

/// A listing may be older than a change that left the same time stamp behind, for as long as the
/// clock that stamps can still give it again.
#[test]
fn a_family_whose_time_is_in_the_future_is_listed_again_each_time_until_it_is_past() {
    let scene = filled();
    for family in ["family3", "family4"] {
        age(&scene, family, -3600);
    }
    asked(&scene, &[]);
    // Both are as they were at the scan before.
    assert_eq!(asked(&scene, &[]).readdir, 3);
    assert_eq!(asked(&scene, &[]).readdir, 3);
    for family in ["family3", "family4"] {
        age(&scene, family, 60);
    }
    assert_eq!(asked(&scene, &[]).readdir, 3);
    assert_eq!(asked(&scene, &[]).readdir, 1);
}

#[test]
fn a_version_without_definition_is_looked_at_again_and_gets_it() {
    let scene = filled();
    let directory = scene.repository().directory("family1", "1.3");
    std::fs::remove_file(directory.join("package.py")).unwrap();
    age(&scene, "family1", 3600);
    asked(&scene, &[]);
    std::fs::write(directory.join("package.yaml"), "name: family1").unwrap();
    let operations = asked(&scene, &[]);
    assert_eq!(operations.readdir, 1, "{operations:?}");
    let text = scan(&scene, &[]).good().out;
    assert!(text.contains("family1/1.3/package.yaml"), "{text}");
}
