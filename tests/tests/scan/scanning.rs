//! Running `pkgfs scan` on a scene.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use pkgfs_tests::{Ran, Scene, User, built, standin::Options};
use serde_json::Value;

/// A scene behind a stand-in that costs no time and keeps what the kernel knows for long.
pub(crate) fn scene() -> Scene {
    let ttl = 600_000;
    Scene::behind_standin(&Options {
        delay_us: 0,
        attr_ttl_ms: ttl,
        entry_ttl_ms: ttl,
        negative_ttl_ms: ttl,
        ..Options::default()
    })
}

/// The command, with its cache in the scene, and no other settings than built-in ones.
pub(crate) fn command(scene: &Scene, user: User, arguments: &[&str]) -> Command {
    let mut command = user.command(built("pkgfs"));
    for name in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PKGFS_CONFIG"] {
        command.env_remove(name);
    }
    command.env("HOME", scene.path("home")).arg("scan").args(arguments);
    command
}

/// Scans the scene's repository, by a home of who runs the tests.
pub(crate) fn scan(scene: &Scene, more: &[&str]) -> Ran {
    fs::create_dir_all(scene.path("home")).unwrap();
    let repository = scene.repository().location().to_str().unwrap();
    let arguments = [&["--json", repository], more].concat();
    Ran::new(&mut command(scene, User::Own, &arguments))
}

/// The versions that were printed, as `family-version`, sorted.
pub(crate) fn versions(ran: &Ran) -> Vec<String> {
    let line = |line: &str| {
        let package: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| package[key].as_str().unwrap_or("?").to_owned();
        format!("{}-{}", text("family"), text("version"))
    };
    let mut versions: Vec<_> = ran.out.lines().map(line).collect();
    versions.sort();
    versions
}

/// The only file in the directory of indexes.
pub(crate) fn index(scene: &Scene) -> PathBuf {
    let entries = fs::read_dir(scene.path("home").join(".cache/pkgfs/scan")).unwrap();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("not one file: {files:?}") };
    file.clone()
}

/// Makes a family's directory as old as this, or one from the future where `age` is negative.
pub(crate) fn age(scene: &Scene, family: &str, age: i64) {
    let by = Duration::from_secs(age.unsigned_abs());
    let now = SystemTime::now();
    let time = if age < 0 { now + by } else { now - by };
    let directory = scene.repository().directory(family, None);
    fs::File::open(directory).unwrap().set_modified(time).unwrap();
}

/// Releases a version with nothing but its definition.
pub(crate) fn release(scene: &Scene, family: &str, version: &str) {
    scene.repository().release(family, version, |_: &Path| {});
}
