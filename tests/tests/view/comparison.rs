//! What differs between a payload in the view and its source.
//!
//! Three judges: `diff -r` and a checksumming `rsync -n`, as any user would compare, and a walk
//! of our own that looks at what those do not (kinds in listings, device numbers, sizes of
//! links, attribute values). All are told of the one difference there must be: no write bits.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use pkgfs_tests::Ran;

use crate::tree::SPECIAL;

const WRITE_BITS: u32 = 0o222;

/// Differences found by the walk, one a line, the root's own attributes left out: those are the
/// registry's, so that rez may chmod and rename it.
pub(crate) fn walk(source: &Path, shown: &Path) -> Vec<String> {
    let mut found = Vec::new();
    directory(source, shown, &mut found);
    found
}

fn directory(source: &Path, shown: &Path, found: &mut Vec<String>) {
    let (ours, theirs) = (names(source), names(shown));
    for name in theirs.keys().filter(|name| !ours.contains_key(*name)) {
        found.push(format!("{} has {name:?} too much", shown.display()));
    }
    for (name, kind) in &ours {
        let (source, shown) = (source.join(name), shown.join(name));
        match theirs.get(name) {
            None => found.push(format!("{} is missing", shown.display())),
            Some(theirs) if theirs != kind => {
                found.push(format!("{} is listed as {theirs:?}, not {kind:?}", shown.display()));
            }
            Some(_) => entry(&source, &shown, found),
        }
    }
}

/// Names with the kinds that the listing itself tells.
fn names(directory: &Path) -> BTreeMap<OsString, fs::FileType> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let mut names = BTreeMap::new();
    for entry in entries {
        let twice = names.insert(entry.file_name(), entry.file_type().unwrap());
        assert!(twice.is_none(), "{:?} is listed twice", entry.path());
    }
    names
}

fn entry(source: &Path, shown: &Path, found: &mut Vec<String>) {
    let (ours, theirs) = (fs::symlink_metadata(source).unwrap(), fs::symlink_metadata(shown));
    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(error) => return found.push(format!("{}: {error}", shown.display())),
    };
    let mut differ = |what: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
        found.push(format!("{}: {what} is {theirs:?}, not {ours:?}", shown.display()));
    };
    let expected = if ours.is_symlink() { ours.mode() } else { ours.mode() & !WRITE_BITS };
    if theirs.mode() != expected {
        differ("type and mode", &format!("{expected:o}"), &format!("{:o}", theirs.mode()));
    }
    for (what, of) in VALUES {
        if of(&ours) != of(&theirs) {
            differ(what, &of(&ours), &of(&theirs));
        }
    }
    if ours.is_symlink() {
        let (ours, theirs) = (fs::read_link(source).unwrap(), fs::read_link(shown).unwrap());
        if ours != theirs {
            differ("target", &ours, &theirs);
        }
    } else if ours.is_file() || ours.is_dir() {
        let (ours, theirs) = (xattrs(source), xattrs(shown));
        if ours != theirs {
            differ("xattrs", &ours, &theirs);
        }
    }
    if ours.is_file() && fs::read(source).unwrap() != fs::read(shown).unwrap() {
        found.push(format!("{}: content differs", shown.display()));
    }
    if ours.is_dir() {
        directory(source, shown, found);
    }
}

type Value = fn(&Metadata) -> i64;

/// What must be the same besides type and mode, by name.
const VALUES: [(&str, Value); 6] = [
    ("size", |of| if of.is_dir() { 0 } else { of.size() as i64 }),
    ("owner", |of| of.uid().into()),
    ("group", |of| of.gid().into()),
    ("mtime", MetadataExt::mtime),
    ("nanoseconds of mtime", MetadataExt::mtime_nsec),
    ("device number", |of| {
        let is_device = of.file_type().is_char_device() || of.file_type().is_block_device();
        if is_device { of.rdev() as i64 } else { 0 }
    }),
];

/// User attributes of a file or directory.
fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 65_536];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Err(rustix::io::Errno::NOTSUP) => 0,
        length => length.unwrap(),
    };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user."));
    names
        .map(|name| {
            let mut value = vec![0; 65_536];
            let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            value.truncate(length);
            (String::from_utf8(name.to_vec()).unwrap(), value)
        })
        .collect()
}

/// What `diff -r` says. It cannot compare what is neither file, directory nor link.
pub(crate) fn diff(source: &Path, shown: &Path) -> String {
    let mut command = Command::new("diff");
    command.args(["-r", "--no-dereference", "--exclude", SPECIAL]).arg(source).arg(shown);
    let ran = Ran::new(&mut command);
    assert!(ran.code == Some(0) || !ran.out.is_empty(), "diff failed: {}", ran.err);
    ran.out
}

/// What rsync would change in `shown` to make it `source` less every write bit: content by
/// checksum, times to the nanosecond, owners, modes, devices, user attributes.
pub(crate) fn rsync(source: &Path, shown: &Path) -> Vec<String> {
    let mut command = Command::new("rsync");
    command.args(["--dry-run", "--archive", "--xattrs", "--checksum", "--itemize-changes"]);
    command.args(["--delete", "--modify-window=-1", "--chmod=ugo-w", "--numeric-ids"]);
    // Ends with a slash: the content, not the directory.
    command.arg(source.join("")).arg(shown.join(""));
    let said = Ran::new(&mut command).good().out;
    // The first line is about the root itself.
    said.lines().filter(|line| !line.ends_with(" ./")).map(ToOwned::to_owned).collect()
}
