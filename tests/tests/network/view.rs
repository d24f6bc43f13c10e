//! Fidelity, economy and change over the network.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use pkgfs_tests::{Scene, eventually};
use rustix::io::Errno;

use crate::comparison;
use crate::share::{Caching, Share};
use crate::tree::{self, Extras};

fn awkward() -> Share {
    let scene = Scene::new();
    scene.repository().release("awkward", "1.0", |root| tree::awkward(root, Extras::NoXattrs));
    Share::new(scene, Caching::Default)
}

#[test]
fn nothing_differs_from_the_share_but_the_write_bits() {
    let share = awkward();
    let mounted = share.mount();
    let source = share.location().join("awkward/1.0");
    let payload = share.payload(&mounted, "awkward");
    let none = Vec::<String>::new();
    for _ in 0..2 {
        assert_eq!(comparison::walk(&source, &payload), none);
        assert_eq!(comparison::rsync(&source, &payload), none);
        assert_eq!(comparison::diff(&source, &payload), "");
        mounted.remount();
    }
    // The server's own disk has the same names and bytes.
    let disk = share.scene.repository().directory("awkward", "1.0");
    assert_eq!(comparison::diff(&disk, &payload), "");
}

#[test]
fn the_server_opens_each_file_once_and_none_for_a_second_pass() {
    let share = awkward();
    let mounted = share.mount();
    let disk = share.scene.repository().directory("awkward", "1.0");
    let payload = share.payload(&mounted, "awkward");
    assert_eq!(comparison::diff(&disk, &payload), "");
    let mut opened = share.opened();
    opened.retain(|path| !path.ends_with("package.py"));
    let all = opened.len();
    assert!(all > 40, "{opened:?}");
    opened.sort_unstable();
    opened.dedup();
    assert_eq!(opened.len(), all, "a file was opened twice");

    let before = share.opened().len();
    assert_eq!(comparison::diff(&disk, &payload), "");
    mounted.remount();
    assert_eq!(comparison::diff(&disk, &payload), "");
    assert!(!payload.join("names/missing").exists());
    assert_eq!(share.opened().len(), before);
}

#[test]
fn a_link_that_the_client_does_not_resolve_costs_nobody_its_directory() {
    let scene = Scene::new();
    scene.repository().release("linking", "1.0", |root| {
        fs::write(root.join("file"), "beside it\n").unwrap();
        fs::create_dir(root.join("below")).unwrap();
        symlink("../file", root.join("below/up")).unwrap();
        fs::write(root.join("below/file"), "below\n").unwrap();
    });
    let share = Share::that_hides_links(scene);
    let mounted = share.mount();
    let source = share.location().join("linking/1.0/below/up");
    assert!(fs::read_link(&source).is_err(), "this sshfs hides no links: nothing is tested");
    let payload = share.payload(&mounted, "linking");
    assert_eq!(fs::read_to_string(payload.join("below/file")).unwrap(), "below\n");
    // As a link to the link: whoever follows it gets the client's own answer.
    assert_eq!(fs::read_link(payload.join("below/up")).unwrap(), source);
    let errno = |path| Errno::from_io_error(&fs::read(path).unwrap_err());
    assert_eq!(errno(payload.join("below/up")), errno(source));
}

#[test]
fn a_file_changed_on_the_server_before_its_fetch_is_an_error_or_the_new_file() {
    for size in [40_000, 6_000_000] {
        let scene = Scene::new();
        scene.repository().release("changing", "1.0", |root| {
            fs::write(root.join("file"), tree::content(size)).unwrap();
        });
        let share = Share::new(scene, Caching::None);
        let mounted = share.mount();
        let shown = share.payload(&mounted, "changing").join("file");
        assert_eq!(fs::metadata(&shown).unwrap().len(), size as u64);
        let new: Vec<u8> = tree::content(size).iter().map(|byte| !byte).collect();
        tree::change(&share.scene.repository().source().join("changing/1.0/file"), &new);
        eventually("the next open sees the new file", || match fs::read(&shown) {
            Ok(read) => {
                assert!(read == new, "{} bytes that the server never had", read.len());
                true
            }
            Err(error) => {
                assert_eq!(Errno::from_io_error(&error), Some(Errno::STALE), "{error}");
                false
            }
        });
        let told = mounted.view()["problems"].to_string();
        assert!(told.contains("changed at origin"), "{told}");

        // The same size once more, and nobody reads before the flush.
        tree::change(&share.scene.repository().source().join("changing/1.0/file"), b"short");
        let _ = mounted.pkgfs(&[Path::new("flush"), &mounted.mountpoint()]).good();
        assert_eq!(fs::read(&shown).unwrap(), b"short");
    }
}
