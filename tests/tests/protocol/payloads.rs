//! Payloads that tests release, and what is known of a mount.

use std::fs;
use std::path::Path;

use pkgfs_tests::{MountOptions, Mounted, Tree};

/// A small tree with modes to be lost: write bits, and an executable.
pub(crate) fn small(root: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(root.join("python/tool")).unwrap();
    fs::write(root.join("python/tool/__init__.py"), "VERSION = 1\n").unwrap();
    fs::write(root.join("python/tool/data.bin"), vec![7; 70_000]).unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join("run"), "#!/bin/sh\necho run\n").unwrap();
    fs::set_permissions(root.join("run"), fs::Permissions::from_mode(0o775)).unwrap();
}

/// Every name, mode (less write bits), time and byte of the payload is the original's.
pub(crate) fn assert_same(original: &Path, payload: &Path) {
    let expected = Tree::of(original).unwrap().as_payload();
    let shown = Tree::of(payload).unwrap().as_payload();
    assert_eq!(shown.difference(&expected), None, "{}", payload.display());
}

/// How many variants are ready.
pub(crate) fn ready(mounted: &Mounted) -> u64 {
    mounted.view()["registrations"]["ready"].as_u64().unwrap()
}

/// What `status` tells of problems.
pub(crate) fn problems(mounted: &Mounted) -> Vec<String> {
    let view = mounted.view();
    let all = view["problems"].as_array().unwrap();
    all.iter().map(|problem| problem["text"].as_str().unwrap().to_owned()).collect()
}

/// A mount that serves no look-up.
pub(crate) fn pending_only() -> MountOptions {
    MountOptions { serves_look_ups: false, ..MountOptions::default() }
}

/// A mount that registers nothing by itself.
pub(crate) fn left_to_rez() -> MountOptions {
    let configuration = "[registration]\non_pending = false\non_lookup = false\n".to_owned();
    MountOptions { serves_look_ups: false, configuration, ..MountOptions::default() }
}
