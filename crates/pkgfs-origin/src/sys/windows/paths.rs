//! Paths are compared without regard to case, and given to the system in its verbatim form.
//!
//! The verbatim form (`\\?\C:\dir`, `\\?\UNC\server\share\dir`) has no length limit and is taken as
//! it is: names that end in a dot or are a device's are names ("Naming Files, Paths, and
//! Namespaces"). The core's own form is the plain one, which users and rez write.

use std::{
    ffi::{OsStr, OsString},
    path::{Component, Path, PathBuf, Prefix},
};

/// What of `path` lies below `root`, or nothing where it is `root`.
pub(crate) fn below<'a>(path: &'a Path, root: &Path) -> Option<&'a Path> {
    let mut rest = path.components();
    for part in root.components() {
        if !is_same(rest.next()?.as_os_str(), part.as_os_str()) {
            return None;
        }
    }
    Some(rest.as_path())
}

/// Whether two names are one to Windows, which compares their 16-bit units in capitals. Letters
/// that have no single capital are compared as they are.
pub(crate) fn is_same(one: &OsStr, other: &OsStr) -> bool {
    if one == other {
        return true;
    }
    let (Some(one), Some(other)) = (one.to_str(), other.to_str()) else { return false };
    one.chars().map(capital).eq(other.chars().map(capital))
}

fn capital(letter: char) -> char {
    let mut capitals = letter.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => capital,
        _ => letter,
    }
}

/// The form in which the system takes a path of any length with any names.
pub(crate) fn verbatim(path: &Path) -> PathBuf {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if path.is_absolute() && !climbs {
        // As it is: names come from listings of origin, and what the system would make of them
        // otherwise are other names.
        return lengthened(path);
    }
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| lengthened(&path))
}

fn lengthened(path: &Path) -> PathBuf {
    let mut parts = path.components();
    let Some(Component::Prefix(prefix)) = parts.next() else { return path.to_owned() };
    let mut verbatim = OsString::from(r"\\?\");
    match prefix.kind() {
        Prefix::Disk(_) => verbatim.push(prefix.as_os_str()),
        Prefix::UNC(server, share) => {
            verbatim.push(r"UNC\");
            verbatim.push(server);
            verbatim.push(r"\");
            verbatim.push(share);
        }
        _ => return path.to_owned(),
    }
    verbatim.push(r"\");
    let mut verbatim = PathBuf::from(verbatim);
    verbatim.extend(parts.filter(|part| matches!(part, Component::Normal(_))));
    verbatim
}

/// The form that users write, of what may be in the system's.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut parts = path.components();
    let Some(Component::Prefix(prefix)) = parts.next() else { return path.to_owned() };
    let mut plain = OsString::new();
    match prefix.kind() {
        Prefix::VerbatimDisk(letter) => plain.push(format!("{}:", letter as char)),
        Prefix::VerbatimUNC(server, share) => {
            plain.push(r"\\");
            plain.push(server);
            plain.push(r"\");
            plain.push(share);
        }
        _ => return path.to_owned(),
    }
    plain.push(parts.as_path());
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_a_verbatim_form_and_come_back() {
        for (path, form) in [
            (r"C:\", r"\\?\C:\"),
            (r"c:\sw\Pkg", r"\\?\c:\sw\Pkg"),
            (r"\\server\share\dir", r"\\?\UNC\server\share\dir"),
            (r"\\server\share\", r"\\?\UNC\server\share\"),
            (r"c:\sw\ends in a dot.", r"\\?\c:\sw\ends in a dot."),
            (r"c:\sw\aux\nul.py", r"\\?\c:\sw\aux\nul.py"),
        ] {
            assert_eq!(verbatim(Path::new(path)), Path::new(form));
            assert_eq!(plain(Path::new(form)), Path::new(path));
        }
        assert_eq!(verbatim(Path::new("c:/sw/./pkg/../x")), Path::new(r"\\?\c:\sw\x"));
        assert_eq!(verbatim(Path::new(r"\\?\c:\sw")), Path::new(r"\\?\c:\sw"));
    }

    #[test]
    fn what_lies_below_is_found_in_any_case_and_name_by_name() {
        let root = Path::new(r"c:\sw\pkg");
        for (path, rest) in [
            (r"C:\SW\Pkg\Foo\1.0", Some(r"Foo\1.0")),
            (r"c:\sw\pkg", Some("")),
            (r"c:\sw\pkg2\foo", None),
            (r"d:\sw\pkg\foo", None),
            (r"\\sw\pkg\foo", None),
        ] {
            assert_eq!(below(Path::new(path), root), rest.map(Path::new), "{path}");
        }
        assert!(is_same("STRASSE".as_ref(), "strasse".as_ref()));
        assert!(is_same("Übung".as_ref(), "üBUNG".as_ref()));
        assert!(!is_same("Straße".as_ref(), "STRASSE".as_ref()));
    }
}
