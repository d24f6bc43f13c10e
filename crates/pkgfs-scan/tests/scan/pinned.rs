//! Single oddities of rez, each a tree, with rez's answer asked for all the same.

use std::path::PathBuf;

use pkgfs_scan::Rules;

use crate::{
    oracle::{VERSIONS, ask, assert_same, ours, scan, scratch, without_index},
    tree::{make, parse},
};

/// What it shows, the tree, and how many packages rez yields by default.
const CASES: &[(&str, &str, usize)] = &[
    ("a repository without anything", "", 0),
    ("versions with and without definition", "foo/\n foo/1/\n foo/1/package.py\n foo/2/", 2),
    ("an unversioned package hides versions", "foo/\n foo/package.yaml\n foo/1/", 1),
    ("python goes before yaml", "foo/\n foo/1/\n foo/1/package.yaml\n foo/1/package.py", 1),
    ("package.txt is nothing", "foo/\n foo/package.txt\n foo/1/\n foo/1/package.txt", 1),
    ("a definition that is a directory", "foo/\n foo/1/\n foo/1/package.py/", 1),
    ("a definition that is a link", "foo/\n foo/1/\n foo/1/package.py -> ../x.py\n foo/x.py", 1),
    ("a file of ignore", "foo/\n foo/1/\n foo/.ignore1\n foo/2/", 1),
    ("a directory of ignore is none", "foo/\n foo/1/\n foo/.ignore1/", 1),
    ("a link of ignore to a file", "foo/\n foo/1/\n foo/.ignore1 -> x\n foo/x", 0),
    ("building without definition", "foo/\n foo/1/\n foo/.building1\n foo/2/", 1),
    ("building with definition", "foo/\n foo/1/\n foo/.building1\n foo/1/package.py", 1),
    ("a directory that looks like a mark", "foo/\n foo/.building1/\n foo/.buildingx/", 2),
    ("such a directory is ignored too", "foo/\n foo/.building1/\n foo/.ignore.building1", 0),
    ("such a directory is marked too", "foo/\n foo/.building1/\n foo/.building.building1", 0),
    ("hidden directories", "foo/\n foo/.git/\n foo/.1/", 0),
    ("versions that are files and links", "foo/\n foo/1\n foo/2 -> 3\n foo/3/\n foo/4 -> no", 2),
    ("a version that is a loop of links", "foo/\n foo/1 -> 2\n foo/2 -> 1", 0),
    ("a version that rez drops from the handle", "foo/\n foo/_NO_VERSION/\n foo/1/", 2),
    ("versions that are none", "foo/\n foo/1..2/\n foo/-/\n foo/a b/", 3),
    ("a family that is a link", "foo -> bar\n bar/\n bar/1/", 2),
    ("a family without versions", "foo/", 0),
    ("a family that is a file", "foo\n bar/\n bar/1/", 1),
    (
        "names that are none",
        "foo-bar/\n foo-bar/1/\n .foo/\n .foo/1/\n __pycache__/\n __pycache__/1/",
        0,
    ),
    ("combined families", "foo.py\n bar.yaml\n baz.txt\n .py\n b-r.py", 2),
    ("one name, thrice", "foo/\n foo/1/\n foo.py\n foo.yaml", 3),
    ("a directory like a combined family", "foo.py/\n foo.py/1/", 1),
    ("a combined family that is a link to nothing", "foo.py -> no\n bar.py|", 2),
    ("settings", "settings.yaml\n settings.py", 1),
    ("a lock directory, with and without a name like a family's", ".lock/\n locks/\n locks/1/", 1),
];

#[test]
fn each_oddity_of_rez_is_ours_too() {
    let variations = [
        Rules::default(),
        Rules { check_package_definition_files: true, ..Rules::default() },
        Rules { allow_unversioned_packages: false, ..Rules::default() },
        Rules { package_filenames: vec!["x".into(), "package".into()], ..Rules::default() },
        Rules {
            package_filenames: vec!["x".into()],
            check_package_definition_files: true,
            ..Rules::default()
        },
        Rules { file_lock_dir: Some("locks".into()), ..Rules::default() },
        Rules { package_filenames: Vec::new(), ..Rules::default() },
    ];
    let place = scratch();
    let mut cases: Vec<(PathBuf, Rules)> = Vec::new();
    for (number, (_, text, _)) in CASES.iter().enumerate() {
        let repository = place.path().join(number.to_string());
        make(&repository, &parse(text));
        cases.extend(variations.iter().map(|rules| (repository.clone(), rules.clone())));
    }
    for version in VERSIONS {
        let answers = ask(version, &cases);
        for (asked, ((repository, rules), theirs)) in cases.iter().zip(answers).enumerate() {
            let (about, _, count) = CASES[asked / variations.len()];
            if asked % variations.len() == 0 {
                assert_eq!(theirs.len(), count, "rez {version}: {about}");
            }
            let found = ours(&scan(repository, rules, &without_index()));
            assert_same(found, theirs, rules, about);
        }
    }
}
