//! `pkgfs verify`, and the check in the background: what is damaged is found, told, never served
//! again, and fetched anew.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};
use rustix::fs::{Advice, fadvise};
use serde_json::{Value, json};

use crate::{packages, run};

const FILE: &str = "tool/1.0/data.bin";

fn blobs(mounted: &Mounted) -> Vec<PathBuf> {
    let fans = fs::read_dir(mounted.store().join("blobs")).unwrap();
    let blobs = fans.flat_map(|fan| fs::read_dir(fan.unwrap().path()).unwrap());
    blobs.map(|blob| blob.unwrap().path()).collect()
}

/// One bit of the longest blob changes, behind everybody's back.
fn damage(mounted: &Mounted) {
    let size = |path: &PathBuf| path.metadata().unwrap().len();
    let path = blobs(mounted).into_iter().max_by_key(size).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    file.write_all_at(&[8], 12_345).unwrap();
    file.sync_all().unwrap();
}

/// All of a package is local, and the kernel keeps nothing of it.
fn warm(scene: &Scene, mounted: &Mounted) -> PathBuf {
    let variant = scene.repository().handle("tool", "1.0", None).uri();
    let _ = run(mounted, "warm", &["-q", &variant]).good();
    mounted.remount();
    mounted.payload("tool", "1.0", None).join("data.bin")
}

fn verify(mounted: &Mounted, more: &[&str]) -> (Value, i32) {
    let ran = run(mounted, "verify", &[&["--json"], more].concat());
    (serde_json::from_str(&ran.out).unwrap(), ran.code.unwrap())
}

fn drop_caches(path: &PathBuf) {
    let file = File::open(path).unwrap();
    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
}

#[test]
fn what_is_damaged_is_told_and_fetched_anew_when_it_is_read_or_at_once() {
    for mode in ["passthrough", "cached"] {
        for repair in [false, true] {
            let scene = packages();
            let configuration = format!("mode = {mode:?}");
            let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
            let path = warm(&scene, &mounted);
            let sound = run(&mounted, "verify", &[]).good();
            assert!(
                sound.out.starts_with("3 blobs, ") && sound.out.ends_with("0 bad\n"),
                "{}",
                sound.out
            );
            damage(&mounted);
            // What the kernel was given of it is forgotten, too.
            drop_caches(&path);
            assert!(fs::read(&path).unwrap() != vec![7; 70_000], "the test damages nothing");

            let (report, code) = verify(&mounted, if repair { &["--repair"] } else { &[] });
            assert_eq!(code, i32::from(!repair), "{report}");
            let bad = report["bad"].as_array().unwrap();
            assert_eq!(bad.len(), 1, "{report}");
            assert!(bad[0]["files"][0].as_str().unwrap().ends_with(FILE), "{report}");
            assert_eq!(report["repaired"], json!(u64::from(repair)));
            assert_eq!(blobs(&mounted).len(), if repair { 3 } else { 2 });
            assert!(fs::read(&path).unwrap() == vec![7; 70_000], "{mode}, repair {repair}");
            let told = mounted.view()["problems"].to_string();
            assert!(told.contains("was bad") && told.contains(FILE), "{told}");
            mounted.remount();
            assert!(fs::read(&path).unwrap() == vec![7; 70_000]);
            let (report, code) = verify(&mounted, &[]);
            assert_eq!((code, report["bad"].clone()), (0, json!([])));
        }
    }
}

#[test]
fn what_is_lost_is_told_and_fetched_anew() {
    let scene = packages();
    let mounted = scene.mount(&MountOptions::default());
    let path = warm(&scene, &mounted);
    blobs(&mounted).into_iter().for_each(|blob| fs::remove_file(blob).unwrap());
    let ran = run(&mounted, "verify", &["--repair", "-q"]).good();
    assert!(ran.out.contains("its file is gone"), "{}", ran.out);
    assert!(ran.out.contains("3 bad\n3 files were fetched anew"), "{}", ran.out);
    assert!(fs::read(&path).unwrap() == vec![7; 70_000]);
}

#[test]
fn the_check_in_the_background_finds_it_and_does_not_begin_anew_before_its_time() {
    let scene = packages();
    let configuration = "[scrub]\ndelay_seconds = 0\ndays = 30\n".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    let passed = || mounted.view()["checks"]["last_pass"].is_number();
    eventually("an empty store is through", passed);
    let path = warm(&scene, &mounted);
    damage(&mounted);
    mounted.remount();
    assert_eq!(mounted.view()["checks"]["checked"]["files"], json!(0));
    // As if the last pass had ended long ago.
    mounted.unmount();
    let database = mounted.store().join("pkgfs.sqlite");
    rusqlite::Connection::open(database)
        .unwrap()
        .execute("UPDATE scrub SET ended_secs = 1", [])
        .unwrap();
    mounted.mount_again();
    eventually("it is found", || mounted.view()["checks"]["bad"] == json!(1));
    assert!(fs::read(path).unwrap() == vec![7; 70_000]);
}
