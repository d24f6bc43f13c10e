//! The disk that holds the store takes nothing any more, or gives nothing.

use std::fs::{self, File};
use std::path::Path;

use pkgfs_tests::standin::{Effect, Fault, FaultErrno, Operation, Options, StandinProcess};
use pkgfs_tests::{MountOptions, Mounted, Scene, eventually};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use crate::{packages, store};

/// Nothing below a directory can be changed, by root neither, until this is dropped: as on a disk
/// that became read-only under those who have files open on it.
struct Frozen<'a>(&'a Path);

impl<'a> Frozen<'a> {
    fn new(store: &'a Path) -> Self {
        set(store, true);
        Self(store)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        set(self.0, false);
    }
}

fn set(path: &Path, frozen: bool) {
    let data = path.symlink_metadata().unwrap();
    if data.is_dir() || data.is_file() {
        let file = File::open(path).unwrap();
        let mut flags = ioctl_getflags(&file).unwrap();
        flags.set(IFlags::IMMUTABLE, frozen);
        ioctl_setflags(&file, flags).unwrap();
    }
    if data.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| set(&entry.unwrap().path(), frozen));
    }
}

fn refused(mounted: &Mounted) -> Option<String> {
    mounted.view()["room"]["refused"].as_str().map(str::to_owned)
}

fn is_known(mounted: &Mounted, package: usize) -> bool {
    mounted.registration(&packages::name(package), "1.0", None).exists()
}

#[test]
fn a_store_that_takes_nothing_serves_what_it_has_and_the_rest_from_storage_until_it_does() {
    for mode in ["passthrough", "cached"] {
        let scene = Scene::new();
        packages::release(&scene, 3);
        let configuration = format!("mode = {mode:?}");
        let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
        packages::assert_whole(&mounted, 0);
        assert!(is_known(&mounted, 1));
        mounted.remount();
        assert!(is_known(&mounted, 1));
        let before = mounted.view()["store"]["blobs"].clone();
        let store = mounted.store();
        let frozen = Frozen::new(&store);

        packages::assert_whole(&mounted, 0);
        // Nothing of it was listed or read before.
        packages::assert_whole(&mounted, 1);
        let reason = refused(&mounted).expect("status tells that nothing is taken");
        assert!(reason.contains(store.to_str().unwrap()), "{reason}");
        let table = mounted.pkgfs(&["status"]).out;
        assert!(table.contains("store refuses"), "{table}");
        // What cannot be registered is not there, and rez uses it from storage.
        assert!(!is_known(&mounted, 2));
        packages::assert_whole(&mounted, 1);

        drop(frozen);
        eventually("the disk is asked again", || refused(&mounted).is_none());
        packages::assert_whole(&mounted, 2);
        packages::assert_whole(&mounted, 1);
        packages::assert_whole(&mounted, 0);
        mounted.remount();
        // All of it is kept: four files of a package have bytes.
        let after = mounted.view()["store"]["blobs"].as_u64().unwrap();
        assert!(after > before.as_u64().unwrap(), "{before} blobs before, {after} after");
        assert_eq!(after, 12);
        mounted.unmount();
        assert_eq!(store::assert_sound(&store), 12);
    }
}

#[test]
fn blobs_that_the_disk_does_not_give_are_read_from_storage() {
    let scene = Scene::new();
    packages::release(&scene, 2);
    let configuration = "mode = \"cached\"".to_owned();
    let mounted = scene.mount(&MountOptions { configuration, ..MountOptions::default() });
    packages::assert_whole(&mounted, 0);
    mounted.unmount();
    let (blobs, moved) = (mounted.store().join("blobs"), scene.path("moved"));
    fs::rename(&blobs, &moved).unwrap();
    fs::create_dir(&blobs).unwrap();
    let program = StandinProcess::built_binary().unwrap();
    let disk = StandinProcess::spawn(program, &moved, &blobs, &Options::uncached()).unwrap();
    mounted.mount_again();
    for operation in [Operation::Read, Operation::Open, Operation::Lookup] {
        // No blob is kept open.
        mounted.remount();
        let fault = Fault::new(Effect::Error { errno: FaultErrno::Eio }).on([operation]);
        disk.control().fault(&fault).unwrap();
        packages::assert_whole(&mounted, 0);
        packages::assert_whole(&mounted, 1);
        disk.control().clear_faults().unwrap();
        let told = mounted.view()["problems"].to_string();
        let what = match operation {
            Operation::Read => "the store's bytes of",
            _ => "cannot open",
        };
        assert!(told.contains(what), "{operation:?}: {told}");
    }
    mounted.unmount();
}
