//! Packages whose bytes tell where they come from.

use std::fs;
use std::path::Path;

use pkgfs_tests::{Mounted, Scene};

/// Sizes around those that are treated differently: in one answer, or part by part.
const SIZES: [usize; 5] = [0, 1, 5_000, 70_000, 200_000];

/// A package's name.
pub(crate) fn name(number: usize) -> String {
    format!("p{number:03}")
}

/// Bytes that no other file has.
pub(crate) fn content(package: usize, file: usize) -> Vec<u8> {
    let mut bytes = vec![0; SIZES[file]];
    let seed = format!("package {package} file {file}");
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// The files of every package.
pub(crate) fn files() -> impl Iterator<Item = (usize, String)> {
    (0..SIZES.len()).map(|file| (file, format!("inner-{}/file-{file}", file % 2)))
}

/// Releases packages `0..count`, version 1.0.
pub(crate) fn release(scene: &Scene, count: usize) {
    for package in 0..count {
        scene.repository().release(&name(package), "1.0", |root| fill(package, root));
    }
}

/// Has a package say in a way that only rez can tell that it is cachable: rez copies it in.
pub(crate) fn leave_to_rez(scene: &Scene, package: usize) {
    let name = name(package);
    let definition = scene.repository().directory(&name, "1.0").join("package.py");
    let text = format!("name = {name:?}\nversion = '1.0'\ncachable = bool(1)\n");
    fs::write(definition, text).unwrap();
}

fn fill(package: usize, root: &Path) {
    for (file, path) in files() {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(package, file)).unwrap();
    }
}

/// Every file of a payload reads as it is at origin.
pub(crate) fn assert_whole(mounted: &Mounted, package: usize) {
    let root = mounted.payload(&name(package), "1.0", None);
    for (file, path) in files() {
        let path = root.join(path);
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(bytes == content(package, file), "{} has other bytes", path.display());
    }
}
