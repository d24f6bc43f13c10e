//! Repositories made at random, with all that rez allows and hostile names, compared with rez.
//!
//! A definition is made along with whether it is literal. Payloads are put where rez says that they
//! lie, so nothing here computes a root. `TEST_LOOKUPS_SEED` and `TEST_LOOKUPS_PACKAGES` make other
//! and more of them.

mod definition;
mod repository;
mod spelling;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use pkgfs_tests::Scene;
use serde_json::{Value, json};

use crate::comparison::compare;
use crate::oracle::{NEWEST, OLDEST, Package, ask, options};

/// Packages of one repository in CI.
const PACKAGES: usize = 70;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Makes a repository, has rez and the mounts tell of it, and wants no difference.
fn proven(number_of_test: u64, name: &str, version: &str, settings: impl Fn(&Path) -> Value) {
    let seed = number("TEST_LOOKUPS_SEED", 7) + number_of_test;
    let count = usize::try_from(number("TEST_LOOKUPS_PACKAGES", PACKAGES as u64)).unwrap();
    println!("TEST_LOOKUPS_SEED={} makes this again", seed - number_of_test);
    let mut dice = Rng::with_seed(seed);
    let scene = Scene::new();
    let location = scene.path(name);
    fs::create_dir(&location).unwrap();
    let settings = settings(&location);
    let literal = repository::make(&mut dice, &location, count);
    let spelled = PathBuf::from(format!("/{}/", location.display()));
    let with_rez = options(version, &[&spelled], settings.clone(), true);
    let without = options(version, &[&spelled], settings, false);

    let packages = ask(version, &with_rez, &[&spelled]);
    repository::fill(&mut dice, &packages);
    // Links have a say in where variants lie.
    let packages = ask(version, &with_rez, &[&spelled]);
    let mut tally = (0, 0);
    for (options, asked) in [(with_rez, true), (without, false)] {
        let mounted = scene.mount(&options);
        let told = |package: &Package| asked || is_literal(&literal, package);
        let (compared, differences) = compare(&mounted, &packages, &told);
        let (few, more) = differences.split_at(differences.len().min(5));
        let log = if few.is_empty() { String::new() } else { mounted.log() };
        let about = |line: &&str| few.iter().any(|told| mentions(told, line));
        let lines: Vec<_> = log.lines().filter(about).take(20).collect();
        assert!(few.is_empty(), "{few:#?} and {} more\nlog: {lines:#?}", more.len());
        let log = mounted.log();
        for package in &compared.left_to_rez {
            let offered = |p: &&Package| {
                package == &format!("{}/{}", p.family, p.version)
                    && p.variants.iter().any(|variant| variant.is_offered())
            };
            let line = format!("/{}/package.", package.trim_end_matches('/'));
            let told = log.contains(&line);
            assert!(told || !packages.iter().any(|p| offered(&p)), "{package} is not told of");
        }
        println!(
            "{} packages, {} variants, {} offered, {} left to rez",
            compared.packages,
            compared.variants,
            compared.offered,
            compared.left_to_rez.len()
        );
        tally = (tally.0 + compared.offered, tally.1 + compared.variants);
    }
    assert!(tally.1 > count, "{tally:?}");
}

fn mentions(difference: &str, line: &str) -> bool {
    let name = difference.split("path: \"").nth(1).and_then(|rest| rest.split('/').next());
    name.is_some_and(|name| line.contains(&format!("/{name}/")))
}

fn is_literal(literal: &HashSet<(String, String)>, package: &Package) -> bool {
    literal.contains(&(package.family.clone(), package.version.clone()))
}

#[test]
fn repositories_that_are_cachable_by_default_are_served_as_rez_caches_them() {
    proven(0, "it's \"quoted\"", NEWEST, |_| json!({ "default_cachable": true }));
}

#[test]
fn repositories_that_are_cachable_as_they_are_relocatable_are_served_as_rez_caches_them() {
    proven(1, "späce ünicode", OLDEST, |location| {
        json!({
            "default_cachable": null,
            "default_relocatable": true,
            "default_cachable_per_package": { "p1": false, "p2.x": true, "_p5": false },
            "default_relocatable_per_repository": { "/nowhere": true, (location.to_str().unwrap()): true },
            "default_relocatable_per_package": { "p7": false, "P8.x": false },
        })
    });
}

#[test]
fn repositories_with_a_word_of_their_own_are_served_as_rez_caches_them() {
    proven(2, "back\\slash.", NEWEST, |location| {
        json!({
            "default_cachable": false,
            "default_cachable_per_repository": { (location.to_str().unwrap()): true },
        })
    });
}

#[test]
fn repositories_whose_packages_must_speak_for_themselves_are_served_as_rez_caches_them() {
    proven(3, "line\nbreak", NEWEST, |_| json!({ "use_variant_shortlinks": false }));
}
