//! Files of the store are lost, or changed, behind our back while it is in use.

use std::fs::{self, OpenOptions};
use std::path::Path;

use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};

use crate::{packages, store};

fn truncate(path: &Path) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(17).unwrap();
}

fn replace(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::write(path, "something else").unwrap();
}

fn of_each_blob(store: &Path, what: fn(&Path)) {
    store::blobs(store).iter().for_each(|(_, path)| what(path));
}

/// What happens, to the store in this directory.
type Loss = (&'static str, fn(&Path));

const LOSSES: [Loss; 5] = [
    ("each blob is removed", |store| of_each_blob(store, |path| fs::remove_file(path).unwrap())),
    ("each blob is cut short", |store| of_each_blob(store, truncate)),
    ("each blob is replaced", |store| of_each_blob(store, replace)),
    ("all blobs are removed", |store| fs::remove_dir_all(store.join("blobs")).unwrap()),
    ("what is being filled is removed", |store| {
        fs::remove_dir_all(store.join("partial")).unwrap();
        fs::remove_dir_all(store.join("blobs")).unwrap();
    }),
];

fn blobs(mounted: &Mounted) -> usize {
    // It may be away for a moment.
    if mounted.store().join("blobs").exists() { store::blobs(&mounted.store()).len() } else { 0 }
}

#[test]
fn what_is_lost_behind_our_back_is_fetched_again_and_no_reader_sees_it() {
    for mode in ["passthrough", "cached"] {
        let scene = Scene::new();
        packages::release(&scene, 1);
        let configuration = format!("mode = {mode:?}");
        let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
        for (what, lose) in LOSSES {
            println!("{mode}: {what}");
            packages::assert_whole(&mounted, 0);
            mounted.remount();
            // Open files are kept for the next reader.
            packages::assert_whole(&mounted, 0);
            lose(&mounted.store());
            // What is changed in place shows through a file that the kernel has open by itself.
            if mode != "passthrough" || what != "each blob is cut short" {
                packages::assert_whole(&mounted, 0);
            }
            mounted.remount();
            packages::assert_whole(&mounted, 0);
            eventually("all of it is there again", || blobs(&mounted) == 4);
            packages::assert_whole(&mounted, 0);
        }
        mounted.unmount();
        assert_eq!(store::assert_sound(&mounted.store()), 4);
    }
}

#[test]
fn damage_of_the_database_while_it_is_used_is_noticed_by_no_reader() {
    let scene = Scene::new();
    packages::release(&scene, 3);
    let mounted = scene.mount(&MountOptions::default());
    (0..2).for_each(|package| packages::assert_whole(&mounted, package));
    mounted.remount();
    packages::assert_whole(&mounted, 0);
    let database = rusqlite::Connection::open(mounted.store().join("pkgfs.sqlite")).unwrap();
    // Files have the bytes of others now, and nothing in the database's structure tells.
    let wrong = "UPDATE contents SET digest = (SELECT digest FROM blobs ORDER BY size LIMIT 1);
                 UPDATE directories SET source = anchor";
    database.execute_batch(wrong).unwrap();
    drop(database);
    (0..3).for_each(|package| packages::assert_whole(&mounted, package));
    let told = mounted.view()["problems"].to_string();
    assert!(told.contains("was damaged") && told.contains("damaged.sqlite"), "{told}");
    for _ in 0..2 {
        mounted.remount();
        (0..3).for_each(|package| packages::assert_whole(&mounted, package));
    }
    let report = mounted.pkgfs(&["verify", &mounted.mountpoint().display().to_string()]);
    assert_eq!(report.code, Some(0), "{}", report.out);
    // Also where all of it is lost.
    mounted.unmount();
    fs::write(mounted.store().join("pkgfs.sqlite"), "no database").unwrap();
    mounted.mount_again();
    (0..3).for_each(|package| packages::assert_whole(&mounted, package));
    mounted.remount();
    mounted.unmount();
    assert_eq!(store::assert_sound(&mounted.store()), 12);
}
