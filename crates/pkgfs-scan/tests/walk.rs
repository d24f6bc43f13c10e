//! What a scan finds on any system, without a rez to compare with.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path};

use pkgfs_scan::{Options, Part, Repository, Rules, scan};

fn make(repository: &Path, files: &[&str]) {
    for file in files {
        let path = repository.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
}

/// Families, versions and names of definitions, sorted.
fn found(repository: &Repository) -> Vec<String> {
    let mut found: Vec<_> = repository
        .packages
        .iter()
        .map(|package| {
            let version = package.version.as_ref().map(|version| version.to_str().unwrap());
            let file = package.definition.as_ref().map(|file| file.path.file_name().unwrap());
            let file = file.map_or("none", |file| file.to_str().unwrap());
            format!("{} {} {file}", package.family, version.unwrap_or("-"))
        })
        .collect();
    found.sort();
    found
}

fn read(repository: &Path, options: &Options) -> Repository {
    scan(&[repository.to_owned()], &Rules::default(), options).repositories.remove(0)
}

#[test]
fn families_and_versions_are_found_with_their_definitions() {
    let dir = tempfile::tempdir().unwrap();
    make(
        dir.path(),
        &[
            "numpy/2.2.6/package.py",
            "numpy/2.3.0/package.yaml",
            "numpy/2.3.0/python/numpy/__init__.py",
            "tool/package.py",
            "whole.py",
            "notes.txt",
        ],
    );
    let repository = read(dir.path(), &Options { index: None, ..Options::default() });
    assert_eq!(repository.problems, []);
    let expected = ["numpy 2.2.6 package.py", "numpy 2.3.0 package.yaml"];
    assert_eq!(found(&repository)[..2], expected);
    assert_eq!(found(&repository)[2..], ["tool - package.py", "whole - whole.py"]);
}

#[cfg(windows)]
#[test]
fn a_definition_is_found_whatever_the_case_of_its_name() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &["foo/1/Package.PY", "tool/PACKAGE.yaml"]);
    let repository = read(dir.path(), &Options { index: None, ..Options::default() });
    assert_eq!(found(&repository), ["foo 1 package.py", "tool - package.yaml"]);
}

#[test]
fn a_repository_that_is_not_there_or_a_file_is_a_problem_in_words() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for (name, reason) in [
        ("none", "the repository does not exist"),
        ("file", "a repository is a directory, not a file"),
    ] {
        let options = Options { index: None, ..Options::default() };
        let repository = read(&dir.path().join(name), &options);
        assert_eq!(repository.problems.len(), 1);
        assert_eq!(repository.problems[0].part, Part::Repository);
        assert_eq!(repository.problems[0].reason(), reason);
        assert_eq!(repository.problems[0].is_absence(), name == "none");
    }
}

#[test]
fn what_the_index_holds_is_told_until_its_directory_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, index) = (dir.path().join("repository"), dir.path().join("index"));
    let options = Options { index: Some(index.clone()), ..Options::default() };
    make(&repository, &["foo/1/package.py"]);
    assert_eq!(found(&read(&repository, &options)), ["foo 1 package.py"]);
    assert_eq!(fs::read_dir(&index).unwrap().count(), 1);
    assert_eq!(found(&read(&repository, &options)), ["foo 1 package.py"]);
    make(&repository, &["foo/2/package.py"]);
    assert_eq!(found(&read(&repository, &options)), ["foo 1 package.py", "foo 2 package.py"]);
}
