//! Trees to be made on disk: what a generated or a pinned case consists of.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde::{Deserialize, Serialize};

/// What a name is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    Directory,
    File,
    Fifo,
    /// A link to what is named, from the link's directory.
    Link(String),
}

/// A name, which need not be text. A file has it with its bytes as Latin-1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct Name(pub(crate) Vec<u8>);

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(text.chars().map(|character| u8::try_from(character).unwrap()).collect())
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into_iter().map(char::from).collect()
    }
}

/// Names and what they are, parents first, relative to the repository. Of two of one name the first
/// counts, and what lies below anything but a directory is left out.
pub(crate) type Tree = Vec<(Name, What)>;

/// A tree from text: a line a name, with `/` behind a directory, `|` behind a fifo, ` -> ` before the
/// target of a link.
pub(crate) fn parse(text: &str) -> Tree {
    let named = |name: &str| Name(name.into());
    let line = |line: &str| {
        if let Some((name, target)) = line.split_once(" -> ") {
            return (named(name), What::Link(target.to_owned()));
        }
        match (line.strip_suffix('/'), line.strip_suffix('|')) {
            (Some(name), _) => (named(name), What::Directory),
            (_, Some(name)) => (named(name), What::Fifo),
            _ => (named(line), What::File),
        }
    };
    text.lines().map(str::trim).filter(|text| !text.is_empty()).map(line).collect()
}

pub(crate) fn at(repository: &Path, name: &[u8]) -> PathBuf {
    repository.join(OsStr::from_bytes(name))
}

/// Adds a tree to a repository.
pub(crate) fn make(repository: &Path, tree: &Tree) {
    fs::create_dir_all(repository).unwrap();
    for (Name(name), what) in tree {
        let path = at(repository, name);
        let is_in_directory =
            path.parent().unwrap().symlink_metadata().is_ok_and(|parent| parent.is_dir());
        if !is_in_directory || path.symlink_metadata().is_ok() {
            continue;
        }
        match what {
            What::Directory => fs::create_dir(path).unwrap(),
            // rez loads this one, which must then be a mapping.
            What::File if name == b"settings.yaml" => fs::write(path, "{}").unwrap(),
            What::File => fs::write(path, "").unwrap(),
            What::Link(target) => symlink(target, path).unwrap(),
            What::Fifo => {
                mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
            }
        }
    }
}

/// Sets back the times of all directories, so that they are old enough to be relied on.
pub(crate) fn settle(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            settle(&entry.path());
        }
    }
    set_back(directory, Duration::from_secs(3600));
}

/// Sets a file's or a directory's modification time to so long ago.
pub(crate) fn set_back(path: &Path, age: Duration) {
    fs::File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}
