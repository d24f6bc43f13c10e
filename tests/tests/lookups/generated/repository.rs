//! A repository of packages on disk, and their payloads.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use fastrand::Rng;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::definition::{self, Definition};
use super::spelling::{self, pick};
use crate::oracle::Package;

/// Makes packages. The families and versions that can be read without rez.
pub(super) fn make(dice: &mut Rng, location: &Path, count: usize) -> HashSet<(String, String)> {
    let mut literal = HashSet::new();
    for number in 0..count {
        let name = spelling::name(dice, number);
        let family = location.join(&name);
        match dice.u8(..16) {
            0 => combined(dice, location, &name),
            1 => {
                if package(dice, &family, &name, None) {
                    literal.insert((name.clone(), String::new()));
                }
                if dice.bool() {
                    // Not a version: the definition above hides it.
                    package(dice, &family.join("1.0"), &name, Some("1.0"));
                }
            }
            _ => {
                let versions: HashSet<_> =
                    (0..dice.usize(1..4)).map(|_| spelling::version(dice)).collect();
                // Sorted: the order of a set is another in each process.
                let mut versions: Vec<_> = versions.into_iter().collect();
                versions.sort();
                for version in versions {
                    if package(dice, &family.join(&version), &name, Some(&version)) {
                        literal.insert((name.clone(), version.clone()));
                    }
                    marks(dice, &family, &version);
                }
            }
        }
    }
    literal
}

/// All versions in one file, which have no payload.
fn combined(dice: &mut Rng, location: &Path, name: &str) {
    if dice.bool() {
        let text = format!("name = '{name}'\nversions = ['1.0', '2.0']\ncachable = True\n");
        fs::write(location.join(format!("{name}.py")), text).unwrap();
    } else {
        let text = format!("name: {name}\nversions: ['1.0', '2.0']\ncachable: true\n");
        fs::write(location.join(format!("{name}.yaml")), text).unwrap();
    }
}

fn marks(dice: &mut Rng, family: &Path, version: &str) {
    match dice.u8(..20) {
        0 => fs::write(family.join(format!(".ignore{version}")), "").unwrap(),
        1 => fs::write(family.join(format!(".building{version}")), "").unwrap(),
        _ => {}
    }
}

/// Makes one package; whether it can be read without rez.
fn package(dice: &mut Rng, directory: &Path, name: &str, version: Option<&str>) -> bool {
    fs::create_dir_all(directory).unwrap();
    let one = if dice.u8(..4) == 0 {
        definition::yaml(dice, name, version)
    } else {
        definition::python(dice, name, version)
    };
    let Definition { file, text, mut literal, dated } = one;
    fs::write(directory.join(file), text).unwrap();
    if file == "package.yaml" {
        match dice.u8(..12) {
            // Not read: neither is a file.
            0 => fs::create_dir(directory.join("package.py")).unwrap(),
            1 => mknodat(CWD, directory.join("package.py"), FileType::Fifo, Mode::RUSR, 0).unwrap(),
            2 => symlink("nowhere", directory.join("package.py")).unwrap(),
            _ => {}
        }
    } else if dice.u8(..10) == 0 {
        // Not read: package.py comes first.
        fs::write(directory.join("package.yaml"), "cachable: [wrong]\n").unwrap();
    }
    if dice.u8(..12) == 0 {
        let text =
            pick(dice, &["revision: 1\n", "cachable: false\n", "timestamp: 5\ncachable: true\n"]);
        fs::write(directory.join("release.yaml"), text).unwrap();
        literal = literal && dated;
    }
    literal
}

/// Puts payloads where rez says that they lie, most of them, and links to some.
pub(super) fn fill(dice: &mut Rng, packages: &[Package]) {
    for variant in packages.iter().flat_map(|package| &package.variants) {
        let Some(root) = variant.root.as_ref().filter(|_| dice.u8(..12) != 0) else { continue };
        // A place may be taken by a file that is something else.
        if fs::create_dir_all(root).is_err() {
            continue;
        }
        fs::write(root.join("which"), variant.handle.to_string()).unwrap();
        let base = root.parent().unwrap();
        let Some(hash) = variant.alike.first().and_then(|real| real.file_name()) else { continue };
        let links = base.join("_v");
        for _ in 0..dice.u8(..3) {
            fs::create_dir_all(&links).unwrap();
            let target = match dice.u8(..6) {
                0 => root.clone(),
                1 => Path::new("../.").join(hash),
                2 => Path::new("../nowhere").join(hash),
                _ => Path::new("..").join(hash),
            };
            let name = format!("{}{}", pick(dice, &["a", "b", "zz", "é", "q'"]), dice.u16(..));
            symlink(target, links.join(name)).unwrap();
        }
    }
}
