//! Looks every variant up in a mount, and compares what is there with what rez says.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pkgfs_tests::{Mounted, Tree};
use serde_json::Value;

use crate::oracle::{Package, Variant, uri_of};

/// What was compared, so that nothing can pass by comparing nothing.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) packages: usize,
    pub(crate) variants: usize,
    pub(crate) offered: usize,
    /// Packages left out because only rez can tell, by their definition's family and version.
    pub(crate) left_to_rez: Vec<String>,
}

/// Whether the mount must be able to tell what a package says.
pub(crate) type Told<'a> = &'a dyn Fn(&Package) -> bool;

/// Looks everything up, and lists the differences.
pub(crate) fn compare(mounted: &Mounted, packages: &[Package], told: Told) -> (Tally, Vec<String>) {
    let mut tally = Tally::default();
    let mut differences = Vec::new();
    let mut seen = Vec::new();
    for package in packages {
        tally.packages += 1;
        let known = told(package);
        if !known {
            tally.left_to_rez.push(format!("{}/{}", package.family, package.version));
        }
        for variant in &package.variants {
            tally.variants += 1;
            let found = registered(mounted, variant);
            match (found, variant.is_offered() && known) {
                (Some(payload), true) => {
                    tally.offered += 1;
                    seen.push((variant, payload));
                }
                (None, false) => {}
                (Some(_), false) => differences.push(format!("it is served: {variant:?}")),
                (None, true) => differences.push(format!("it is missing: {variant:?}")),
            }
        }
    }
    differences.extend(wrong_roots(mounted, &seen));
    // Nothing but what rez would cache came along.
    let registered = mounted.view()["registrations"]["ready"].as_u64().unwrap();
    if registered != seen.len() as u64 {
        differences.push(format!("{registered} are registered instead of {}", seen.len()));
    }
    (tally, differences)
}

/// The payload of a variant, if a look-up as rez makes it finds one.
fn registered(mounted: &Mounted, variant: &Variant) -> Option<PathBuf> {
    let place = mounted.mountpoint().join(&variant.path);
    let entries = match fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => panic!("{}: {error}", place.display()),
    };
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let mut jsons = paths.iter().filter(|path| path.extension().is_some_and(|e| e == "json"));
    let json = jsons.find(|path| {
        let text = fs::read(path).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()["handle"] == variant.handle
    })?;
    Some(json.with_extension(""))
}

fn wrong_roots(mounted: &Mounted, seen: &[(&Variant, PathBuf)]) -> Vec<String> {
    let said = mounted.variants();
    let said: HashMap<&str, &Value> =
        said.iter().map(|variant| (variant["uri"].as_str().unwrap(), variant)).collect();
    let mut wrong = Vec::new();
    for (variant, payload) in seen {
        let root = variant.root.as_ref().unwrap();
        let own = &said[&*uri_of(&variant.handle).unwrap()];
        let origin = Path::new(own["origin"].as_str().unwrap());
        // Of several links rez takes the first that the file system lists.
        let is_link = variant.alike.first().is_some_and(|real| real != root);
        let same = origin == root || (is_link && variant.alike[1..].iter().any(|a| a == origin));
        if !same {
            wrong.push(format!("its root is {}: {variant:?}", origin.display()));
        } else if let Some(difference) = different(root, payload) {
            wrong.push(format!("{difference}: {variant:?}"));
        }
    }
    wrong
}

/// Where a payload differs from its root: all of it where that is little, else its names.
fn different(root: &Path, payload: &Path) -> Option<String> {
    let mark = root.join("which");
    if mark.exists() {
        let (theirs, ours) = (fs::read(mark).unwrap(), fs::read(payload.join("which")).unwrap());
        return (theirs != ours).then(|| "the payload is another's".to_owned());
    }
    let [theirs, ours] = [root, payload].map(|path| Tree::of(path).unwrap().as_payload());
    ours.difference(&theirs)
}
