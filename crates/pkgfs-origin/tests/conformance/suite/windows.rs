//! What is of Windows alone: sharing, names, access lists.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    os::windows::{ffi::OsStringExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use pkgfs_manifest::{Kind, os_name};
use pkgfs_origin::{ACL_XATTR, Cause, LinkBounds, Rest, backend::Backend};

use super::Seen;
use crate::harness::{empty, file, noise, scratch, state};

/// `ERROR_SHARING_VIOLATION`.
const SHARED_WITH_NOBODY: i32 = 32;

pub fn a_file_that_another_keeps_to_himself_is_neither_missing_nor_changed(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", noise(10));
    let is = state(&path);
    let kept = OpenOptions::new().read(true).write(true).share_mode(0).open(&path).unwrap();
    let on = &Seen::default();
    let causes = [
        backend.read(&path, 100, on).unwrap_err().cause,
        backend.fetch(&path, is, &empty(), Rest::AtOnce, on).unwrap_err().cause,
    ];
    assert_eq!(causes, [Cause::Io(SHARED_WITH_NOBODY); 2]);
    // It is listed all the same.
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    let listing = backend.list(root.path(), &bounds, on).unwrap();
    assert_eq!(listing.entries()[0].attributes.size, 10);
    drop(kept);
    assert_eq!(backend.read(&path, 100, on).unwrap().0.len(), 10);
}

pub fn whoever_reads_keeps_nobody_from_anything(backend: &dyn Backend) {
    /// Deletes, renames and writes what is being copied.
    struct Meddler<'a>(&'a Path);
    impl pkgfs_origin::backend::Observer for Meddler<'_> {
        fn count(&self, _: pkgfs_origin::backend::Operation) {}
        fn placed(&self, _: &[std::ops::Range<u64>]) {
            let to = self.0.with_extension("moved");
            if fs::rename(self.0, &to).is_ok() {
                OpenOptions::new().append(true).open(&to).unwrap();
                fs::remove_file(&to).unwrap();
            }
        }
        fn is_cancelled(&self) -> bool {
            false
        }
    }
    let root = scratch();
    let path = file(root.path(), "f", noise(16 << 20));
    let is = state(&path);
    // It may come to its end all the same: what is open is read.
    _ = backend.fetch(&path, is, &empty(), Rest::AtOnce, &Meddler(&path));
    assert!(!path.exists());
}

pub fn a_missing_drive_or_share_is_never_a_missing_file(backend: &dyn Backend) {
    let on = &Seen::default();
    for path in [r"Q:\sw\pkg\foo", r"Q:\", r"\\no.such.server.invalid\share\sw\pkg"] {
        let path = Path::new(path);
        let bounds = LinkBounds::of_variant(path.into(), vec![]);
        for cause in [
            backend.stat(path, on).unwrap_err().cause,
            backend.names(path, on).unwrap_err().cause,
            backend.canonical(path, on).unwrap_err().cause,
            backend.list(path, &bounds, on).unwrap_err().cause,
            backend.read(path, 10, on).unwrap_err().cause,
        ] {
            assert!(matches!(cause, Cause::Io(_)), "{}: {cause:?}", path.display());
        }
    }
}

pub fn names_of_any_kind_and_long_paths_are_listed_and_fetched(backend: &dyn Backend) {
    let root = scratch();
    // A lone half of a pair is a name, too; not where names lie on another system (Wine).
    let lone = OsString::from_wide(&[0xd800, u16::from(b'x')]);
    let lone = fs::write(root.path().join(&lone), "").is_ok().then_some(lone);
    let names = [
        "Grüße 日本".into(),
        "UPPER and lower".into(),
        // What would be something else, were the path not given in full.
        "ends in a dot.".into(),
    ];
    let names: Vec<OsString> = names.into_iter().chain(lone).collect();
    let mut dir = PathBuf::from(root.path());
    for _ in 0..8 {
        dir.push("n".repeat(60));
    }
    let verbatim = PathBuf::from(format!(r"\\?\{}", dir.display()));
    fs::create_dir_all(&verbatim).unwrap();
    for name in &names {
        fs::write(verbatim.join(name), "content").unwrap();
    }
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    let listing = backend.list(&dir, &bounds, &Seen::default()).unwrap();
    for name in &names {
        let index = listing.find(os_name::bytes_of(name)).expect("it is listed");
        let entry = &listing.entries()[index];
        assert_eq!((&entry.kind, entry.attributes.size), (&Kind::File, 7));
        let is = entry.attributes.state();
        let path = dir.join(name);
        backend.fetch(&path, is, &empty(), Rest::AtOnce, &Seen::default()).unwrap();
    }
    // Wine resolves no long ones.
    let found = backend.canonical(root.path(), &Seen::default()).unwrap();
    assert!(!found.to_string_lossy().starts_with(r"\\?"), "{}", found.display());
    assert_eq!(
        found.metadata().unwrap().modified().ok(),
        root.path().metadata().unwrap().modified().ok()
    );
}

pub fn an_access_list_is_told_where_it_is_asked_for(backend: &dyn Backend) {
    let root = scratch();
    let path = file(root.path(), "f", "");
    let on = &Seen::default();
    assert!(backend.xattrs(&path, false, on).unwrap().is_empty());
    for path in [&*path, root.path()] {
        let found = backend.xattrs(path, true, on).unwrap();
        let [(name, descriptor)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(&**name, ACL_XATTR.as_bytes());
        // Revision 1, self-relative (`SE_SELF_RELATIVE`), and with a discretionary list
        // (`SE_DACL_PRESENT`): "SECURITY_DESCRIPTOR_CONTROL".
        let control = u16::from_le_bytes([descriptor[2], descriptor[3]]);
        assert_eq!((descriptor[0], control & 0x8004), (1, 0x8004));
    }
}

pub fn all_may_read_and_what_ends_as_programs_do_runs(backend: &dyn Backend) {
    let root = scratch();
    for name in ["tool.EXE", "run.bat", "lib.dll", "data"] {
        file(root.path(), name, "");
    }
    file(root.path(), "dir.exe/x", "");
    let bounds = LinkBounds::of_variant(root.path().into(), vec![]);
    let listing = backend.list(root.path(), &bounds, &Seen::default()).unwrap();
    let shown = listing
        .entries()
        .iter()
        .map(|entry| (String::from_utf8(entry.name.to_vec()).unwrap(), entry.attributes.mode));
    let expected = [
        ("data", 0o444),
        ("dir.exe", 0o555),
        ("lib.dll", 0o444),
        ("run.bat", 0o555),
        ("tool.EXE", 0o555),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected.map(|(name, mode)| (name.to_owned(), mode)));
}
