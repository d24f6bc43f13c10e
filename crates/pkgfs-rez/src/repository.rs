//! How rez enumerates a repository of files: which names are families, which are versions.
//!
//! The rules of `FileSystemPackageRepository` (rezplugins/package_repository/filesystem.py), as
//! functions of names and kinds. Names are bytes: rez sees those that are not UTF-8 too, and yields
//! them as versions. Kinds are those behind links, as `os.path.isdir` and `os.path.isfile` tell them.
//!
//! rez 2.112 and 3.4 have the same rules.

use std::collections::HashSet;

use crate::{definition::Format, names};

/// Settings of the repository; never a family.
pub const SETTINGS_FILE: &[u8] = b"settings.yaml";
/// `<prefix>V`, a file, hides the version V.
pub const IGNORE_PREFIX: &[u8] = b".ignore";
/// `<prefix>V` marks the version V as being built.
pub const BUILDING_PREFIX: &[u8] = b".building";
/// The definition that decides whether a version is really one, whatever `package_filenames` says
/// (`_is_valid_package_directory`).
pub const PACKAGE: &str = "package";
/// The formats of definition files, in the order in which rez looks for them (`_get_file`).
pub const FORMATS: [Format; 2] = [Format::Python, Format::Yaml];

/// The family that a directory of this name in the root is.
pub fn directory_family(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?;
    names::is_valid_package_name(name).then_some(name)
}

/// The combined family (all versions in one file) that anything but a directory of this name is.
pub fn combined_family(name: &[u8]) -> Option<(&str, Format)> {
    let name = std::str::from_utf8(name).ok()?;
    let format = Format::of_file(name)?;
    let stem = name.strip_suffix(format.extension())?.strip_suffix('.')?;
    names::is_valid_package_name(stem).then_some((stem, format))
}

/// What an entry leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `os.path.isdir`
    Directory,
    /// `os.path.isfile`
    File,
    /// Anything else, a link to nothing included.
    Other,
}

/// Whether the kind of an entry of a family's directory can make a difference to [`versions`]. That of
/// another need not be found out.
pub fn is_version_name(name: &[u8]) -> bool {
    [IGNORE_PREFIX, BUILDING_PREFIX].iter().any(|prefix| name.starts_with(prefix))
        || !name.starts_with(b".")
}

/// A directory that rez takes for a version, provided it holds what it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionDirectory {
    /// Which of the entries it is.
    pub entry: usize,
    /// Whether it counts only with a definition named [`PACKAGE`] in it.
    pub needs_package: bool,
}

/// The versions among the entries of a family's directory, in their order (`_get_version_dirs`).
/// With `check` (the setting `check_package_definition_files`) each needs a definition, and marks of
/// building say nothing; without it, those that are marked do.
///
/// rez yields versions in this order with `check`; without it their order is that of a Python `set`,
/// another one in each process.
pub fn versions(entries: &[(&[u8], Kind)], check: bool) -> Vec<VersionDirectory> {
    let after = |prefix: &'static [u8]| {
        entries.iter().filter_map(move |(name, kind)| Some((name.strip_prefix(prefix)?, *kind)))
    };
    let ignored: HashSet<&[u8]> = after(IGNORE_PREFIX)
        .filter(|(_, kind)| *kind == Kind::File)
        .map(|(name, _)| name)
        .collect();
    let building: HashSet<&[u8]> = match check {
        true => HashSet::new(),
        false => after(BUILDING_PREFIX).map(|(name, _)| name).collect(),
    };
    let is_version = |(_, (name, kind)): &(usize, &(&[u8], Kind))| {
        // rez skips hidden names, but not a directory that looks like a mark of building.
        let seen = !name.starts_with(b".") || (!check && name.starts_with(BUILDING_PREFIX));
        seen && *kind == Kind::Directory && !ignored.contains(name)
    };
    let versions = entries.iter().enumerate().filter(is_version);
    versions
        .map(|(entry, (name, _))| VersionDirectory {
            entry,
            needs_package: check || building.contains(name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_directories_with_a_package_name_and_files_with_one_before_their_extension() {
        assert_eq!(directory_family(b"foo.py"), Some("foo.py"));
        assert_eq!(directory_family(b"foo-bar"), None);
        assert_eq!(directory_family(b"\xff"), None);
        assert_eq!(combined_family(b"a.b.yaml"), Some(("a.b", Format::Yaml)));
        assert_eq!(combined_family(b"foo.py"), Some(("foo", Format::Python)));
        for name in [&b".py"[..], b"..py", b"foo", b"foo.txt", b"foo.PY", b"__pycache__.py"] {
            assert_eq!(combined_family(name), None, "{}", name.escape_ascii());
        }
    }

    fn shown<'a>(entries: &[(&'a [u8], Kind)], check: bool) -> Vec<(&'a [u8], bool)> {
        let found = versions(entries, check);
        found.iter().map(|version| (entries[version.entry].0, version.needs_package)).collect()
    }

    #[test]
    fn files_that_ignore_hide_and_marks_of_building_ask_for_a_definition() {
        let entries: &[(&[u8], Kind)] = &[
            (b"2", Kind::Directory),
            (b".building2", Kind::Other),
            (b".ignore1", Kind::File),
            (b"1", Kind::Directory),
            (b".ignore3", Kind::Directory),
            (b"3", Kind::Directory),
            (b".building4", Kind::Directory),
            (b".hidden", Kind::Directory),
            (b"file", Kind::File),
        ];
        let expected: &[(&[u8], bool)] = &[(b"2", true), (b"3", false), (b".building4", false)];
        assert_eq!(shown(entries, false), expected);
        assert_eq!(shown(entries, true), [(&b"2"[..], true), (b"3", true)]);
    }
}
