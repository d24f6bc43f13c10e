//! The store's room: what goes when there is too little, what stays, and what is read then.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use pkgfs_tests::standin::{Effect, Fault, Operation, Options};
use pkgfs_tests::{MountOptions, Mounted, Scene, User, eventually};
use serde_json::json;

const PACKAGES: usize = 10;
/// One that comes in one answer, and one that is filled.
const FILES: [(&str, usize); 2] = [("small", 200_000), ("large", 1_800_000)];
const QUOTA: u64 = 10 << 20;

fn name(package: usize) -> String {
    format!("p{package}")
}

fn content(package: usize, file: &str, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    let seed = format!("{package} {file}");
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn release(scene: &Scene) {
    for package in 0..PACKAGES {
        scene.repository().release(&name(package), "1.0", |root| {
            for (file, size) in FILES {
                fs::write(root.join(file), content(package, file, size)).unwrap();
            }
        });
    }
}

fn mount(scene: &Scene, quota: u64, mode: &str) -> Mounted {
    scene.mount(&MountOptions {
        user: user_of(mode),
        configuration: format!(
            "mode = {mode:?}\nprofiles.learn = false\n\
             room.quota_megabytes = {}\nroom.free_megabytes = 0",
            quota >> 20
        ),
        ..MountOptions::default()
    })
}

fn read(mounted: &Mounted, package: usize) {
    read_as(User::Own, mounted, package);
}

fn read_as(user: User, mounted: &Mounted, package: usize) {
    let root = mounted.payload(&name(package), "1.0", None);
    for (file, size) in FILES {
        let read = user.run(|| fs::read(root.join(file)));
        let read = read.unwrap_or_else(|error| panic!("{package} {file}: {error}"));
        assert!(read == content(package, file, size), "{package} {file} has other bytes");
    }
}

fn user_of(mode: &str) -> User {
    if mode == "stateless" { User::Ordinary } else { User::Own }
}

/// Waits until what was read is kept, or went, and the store is within its bounds.
fn settled(mounted: &Mounted) {
    eventually("the store is within its bounds", || {
        let view = mounted.view();
        let store = &view["store"];
        let held = ["blob_bytes", "partial_bytes"].map(|part| store[part].as_u64().unwrap());
        held.iter().sum::<u64>() <= QUOTA && held[1] == 0
    });
}

/// Files of a package that are local.
fn local(mounted: &Mounted, package: usize) -> u64 {
    let uri = format!("/{}/1.0/package.py", name(package));
    let variants = mounted.variants();
    let variant = variants.iter().find(|it| it["uri"].as_str().unwrap().contains(&uri)).unwrap();
    variant["local"]["files"].as_u64().unwrap()
}

fn bytes_of_blobs(store: &Path) -> u64 {
    let fans = fs::read_dir(store.join("blobs")).unwrap();
    let blobs = fans.flat_map(|fan| fs::read_dir(fan.unwrap().path()).unwrap());
    blobs.map(|blob| blob.unwrap().metadata().unwrap().len()).sum()
}

fn assert_accounts(mounted: &Mounted) {
    eventually("what the store says it holds is what lies there", || {
        mounted.view()["store"]["blob_bytes"] == json!(bytes_of_blobs(&mounted.store()))
    });
}

#[test]
fn the_store_stays_below_its_quota_and_what_was_used_last_stays_in_it() {
    for mode in ["passthrough", "cached", "stateless"] {
        let scene = Scene::new();
        release(&scene);
        let mounted = mount(&scene, QUOTA, mode);
        let read = |package| read_as(user_of(mode), &mounted, package);
        for package in 1..PACKAGES {
            // Used again and again; without OPENs only reads that the kernel cannot answer tell.
            if mode != "stateless" {
                read(0);
            }
            read(package);
            settled(&mounted);
        }
        if mode != "stateless" {
            assert_eq!(local(&mounted, 0), 2, "{mode}");
        }
        // What was read last is kept a moment after it was served.
        eventually("what was used last stays, and what was used first went", || {
            [1, 2, PACKAGES - 1].map(|package| local(&mounted, package)) == [0, 0, 2]
        });
        assert_accounts(&mounted);
        // When it was used is known across an end, and across a crash but for the last seconds.
        mounted.remount();
        read(PACKAGES - 2);
        settled(&mounted);
        mounted.remount();
        mounted.kill_daemon();
        mounted.mount_again();
        assert_accounts(&mounted);
        for package in 1..4 {
            read(package);
            settled(&mounted);
        }
        let left = [3, PACKAGES - 2].map(|package| local(&mounted, package));
        assert_eq!(left, [2, 2], "{mode}");
        // As much of it went as was needed.
        assert!(local(&mounted, PACKAGES - 3) < 2, "{mode}");
        assert_accounts(&mounted);
    }
}

#[test]
fn what_is_pinned_or_open_stays() {
    let scene = Scene::behind_standin(&Options { delay_us: 0, ..Options::default() });
    release(&scene);
    let mounted = mount(&scene, QUOTA, "auto");
    read(&mounted, 0);
    let open = File::open(mounted.payload(&name(1), "1.0", None).join("large")).unwrap();
    read(&mounted, 1);
    let mountpoint = mounted.mountpoint();
    let _ = mounted.pkgfs(&["pin".as_ref(), mountpoint.as_os_str(), "p0".as_ref()]).good();
    for package in 2..PACKAGES {
        read(&mounted, package);
        settled(&mounted);
    }
    assert_eq!(local(&mounted, 0), 2);
    assert_eq!(local(&mounted, 2), 0);
    // Of that which is open the other file went.
    assert_eq!(local(&mounted, 1), 1);
    let hang = Fault::new(Effect::Hang).on([Operation::Open, Operation::Read]).at("p1/1.0");
    scene.standin().control().fault(&hang).unwrap();
    let mut bytes = vec![0; FILES[1].1];
    open.read_exact_at(&mut bytes, 0).unwrap();
    assert!(bytes == content(1, "large", FILES[1].1));
    scene.standin().control().release().unwrap();
}

#[test]
fn where_nothing_may_go_programs_read_on_and_nothing_more_is_kept() {
    const SMALL_QUOTA: u64 = 4 << 20;
    let scene = Scene::new();
    release(&scene);
    let mounted = mount(&scene, SMALL_QUOTA, "auto");
    let mountpoint = mounted.mountpoint();
    let command = |verb: &str| {
        let variants = (0..3).map(|n| scene.repository().handle(&name(n), "1.0", None).uri());
        let arguments = [verb.to_owned(), mountpoint.display().to_string()].into_iter();
        let _ = mounted.pkgfs(&arguments.chain(variants).collect::<Vec<_>>()).good();
    };
    command("add");
    command("pin");
    (0..3).for_each(|package| read(&mounted, package));
    eventually("it is told that the store is full", || mounted.view()["room"]["full"] == true);
    let told = mounted.view()["problems"].to_string();
    assert!(told.contains("the store is full"), "{told}");
    let held = mounted.view()["store"]["blob_bytes"].as_u64().unwrap();
    for package in 3..6 {
        read(&mounted, package);
    }
    let fourth = scene.repository().handle(&name(4), "1.0", None).uri();
    let warm = ["warm", "-q", mountpoint.to_str().unwrap(), &fourth];
    let warmed = mounted.pkgfs(&warm);
    assert_eq!(warmed.code, Some(1), "{}", warmed.out);
    assert!(warmed.out.contains("0 files, 0 B were fetched"), "{}", warmed.out);
    assert!(warmed.err.contains("takes no more"), "{}", warmed.err);
    let now = mounted.view();
    assert_eq!(now["store"]["blob_bytes"], json!(held));
    assert_eq!(now["store"]["partial_bytes"], json!(0));
    command("unpin");
    eventually("there is room again", || {
        read(&mounted, 6);
        mounted.view()["room"]["full"] == false && local(&mounted, 6) == 2
    });
}

#[test]
fn a_file_larger_than_the_quota_is_read_from_storage_and_nothing_goes_for_it() {
    const LARGE: usize = 12 << 20;
    let scene = Scene::new();
    release(&scene);
    let large = content(99, "huge", LARGE);
    scene.repository().release("huge", "1.0", |root| fs::write(root.join("huge"), &large).unwrap());
    let mounted = mount(&scene, QUOTA, "auto");
    read(&mounted, 0);
    settled(&mounted);
    assert!(fs::read(mounted.payload("huge", "1.0", None).join("huge")).unwrap() == large);
    assert_eq!(local(&mounted, 0), 2);
    let view = mounted.view();
    assert_eq!((&view["room"]["evicted_blobs"], &view["room"]["full"]), (&json!(0), &json!(false)));
}
