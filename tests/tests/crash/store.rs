//! What a store holds on disk.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every blob with its name.
pub(crate) fn blobs(store: &Path) -> Vec<(String, PathBuf)> {
    let directories = fs::read_dir(store.join("blobs")).unwrap();
    let blobs = directories.flat_map(|directory| fs::read_dir(directory.unwrap().path()).unwrap());
    blobs
        .map(|blob| {
            let path = blob.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), path)
        })
        .collect()
}

/// Each visible blob's bytes are what its name says; how many there are.
pub(crate) fn assert_sound(store: &Path) -> usize {
    assert_sound_besides(store, &mut HashSet::new())
}

/// The same, for those that were not known before. A blob is never changed: a last look at all
/// proves it.
pub(crate) fn assert_sound_besides(store: &Path, known: &mut HashSet<String>) -> usize {
    let blobs = blobs(store);
    for (name, path) in &blobs {
        if known.insert(name.clone()) {
            let digest = blake3::hash(&fs::read(path).unwrap()).to_hex();
            assert_eq!(digest.as_str(), name, "{}", path.display());
        }
    }
    blobs.len()
}
