//! Launch profiles, through the real mount: what one start touches is there before the next one
//! asks for it, and what that costs when it is wrong.
#![allow(clippy::unwrap_used, missing_docs)]

mod bounds;
mod changes;
mod contexts;
mod exchange;
mod learning;
mod start;

use std::fs;
use std::path::{Path, PathBuf};

use pkgfs_tests::standin::Options;
use pkgfs_tests::{Mounted, Ran, Scene, eventually};
use serde_json::{Value, json};

const KIB: usize = 1 << 10;
/// Files of the package that a start touches, of twice as many.
const TOUCHED: usize = 24;
const CONTEXT: &str = "library-1.0 python-3.11";

/// The name of a file of the package: even ones are touched by a start.
fn name(number: usize) -> String {
    format!("python/part_{}/module_{number}.py", number % 5)
}

/// No word of it is a file's name: nothing is fetched ahead for it.
fn content(number: usize) -> Vec<u8> {
    let size = if number == 6 { 700 * KIB } else { 3 * KIB + number };
    (0..size).map(|at| ((at * 31 + number * 7) % 251) as u8 | 0x80).collect()
}

fn package(root: &Path) {
    for number in 0..2 * TOUCHED {
        let path = root.join(name(number));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(number)).unwrap();
    }
}

/// Storage that is asked for every file that is opened, also where it was read before.
fn storage() -> Options {
    Options { reread_at_open: true, ..Options::uncached() }
}

fn scene() -> Scene {
    let scene = Scene::behind_standin(&storage());
    scene.repository().release("library", "1.0", package);
    scene
}

/// What a start touches, in its order.
fn touched(payload: &Path) -> Vec<PathBuf> {
    (0..TOUCHED).map(|number| payload.join(name(2 * number))).collect()
}

/// `pkgfs profile ACTION MOUNTPOINT ARGUMENTS…`
fn profile(mounted: &Mounted, action: &str, arguments: &[&str]) -> Ran {
    let mountpoint = mounted.mountpoint();
    let mut all = vec!["profile", action, mountpoint.to_str().unwrap()];
    all.extend(arguments);
    mounted.pkgfs(&all)
}

/// What `profile show --json` tells.
fn profiles(mounted: &Mounted) -> Vec<Value> {
    let said = profile(mounted, "show", &["--json"]).good().out;
    let mut said: Value = serde_json::from_str(&said).unwrap();
    serde_json::from_value(said["profiles"].take()).unwrap()
}

/// The paths that a profile holds.
fn paths(profile: &Value) -> Vec<&str> {
    let files = profile["files"].as_array().unwrap().iter();
    files.map(|file| file["path"].as_str().unwrap()).collect()
}

fn flush(mounted: &Mounted) {
    let _ = mounted.pkgfs(&["flush", mounted.mountpoint().to_str().unwrap()]).good();
}

/// Waits until this many files are local, whoever asked for them.
fn local(mounted: &Mounted, files: usize) {
    eventually(&format!("{files} files are local"), || {
        mounted.view()["hydrated"]["files"] == json!(files)
    });
}

/// Files that profiles had fetched, and those of them nobody has read.
fn ahead(mounted: &Mounted) -> (u64, u64) {
    let ahead = mounted.view()["profiles"]["ahead"].take();
    let files = |which: &str| ahead[which]["files"].as_u64().unwrap();
    (files("all"), files("unread"))
}
