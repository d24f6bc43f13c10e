//! What `PackageCache.add_variant` refuses, and why.

use std::{fs, path::Path};

use pkgfs_rez::{Definition, Refusal, RezSettings, VariantHandle, refuse};
use serde_json::json;

use crate::oracle::{ask_each, scratch};

/// What rez's message for each refusal says.
fn message(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotCachable => "is not cachable",
        Refusal::Local => "package is local",
        Refusal::SameDevice => "is on same device",
        Refusal::Temporary => "is in temp repository",
    }
}

#[test]
fn what_add_variant_refuses_is_refused_for_the_same_reason() {
    let scratch = scratch();
    let repository = fs::canonicalize(scratch.path()).unwrap().join("repository");
    let location = repository.to_str().unwrap();
    let parent = repository.parent().unwrap().to_str().unwrap();
    for name in ["foo", "private"] {
        let directory = repository.join(name).join("1");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("package.py"), format!("cachable = {}\n", cachable(name)))
            .unwrap();
    }
    // A cache on another device is not to be had everywhere; the same device always is.
    let cache = parent.to_owned() + "/cache";
    fs::create_dir(&cache).unwrap();
    let elsewhere = Path::new("/dev/shm");
    let elsewhere = tempfile::Builder::new().prefix("pkgfs-rez-").tempdir_in(elsewhere).unwrap();

    let mut cases = Vec::new();
    for bits in 0_u32..32 {
        let bit = |number: u32| bits & (1 << number) != 0;
        for tmpdir in ["/tmp", parent, location, &location[..location.len() - 3]] {
            let settings = RezSettings {
                package_cache_local: bit(0),
                package_cache_same_device: bit(1),
                local_packages_path: if bit(2) { location } else { "/nowhere" }.to_owned(),
                tmpdir: tmpdir.to_owned(),
                default_cachable: Some(false),
                ..RezSettings::default()
            };
            cases.push((settings, bit(3), if bit(4) { "foo" } else { "private" }));
        }
    }
    let questions: Vec<_> = cases
        .iter()
        .map(|(settings, same_device, name)| {
            let cache = if *same_device { cache.clone() } else { elsewhere.path().display().to_string() };
            json!({ "name": name, "version": "1", "repository": location, "cache": cache, "settings": {
                "package_cache_local": settings.package_cache_local,
                "package_cache_same_device": settings.package_cache_same_device,
                "local_packages_path": settings.local_packages_path,
                "tmpdir": settings.tmpdir,
                "default_cachable": settings.default_cachable,
            }})
        })
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    for ((settings, same_device, name), answer) in
        cases.iter().zip(ask_each("refusals", json!(questions)))
    {
        let handle = VariantHandle {
            location: location.to_owned(),
            name: (*name).to_owned(),
            version: Some("1".to_owned()),
            index: None,
        };
        let definition = Definition { cachable: Some(name == &"foo"), ..Definition::default() };
        let ours = refuse(&definition, &handle, settings, *same_device).map(message);
        match (ours, answer.as_str()) {
            (None, None) => {}
            (Some(ours), Some(theirs)) if theirs.contains(ours) => {}
            _ => panic!("{ours:?} is not {answer}: {settings:?}, same device {same_device}"),
        }
        seen.insert(ours);
    }
    assert_eq!(seen.len(), 5, "every refusal and none: {seen:?}");
}

fn cachable(name: &str) -> &'static str {
    if name == "foo" { "True" } else { "False" }
}
