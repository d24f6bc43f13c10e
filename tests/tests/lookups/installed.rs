//! The repositories in the test data that rez installs with itself.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pkgfs_tests::Scene;
use serde_json::{Value, json};

use crate::comparison::{Tally, compare};
use crate::oracle::{NEWEST, OLDEST, Package, ask, options, python_package};

/// Packages of rez's tests whose definitions are programs: by the ends of their directories.
const PROGRAMS: [&str; 4] =
    ["developer_dynamic_", "early_bind", "data/config", "builds/packages/floob"];

/// The directories below rez's test data that hold packages, copied to where rez takes nothing for
/// temporary.
fn repositories(scene: &Scene) -> Vec<PathBuf> {
    let copy = scene.path("data");
    // The older rez installs none of its own.
    let source = python_package(NEWEST, "data/tests");
    let copied = Command::new("cp").arg("-a").args([&source, &copy]).status().unwrap();
    assert!(copied.success());
    let mut found = vec![copy.clone()];
    let mut waiting = vec![copy];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path.clone());
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Compares all of them at once, each directory being a repository.
fn all(version: &str, settings: &Value, asked: bool) -> Tally {
    let scene = Scene::new();
    let repositories = repositories(&scene);
    let repositories: Vec<_> = repositories.iter().map(PathBuf::as_path).collect();
    let everywhere = options(version, &repositories, settings.clone(), asked);
    let packages = ask(version, &everywhere, &repositories);
    let variants = || packages.iter().flat_map(|package| &package.variants);
    // rez's tests install no payloads of variants.
    for root in variants().filter_map(|variant| variant.root.as_ref()) {
        fs::create_dir_all(root).unwrap();
        fs::write(root.join("which"), root.to_str().unwrap()).unwrap();
    }
    let used: HashSet<&str> =
        variants().filter_map(|v| v.handle["variables"]["location"].as_str()).collect();
    let used: Vec<_> = used.into_iter().map(Path::new).collect();
    let options = options(version, &used, settings.clone(), asked);
    let mounted = scene.mount(&options);
    let told = |package: &Package| asked || is_literal(package);
    let (tally, differences) = compare(&mounted, &packages, &told);
    assert!(differences.is_empty(), "{differences:#?}");
    println!("rez {version}: {tally:?}");
    tally
}

fn is_literal(package: &Package) -> bool {
    let directories = package.variants.iter().filter_map(|variant| variant.root.as_ref());
    !directories
        .map(|root| root.to_string_lossy())
        .any(|root| PROGRAMS.iter().any(|program| root.contains(program)))
}

#[test]
fn every_variant_of_rezs_own_test_data_is_served_as_rez_would_cache_it() {
    let settings = json!({ "default_cachable": true });
    for version in [NEWEST, OLDEST] {
        let tally = all(version, &settings, true);
        assert!(tally.variants > 300 && tally.offered > 100, "{tally:?}");
    }
}

#[test]
fn every_literal_variant_of_rezs_own_test_data_is_served_without_rez() {
    let tally = all(NEWEST, &json!({ "default_cachable": true }), false);
    assert!(tally.offered > 100 && tally.left_to_rez.len() < 20, "{tally:?}");
}

#[test]
fn by_default_rez_caches_nothing_of_its_test_data_and_nothing_is_served() {
    let tally = all(NEWEST, &json!({}), true);
    assert!(tally.variants > 300 && tally.offered == 0, "{tally:?}");
}
