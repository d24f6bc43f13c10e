//! Real packages, made by rez's own commands: bound from this machine, and installed from PyPI.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pkgfs_tests::{MountOptions, Scene};
use serde_json::json;

use crate::comparison::compare;
use crate::oracle::{NEWEST, ask, commands, options};

/// Runs a command of rez, with these options' settings.
fn rez(options: &MountOptions, command: &str, arguments: &[&str]) {
    let commands = commands(NEWEST);
    let path = format!("{}:{}", commands.display(), std::env::var("PATH").unwrap());
    let output = Command::new(commands.join(command))
        .args(arguments)
        .envs(options.variables())
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command} {arguments:?}: {said}");
}

#[test]
fn packages_that_rez_binds_and_installs_from_pypi_are_served_as_rez_caches_them() {
    let scene = Scene::new();
    let released = scene.path("released");
    fs::create_dir(&released).unwrap();
    let settings = json!({
        "default_cachable": true,
        "packages_path": [released],
        "release_packages_path": released,
    });
    let with_rez = options(NEWEST, &[&released], settings.clone(), true);
    for package in ["platform", "arch", "os", "python", "pip"] {
        rez(&with_rez, "rez-bind", &["-i", released.to_str().unwrap(), package]);
    }
    for distribution in ["six==1.16.0", "idna==3.10"] {
        rez(&with_rez, "rez-pip", &["--install", "--release", distribution]);
    }
    let packages = ask(NEWEST, &with_rez, &[&released]);
    // All of Python is too much to be compared twice.
    let python = packages.iter().find(|package| package.family == "python").unwrap();
    fs::write(python.variants[0].root.as_ref().unwrap().join("which"), "python").unwrap();
    // What rez binds or installs is hashed or not, literal or not, as rez sees fit.
    for asked in [true, false] {
        let mounted = scene.mount(&options(NEWEST, &[&released], settings.clone(), asked));
        let (tally, differences) = compare(&mounted, &packages, &|_| true);
        assert!(differences.is_empty(), "{differences:#?}");
        assert_eq!(tally.offered, 7, "{tally:?}");
        let six = packages.iter().find(|package| package.family == "six").unwrap();
        let place = mounted.mountpoint().join(&six.variants[0].path).join("a/python/six.py");
        let mut python = Command::new("python3");
        let python = python.args(["-Bc", "import six; print(six.__file__)"]);
        let output = python.env("PYTHONPATH", place.parent().unwrap()).output().unwrap();
        let imported = String::from_utf8(output.stdout).unwrap();
        assert_eq!(Path::new(imported.trim()), place);
    }
}
