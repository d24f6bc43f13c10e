//! Repositories by chance: every feature, hostile names, and what happens to them later.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pkgfs_rez::RezSettings;
use pkgfs_scan::{Options, Rules};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    dice::Dice,
    fixtures::Fixtures,
    oracle::{VERSIONS, ask, assert_same, in_memory, ours, scan, settings, without_index},
    tree::{Name, Tree, What, at, make, settle},
};

const REPOSITORIES: usize = 1000;

const ROOT: &[&[u8]] = &[
    b"foo",
    b"bar",
    b"a.b",
    b"foo.py",
    b"foo.yaml",
    b"bar.yaml",
    b"settings.yaml",
    b"_",
    b"9",
    b".lock",
    b"locks",
    b"__pycache__",
    b"foo-bar",
    b"foo\xff",
    b"foo\n",
    b".hidden",
    b"..",
    b"a..b",
    b"README",
    b"bar.py",
    b"\xc3\xa9",
    b"foo bar",
    b"%",
    b"-x",
    b"settings.py",
];
const FAMILY: &[&[u8]] = &[
    b"1",
    b"1.0",
    b"2.0-beta",
    b"1..2",
    b"_NO_VERSION",
    b"1\xff",
    b"a b",
    b"1\n2",
    b".1",
    b".git",
    b".ignore1",
    b".ignore1.0",
    b".ignore",
    b".ignore_NO_VERSION",
    b".building1",
    b".building1.0",
    b".building",
    b".building1\xff",
    b".ignore.building1",
    b".building.building1",
    b"package.py",
    b"package.yaml",
    b"package.txt",
    b"pkg.py",
    b"pkg.yaml",
    b"PACKAGE.PY",
    b"%00",
    b"\xe2\x80\xa8",
    b"package",
];
const VERSION: &[&[u8]] =
    &[b"package.py", b"package.yaml", b"pkg.py", b"pkg.yaml", b"package.txt", b"python", b".py"];

/// A repository, the rules to enumerate it under, and what happens to it later.
#[derive(Serialize, Deserialize)]
struct Case {
    settings: Value,
    tree: Tree,
    added: Tree,
    removed: Vec<Name>,
}

/// Mostly directories where `directories`, mostly files elsewhere.
fn what(dice: &mut Dice, directories: bool) -> What {
    match dice.roll(16) {
        0 => What::Fifo,
        1 => What::Link("nowhere".to_owned()),
        2 => What::Link("1".to_owned()),
        3 => What::Link("package.yaml".to_owned()),
        4 => What::Link("../bar".to_owned()),
        5 => What::File,
        6 => What::Directory,
        _ if directories => What::Directory,
        _ => What::File,
    }
}

/// As many of the names as the dice say, in a directory.
fn fill(tree: &mut Tree, dice: &mut Dice, parent: &[u8], names: &[&[u8]], most: usize) {
    for _ in 0..dice.roll(most + 1) {
        let name = dice.pick(names);
        if name == b".." {
            continue;
        }
        let is_version = !parent.is_empty() && !parent.contains(&b'/');
        let directories = parent.is_empty() || (is_version && !name.starts_with(b".ignore"));
        let path = if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() };
        let mut kind = what(dice, directories && !name.starts_with(b"package"));
        if name == b"settings.yaml" {
            // rez fails on anything else.
            kind = What::File;
        }
        let is_directory = kind == What::Directory;
        tree.push((Name(path.clone()), kind));
        if is_directory {
            match is_version {
                true => fill(tree, dice, &path, VERSION, 3),
                false if parent.is_empty() => fill(tree, dice, &path, FAMILY, 9),
                false => {}
            }
        }
    }
}

/// Names of definition files: one, several, the same twice, none, and whatever else a user may set.
const FILENAMES: [&[&str]; 12] = [
    &["package"],
    &["package"],
    &["package"],
    &["pkg", "package"],
    &["package", "pkg"],
    &["pkg"],
    &["pkg", "other"],
    &["package", "package"],
    &["PACKAGE", "pkg"],
    &["1/package", "package"],
    &["package.py", ""],
    &[],
];

