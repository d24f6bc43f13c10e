//! The disk that holds the store is full.

use std::fs;
use std::path::{Path, PathBuf};

use pkgfs_tests::{MountOptions, Mounted, Scene};
use rustix::fs::statvfs;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use crate::{packages, store};

/// A small disk; it goes when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, megabytes: u64) -> Self {
        let options = std::ffi::CString::new(format!("size={megabytes}m,mode=700")).unwrap();
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        rustix::mount::mount("tmpfs", at, "tmpfs", flags, options.as_c_str()).unwrap();
        Self(at.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, UnmountFlags::DETACH).ok();
    }
}

/// A full cache still looks to rez as if it could take something up: it could make room.
fn assert_room(mounted: &Mounted) {
    let room = statvfs(mounted.mountpoint()).unwrap();
    let [total, left, free] =
        [room.f_blocks, room.f_bfree, room.f_bavail].map(|blocks| blocks * room.f_frsize);
    let evictable = mounted.view()["store"]["blob_bytes"].as_u64().unwrap();
    assert!(free >= evictable / 2, "{free} free, {evictable} could be evicted");
    let used = total - left;
    assert!(used * 100 <= total * 80, "{used} of {total} is more than rez allows");
}

#[test]
fn with_the_stores_disk_full_nothing_wrong_is_served_and_the_store_opens_again() {
    const MEGABYTES: u64 = 24;
    const PACKAGES: usize = 100;
    const LARGE: usize = 30 << 20;
    let scene = Scene::new();
    packages::release(&scene, PACKAGES);
    let large: Vec<u8> =
        (0..LARGE as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    scene
        .repository()
        .release("large", "1.0", |root| fs::write(root.join("data"), &large).unwrap());
    let first = scene.mount(&MountOptions::default());
    first.unmount();
    // Beside the mount's own directory, in which nothing may be left mounted.
    let place = scene.path("disk");
    fs::create_dir(&place).unwrap();
    let _disk = SmallDisk::mount(&place, MEGABYTES);
    fs::remove_dir_all(first.store()).unwrap();
    std::os::unix::fs::symlink(&place, first.store()).unwrap();
    // Dropped before the disk is.
    let mounted = first;
    mounted.mount_again();

    packages::assert_whole(&mounted, 0);
    let (mut right, mut unserved, mut refused) = (0, 0, Vec::new());
    let mut look = |path: PathBuf, expected: &[u8]| match fs::read(&path) {
        Ok(bytes) => {
            assert!(bytes == expected, "{} has other bytes", path.display());
            right += 1;
        }
        Err(error) => refused.push((path, Errno::from_io_error(&error))),
    };
    // More than there is room for, in many files and in one.
    for package in 0..PACKAGES {
        let name = packages::name(package);
        // A variant that cannot be registered is missing, and rez uses it from origin.
        if !mounted.registration(&name, "1.0", None).exists() {
            unserved += 1;
            continue;
        }
        for (file, path) in packages::files() {
            let path = mounted.payload(&name, "1.0", None).join(path);
            look(path, &packages::content(package, file));
        }
    }
    look(mounted.payload("large", "1.0", None).join("data"), &large);
    // What does not fit is read from storage; what was used longest ago makes room.
    assert_eq!((refused, unserved), (Vec::new(), 0), "{right} files were read");
    let evicted = &mounted.view()["room"]["evicted_blobs"];
    assert!(evicted.as_u64().unwrap() > 0, "the disk was not full");
    let problems = mounted.view()["problems"].to_string();
    assert!(problems.contains("full") || problems.contains("space"), "{problems}");
    // What was local before is served.
    packages::assert_whole(&mounted, 0);
    assert_room(&mounted);

    for crash in [false, true] {
        if crash {
            mounted.kill_daemon();
        } else {
            mounted.unmount();
        }
        store::assert_sound(&mounted.store());
        mounted.mount_again();
        packages::assert_whole(&mounted, 0);
    }
    mounted.unmount();
    store::assert_sound(&mounted.store());
}
