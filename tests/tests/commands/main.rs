//! rez's own commands, in pkgfs': list, add, remove, warm, pin, unpin, clean, and verify; through the real
//! command, the real mount and, for what rez writes, the real rez.

#![allow(clippy::unwrap_used, missing_docs)]

mod aliases;
mod cleaning;
mod rez;
mod variants;
mod verifying;
mod warming;

use std::path::Path;

use pkgfs_tests::{MountOptions, Mounted, Ran, Scene};
use serde_json::Value;

/// A mount that registers nothing by itself.
fn by_command() -> MountOptions {
    let configuration = "[registration]\non_pending = false\non_lookup = false\n".to_owned();
    MountOptions { configuration, ..MountOptions::default() }
}

/// Two packages, one of them with two variants.
fn packages() -> Scene {
    let scene = Scene::new();
    fill(&scene);
    scene
}

fn fill(scene: &Scene) {
    let payload = |root: &Path| {
        std::fs::create_dir_all(root.join("python")).unwrap();
        std::fs::write(root.join("python/tool.py"), "VERSION = 1\n").unwrap();
        std::fs::write(root.join("data.bin"), vec![7; 70_000]).unwrap();
    };
    scene.repository().release("tool", "1.0", payload);
    let variants: &[&[&str]] = &[&["flavour-a"], &["flavour-b"]];
    scene.repository().release_variants("varied", "2.1", variants, |_, root| payload(root));
}

/// `pkgfs COMMAND MOUNTPOINT ARGUMENTS…`
fn run(mounted: &Mounted, command: &str, arguments: &[&str]) -> Ran {
    let mountpoint = mounted.mountpoint();
    let mut all = vec![command, mountpoint.to_str().unwrap()];
    all.extend(arguments);
    mounted.pkgfs(&all)
}

/// The variants that `pkgfs list --json` tells of.
fn listed(mounted: &Mounted, targets: &[&str]) -> Vec<Value> {
    let said = run(mounted, "list", &[&["--json"], targets].concat()).good().out;
    let said: Value = serde_json::from_str(&said).unwrap();
    said["variants"].as_array().unwrap().clone()
}

fn uris(mounted: &Mounted, targets: &[&str]) -> Vec<String> {
    let variants = listed(mounted, targets).into_iter();
    variants.map(|variant| variant["uri"].as_str().unwrap().to_owned()).collect()
}
