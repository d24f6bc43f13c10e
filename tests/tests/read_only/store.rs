//! The store's side of it: blobs are what their names say, and nobody else's.

use std::fs;
use std::os::unix::fs::MetadataExt;

use pkgfs_tests::{Mounted, eventually};

/// Waits until all that was read is kept.
pub(crate) fn holds_all(mounted: &Mounted) {
    // Bytes: what is empty needs no fetching.
    let amount = |view: &serde_json::Value, kind: &str| view[kind]["bytes"].as_u64().unwrap();
    eventually("every file is in the store", || {
        let view = mounted.view();
        amount(&view, "known") > 0 && amount(&view, "hydrated") == amount(&view, "known")
    });
}

/// Every blob hashes to its name, cannot be written, and has no other name. Returns how many.
pub(crate) fn is_sound(mounted: &Mounted) -> usize {
    let mut blobs = 0;
    for directory in fs::read_dir(mounted.store().join("blobs")).unwrap() {
        for blob in fs::read_dir(directory.unwrap().path()).unwrap() {
            let path = blob.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let digest = blake3::hash(&fs::read(&path).unwrap()).to_hex();
            assert_eq!(digest.as_str(), name, "{} was changed", path.display());
            let data = fs::metadata(&path).unwrap();
            assert_eq!(data.mode() & 0o7777, 0o400, "{}", path.display());
            assert_eq!(data.nlink(), 1, "{}", path.display());
            blobs += 1;
        }
    }
    blobs
}