fn rules(dice: &mut Dice) -> Rules {
    Rules {
        package_filenames: FILENAMES[dice.roll(FILENAMES.len())]
            .iter()
            .map(ToString::to_string)
            .collect(),
        check_package_definition_files: dice.once_in(2),
        allow_unversioned_packages: !dice.once_in(4),
        file_lock_dir: [None, None, Some(".lock"), Some("locks"), Some("foo.py")][dice.roll(5)]
            .map(ToOwned::to_owned),
    }
}

impl Case {
    /// A repository, and what is added and what goes later: whatever is not a definition in a version,
    /// the one change that an index is allowed to miss.
    fn random(dice: &mut Dice) -> Self {
        let mut tree = Tree::new();
        fill(&mut tree, dice, b"", ROOT, 24);
        let mut added = Tree::new();
        fill(&mut added, dice, b"", ROOT, 2);
        for (Name(name), _) in tree.iter().filter(|(_, what)| *what == What::Directory) {
            let below = [name, &b"/"[..]].concat();
            match name.iter().filter(|byte| **byte == b'/').count() {
                0 => fill(&mut added, dice, name, FAMILY, 2),
                1 if tree.iter().all(|(Name(other), _)| !other.starts_with(&below)) => {
                    fill(&mut added, dice, name, VERSION, 2);
                }
                _ => {}
            }
        }
        let names = tree.iter().map(|(name, _)| name);
        let high = names.filter(|name| name.0.iter().filter(|byte| **byte == b'/').count() < 2);
        let removed = high.filter(|_| dice.once_in(12)).cloned().collect();
        Self { settings: settings(&rules(dice)), tree, added, removed }
    }

    fn rules(&self) -> Rules {
        (&serde_json::from_value::<RezSettings>(self.settings.clone()).unwrap()).into()
    }

    fn change(&self, repository: &Path) {
        make(repository, &self.added);
        for Name(name) in &self.removed {
            let path = at(repository, name);
            match path.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).unwrap(),
                Ok(_) => fs::remove_file(path).unwrap(),
                // It went along with its directory, or a link was in the way of it.
                Err(_) => {}
            }
        }
    }
}

#[test]
fn generated_repositories_are_enumerated_as_rez_does_also_from_an_index_and_after_changes() {
    let place = in_memory();
    let index = Options { index: Some(place.path().join("index")), ..Options::default() };
    let fixtures = Fixtures::of("repositories");
    let mut dice = Dice::new(41);
    let cases: Vec<Case> = fixtures.and((0..REPOSITORIES).map(|_| Case::random(&mut dice)));
    let asked: Vec<(PathBuf, Rules)> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| (place.path().join(number.to_string()), case.rules()))
        .collect();
    for (case, (repository, _)) in cases.iter().zip(&asked) {
        make(repository, &case.tree);
        settle(repository);
    }
    let compare = |when: &str, ways: &[(&str, &Options)]| {
        for version in VERSIONS {
            let answers = ask(version, &asked);
            let packages: usize = answers.iter().map(Vec::len).sum();
            assert!(packages > 3 * REPOSITORIES, "{packages} packages are too few to compare");
            for ((case, (repository, rules)), theirs) in cases.iter().zip(&asked).zip(answers) {
                for (way, options) in ways {
                    let found = ours(&scan(repository, rules, options));
                    let about = format!("rez {version}, {when}, {way}");
                    fixtures.check(case, || assert_same(found, theirs.clone(), rules, &about));
                }
            }
        }
    };
    let fresh = without_index();
    compare("as made", &[("without index", &fresh), ("first", &index), ("again", &index)]);
    for (case, (repository, _)) in cases.iter().zip(&asked) {
        case.change(repository);
    }
    compare("changed", &[("with the index from before", &index), ("without index", &fresh)]);
}
