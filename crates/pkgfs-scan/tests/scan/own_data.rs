//! The repositories that rez tests itself with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pkgfs_scan::Rules;

use crate::oracle::{VERSIONS, ask, assert_same, installation, ours, scan, without_index};

/// The directory and all below it.
fn directories(top: PathBuf, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(&top).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            directories(entry.path(), found);
        }
    }
    found.push(top);
}

fn packages_of(python: &Path) -> PathBuf {
    let lib = fs::read_dir(python.join("lib")).unwrap().map(|entry| entry.unwrap().path());
    let mut packages = lib.map(|python| python.join("site-packages/rez/data/tests"));
    packages.find(|path| path.exists()).unwrap()
}

#[test]
fn every_directory_of_rezs_own_test_data_is_enumerated_as_rez_does() {
    let variations = [
        Rules::default(),
        Rules { check_package_definition_files: true, ..Rules::default() },
        Rules { allow_unversioned_packages: false, ..Rules::default() },
    ];
    let mut repositories = Vec::new();
    directories(packages_of(&installation(VERSIONS[0])), &mut repositories);
    for version in VERSIONS {
        let cases: Vec<_> = variations
            .iter()
            .flat_map(|rules| repositories.iter().map(|path| (path.clone(), rules.clone())))
            .collect();
        let answers = ask(version, &cases);
        let packages: usize = answers.iter().map(Vec::len).sum();
        assert!(packages > 300, "rez {version} finds only {packages} packages");
        for ((repository, rules), theirs) in cases.iter().zip(answers) {
            let found = ours(&scan(repository, rules, &without_index()));
            assert_same(found, theirs, rules, &repository.display().to_string());
        }
    }
}
