//! Contexts that a real rez writes, requests that it reads, and URIs that it prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pkgfs_tests::{MountOptions, Scene};

use crate::{packages, run, uris};

fn rez(version: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let bin = workspace.join(".work").join(format!("rez-{version}/bin/rez"));
    assert!(bin.is_dir(), "no rez {version}: run `cargo xtask setup`");
    bin
}

/// Runs a command of rez on the scene's repository.
fn run_rez(version: &str, scene: &Scene, arguments: &[&str]) -> String {
    let home = scene.path("rez-home");
    fs::create_dir_all(&home).unwrap();
    let output = Command::new(rez(version).join(arguments[0]))
        .args(&arguments[1..])
        .env("HOME", home)
        .env("REZ_PACKAGES_PATH", scene.repository().location())
        .env("REZ_DISABLE_HOME_CONFIG", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn options() -> MountOptions {
    let python = rez("3.4.0").join("rez-python");
    MountOptions {
        configuration: format!(
            "rez.python_command = [{python:?}]\nregistration.on_lookup = false\n"
        ),
        ..MountOptions::default()
    }
}

fn context(version: &str) {
    let scene = packages();
    scene.repository().release("flavour", "a", |_| {});
    let definition = scene.repository().directory("flavour", "a").join("package.py");
    fs::write(definition, "name = 'flavour'\nversion = 'a'\n").unwrap();
    let context = scene.path("show.rxt");
    let file = context.to_str().unwrap();
    run_rez(version, &scene, &["rez-env", "tool", "varied", "--output", file]);
    let mounted = scene.mount(&options());
    let ran = run(&mounted, "add", &[file]).good();
    // What rez itself would not cache is no failure.
    assert!(ran.out.contains("passed over") && ran.out.contains("flavour/a"), "{}", ran.out);
    let repository = scene.repository();
    let expected = [repository.handle("tool", "1.0", None), repository.handle("varied", "2.1", 0)];
    assert_eq!(uris(&mounted, &[]), expected.map(|handle| handle.uri()));
    let _ = run(&mounted, "warm", &["--quiet", file]).good();
    let broken = scene.path("broken.rxt");
    fs::write(&broken, &fs::read(&context).unwrap()[..200]).unwrap();
    let refused = run(&mounted, "add", &[broken.to_str().unwrap()]);
    assert_eq!((refused.code, refused.err.lines().count()), (Some(1), 1), "{}", refused.err);
}

#[test]
fn the_variants_of_a_context_of_the_newest_rez_are_added() {
    context("3.4.0");
}

#[test]
fn the_variants_of_a_context_of_the_oldest_rez_are_added() {
    context("2.112.0");
}

#[test]
fn a_request_adds_the_newest_package_and_the_uris_that_rez_prints_are_known() {
    let scene = packages();
    scene.repository().release("tool", "1.10", |_| {});
    scene.repository().release("tool", "2.0", |_| {});
    let mounted = scene.mount(&options());
    let _ = run(&mounted, "add", &["tool<2", "varied"]).good();
    let newest = scene.repository().handle("tool", "1.10", None).uri();
    let listed = uris(&mounted, &[]);
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[0], newest);
    let nothing = run(&mounted, "add", &["tool-7"]);
    assert_eq!((nothing.code, nothing.err.lines().count()), (Some(1), 1), "{}", nothing.err);
    assert!(nothing.err.contains("tool-7"), "{}", nothing.err);
    let cache = mounted.mountpoint();
    let arguments = ["rez-pkg-cache", cache.to_str().unwrap(), "-c", "variant_uri"];
    for uri in run_rez("3.4.0", &scene, &arguments).lines().filter(|line| line.starts_with('/')) {
        assert_eq!(uris(&mounted, &[uri.trim()]), [uri.trim()]);
    }
}
