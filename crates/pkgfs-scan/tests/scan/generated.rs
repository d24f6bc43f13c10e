//! Repositories by chance: every feature, hostile names, and what happens to them later.

use std::{fs, path::PathBuf};

use pkgfs_scan::{Options, Rules};

use crate::{
    dice::Dice,
    oracle::{VERSIONS, ask, assert_same, in_memory, ours, scan, without_index},
    tree::{Tree, What, at, make, settle},
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

/// Mostly directories where `directories`, mostly files elsewhere.
fn what(dice: &mut Dice, directories: bool) -> What {
    match dice.roll(16) {
        0 => What::Fifo,
        1 => What::Link("nowhere"),
        2 => What::Link("1"),
        3 => What::Link("package.yaml"),
        4 => What::Link("../bar"),
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
        tree.push((path.clone(), kind));
        if kind == What::Directory {
            match is_version {
                true => fill(tree, dice, &path, VERSION, 3),
                false if parent.is_empty() => fill(tree, dice, &path, FAMILY, 9),
                false => {}
            }
        }
    }
}

fn rules(dice: &mut Dice) -> Rules {
    let names: [&[&str]; 5] =
        [&["package"], &["package"], &["pkg", "package"], &["pkg"], &["package", "pkg"]];
    Rules {
        package_filenames: names[dice.roll(5)].iter().map(ToString::to_string).collect(),
        check_package_definition_files: dice.once_in(2),
        allow_unversioned_packages: !dice.once_in(4),
        file_lock_dir: [None, None, Some(".lock"), Some("locks"), Some("foo.py")][dice.roll(5)]
            .map(ToOwned::to_owned),
    }
}

/// Later, something is added, and something goes: whatever is not a definition in a version, the
/// one change that an index is allowed to miss.
fn change(dice: &mut Dice, repository: &std::path::Path, tree: &Tree) {
    let mut more = Tree::new();
    fill(&mut more, dice, b"", ROOT, 2);
    for (name, _) in tree.iter().filter(|(_, what)| *what == What::Directory) {
        match name.iter().filter(|byte| **byte == b'/').count() {
            0 => fill(&mut more, dice, name, FAMILY, 2),
            1 if fs::read_dir(at(repository, name)).is_ok_and(|entries| entries.count() == 0) => {
                fill(&mut more, dice, name, VERSION, 2);
            }
            _ => {}
        }
    }
    make(repository, &more);
    for (name, _) in tree.iter().filter(|(name, _)| name.iter().filter(|b| **b == b'/').count() < 2)
    {
        let path = at(repository, name);
        if dice.once_in(12) && path.symlink_metadata().is_ok() {
            match path.symlink_metadata().unwrap().is_dir() {
                true => fs::remove_dir_all(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            }
        }
    }
}

#[test]
fn generated_repositories_are_enumerated_as_rez_does_also_from_an_index_and_after_changes() {
    let place = in_memory();
    let index = Options { index: Some(place.path().join("index")), ..Options::default() };
    let mut dice = Dice::new(41);
    let mut cases: Vec<(PathBuf, Rules)> = Vec::new();
    let mut trees = Vec::new();
    for number in 0..REPOSITORIES {
        let repository = place.path().join(number.to_string());
        let mut tree = Tree::new();
        fill(&mut tree, &mut dice, b"", ROOT, 24);
        make(&repository, &tree);
        settle(&repository);
        cases.push((repository, rules(&mut dice)));
        trees.push(tree);
    }
    let compare = |when: &str, ways: &[(&str, &Options)]| {
        for version in VERSIONS {
            let answers = ask(version, &cases);
            let packages: usize = answers.iter().map(Vec::len).sum();
            assert!(packages > 3 * REPOSITORIES, "{packages} packages are too few to compare");
            for (((repository, rules), theirs), tree) in cases.iter().zip(answers).zip(&trees) {
                for (way, options) in ways {
                    let found = ours(&scan(repository, rules, options));
                    let shown = |(name, what): &(Vec<u8>, What)| {
                        format!("{} {what:?}", name.escape_ascii())
                    };
                    let tree: Vec<_> = tree.iter().map(shown).collect();
                    let about = format!("rez {version}, {when}, {way}: {}", tree.join("\n"));
                    assert_same(found, theirs.clone(), rules, &about);
                }
            }
        }
    };
    let fresh = without_index();
    compare("as made", &[("without index", &fresh), ("first", &index), ("again", &index)]);
    for ((repository, _), tree) in cases.iter().zip(&trees) {
        change(&mut dice, repository, tree);
    }
    compare("changed", &[("with the index from before", &index), ("without index", &fresh)]);
}
