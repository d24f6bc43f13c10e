//! The room that the mount tells rez of.

use std::fs;

use pkgfs_tests::{MountOptions, Scene};
use rustix::fs::statvfs;

use crate::actions::Cache;

/// How far figures of the disk may move while others use it.
const MOVES: u64 = 512 << 20;

/// What Python's `shutil.disk_usage` makes of it: total, used, free.
fn disk_usage(path: &std::path::Path) -> (u64, u64, u64) {
    let room = statvfs(path).unwrap();
    let bytes = |blocks: u64| blocks * room.f_frsize;
    (bytes(room.f_blocks), bytes(room.f_blocks - room.f_bfree), bytes(room.f_bavail))
}

#[test]
fn free_is_what_the_disk_has_and_what_could_be_evicted_and_used_stays_below_rezs_threshold() {
    const SIZE: u64 = 1 << 30;
    let scene = Scene::new();
    scene.repository().release("tool", "1.0", |root| {
        fs::File::create(root.join("sparse")).unwrap().set_len(SIZE).unwrap();
        fs::write(root.join("data"), vec![5; 20 << 20]).unwrap();
    });
    let mounted = scene.mount(&MountOptions::default());
    let cache = Cache::new(mounted.mountpoint());
    let check = || {
        let evictable = mounted.view()["store"]["blob_bytes"].as_u64().unwrap();
        let (_, _, disk_free) = disk_usage(&mounted.store());
        let (total, used, free) = disk_usage(&mounted.mountpoint());
        assert!(free.abs_diff(disk_free + evictable) < MOVES, "{free}: {disk_free} + {evictable}");
        assert!(used * 100 <= total * 80, "{used} of {total} is more than rez allows");
        assert!(free > 100 << 20, "rez would take up nothing");
        assert!(used + free <= total && total > 0, "{used} + {free} of {total}");
        evictable
    };
    assert_eq!(check(), 0);
    let root = cache.find(&scene.repository().handle("tool", "1.0", None)).unwrap().unwrap();
    assert_eq!(fs::read(root.join("data")).unwrap().len(), 20 << 20);
    mounted.remount();
    assert!(check() >= 20 << 20);
    // Each part of the mount tells the same.
    assert_eq!(disk_usage(&root).0 / MOVES, disk_usage(&mounted.mountpoint()).0 / MOVES);
}
