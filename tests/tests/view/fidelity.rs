//! The payload shows what its source has, less every write bit.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use pkgfs_tests::standin::{Operation, Options};
use pkgfs_tests::{MountOptions, Scene};

use crate::comparison;
use crate::tree::{self, Extras, SPECIAL};

fn scene() -> Scene {
    let scene = Scene::new();
    scene.repository().release_variants("awkward", "1.0", &[&["os-linux"]], |_, root| {
        tree::awkward(root, Extras::All);
    });
    scene
}

fn source(scene: &Scene) -> std::path::PathBuf {
    scene.repository().directory("awkward", "1.0").join("os-linux")
}

#[test]
fn nothing_differs_from_the_source_but_the_write_bits() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let (source, payload) = (source(&scene), mounted.payload("awkward", "1.0", 0));
    let none = Vec::<String>::new();
    // First cold, as a listing alone shows it, then with every byte local, then as the store
    // has it after a restart.
    for _ in 0..2 {
        assert_eq!(comparison::walk(&source, &payload), none);
        assert_eq!(comparison::rsync(&source, &payload), none);
        assert_eq!(comparison::diff(&source, &payload), "");
    }
    mounted.remount();
    assert_eq!(comparison::rsync(&source, &payload), none);
    assert_eq!(comparison::walk(&source, &payload), none);
    assert_eq!(comparison::diff(&source, &payload), "");
}

#[test]
fn the_judges_find_each_kind_of_difference() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let (source, payload) = (source(&scene), mounted.payload("awkward", "1.0", 0));
    assert_eq!(comparison::walk(&source, &payload), Vec::<String>::new());
    // Known to the view by now: what is done to the source here it must not show.
    let at = |name: &str| source.join(name);
    tree::change(&at("sizes/4096"), &tree::content(4095));
    fs::remove_file(at("links/to-link")).unwrap();
    std::os::unix::fs::symlink("elsewhere", at("links/to-link")).unwrap();
    fs::write(at("modes/new"), "").unwrap();
    fs::remove_file(at("names/.hidden")).unwrap();
    std::os::unix::fs::chown(at("modes/file-0644"), Some(1), None).unwrap();
    rustix::fs::removexattr(at("xattrs/file"), "user.text").unwrap();
    let found = comparison::walk(&source, &payload).join("\n");
    for word in [
        "sizes/4096: size is 4096, not 4095",
        "sizes/4096: mtime",
        "sizes/4096: content differs",
        "links/to-link: target",
        "modes/new is missing",
        "\".hidden\" too much",
        "modes/file-0644: owner is 1420, not 1",
        "xattrs/file: xattrs",
    ] {
        assert!(found.contains(word), "no {word:?} in:\n{found}");
    }
    assert!(comparison::diff(&source, &payload).contains("sizes/4096 differ"));
    let rsync = comparison::rsync(&source, &payload).join("\n");
    assert!(rsync.contains("sizes/4096") && rsync.contains("*deleting"), "{rsync}");
}

#[test]
fn special_files_are_shown_and_never_opened_at_origin() {
    let scene = Scene::behind_standin(&Options::uncached());
    scene.repository().release_variants("special", "1.0", &[&["os-linux"]], |_, root| {
        tree::awkward(root, Extras::All);
    });
    let mounted = scene.mount(&MountOptions::default());
    let control = scene.standin().control();
    control.set_trace(true).unwrap();
    let shown = mounted.payload("special", "1.0", 0).join(SPECIAL);
    let kind = |name: &str| fs::symlink_metadata(shown.join(name)).unwrap().file_type();
    assert!(kind("fifo").is_fifo());
    assert!(kind("socket").is_socket());
    assert!(kind("null").is_char_device());
    assert!(kind("disk").is_block_device());
    let device = |name: &str| fs::symlink_metadata(shown.join(name)).unwrap().rdev();
    assert_eq!(device("null"), rustix::fs::makedev(1, 3));
    assert_eq!(device("large-numbers"), rustix::fs::makedev(300, 70_000));

    // The mount is nodev; a socket cannot be opened; a fifo is the kernel's own and empty.
    let open = |name: &str| open_without_waiting(&shown.join(name)).map(drop);
    let errno = |name: &str| open(name).unwrap_err().raw_os_error();
    assert_eq!(errno("null"), Some(rustix::io::Errno::ACCESS.raw_os_error()));
    assert_eq!(errno("disk"), Some(rustix::io::Errno::ACCESS.raw_os_error()));
    assert_eq!(errno("socket"), Some(rustix::io::Errno::NXIO.raw_os_error()));
    open("fifo").unwrap();

    let trace = control.trace().unwrap();
    assert_eq!(trace.dropped, 0);
    let below = format!("os-linux/{SPECIAL}/");
    let opened = trace.operations.iter().filter(|operation| {
        matches!(operation.operation, Operation::Open | Operation::Read)
            && operation.path.contains(&below)
    });
    assert_eq!(opened.count(), 0);
    assert!(trace.operations.iter().any(|operation| operation.path.contains(&below)));
}

fn open_without_waiting(path: &Path) -> std::io::Result<fs::File> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path)
}

#[test]
fn a_name_that_does_not_exist_is_absent_whatever_it_looks_like() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let payload = mounted.payload("awkward", "1.0", 0);
    let too_long = "n".repeat(256);
    for (name, error) in [
        ("names/No", rustix::io::Errno::NOENT),
        ("names/.HIDDEN", rustix::io::Errno::NOENT),
        ("no/such/directory", rustix::io::Errno::NOENT),
        ("sizes/4096/below-a-file", rustix::io::Errno::NOTDIR),
        ("links/to-itself", rustix::io::Errno::LOOP),
        (too_long.as_str(), rustix::io::Errno::NAMETOOLONG),
    ] {
        let found = fs::metadata(payload.join(name)).unwrap_err().raw_os_error();
        assert_eq!(found, Some(error.raw_os_error()), "{name}");
    }
}

#[test]
fn a_listing_can_be_read_again_and_from_any_place_in_it() {
    let scene = scene();
    let mounted = scene.mount(&MountOptions::default());
    let names = mounted.payload("awkward", "1.0", 0).join("names");
    let mut directory = rustix::fs::Dir::new(fs::File::open(&names).unwrap()).unwrap();
    let mut read = || -> Vec<Vec<u8>> {
        directory.rewind();
        let entries = directory.by_ref().map(|entry| entry.unwrap());
        entries.map(|entry| entry.file_name().to_bytes().to_vec()).collect()
    };
    let first = read();
    assert!(first.contains(&b".".to_vec()) && first.contains(&b"..".to_vec()), "{first:?}");
    assert!(first.contains(&std::os::unix::ffi::OsStrExt::as_bytes(&*tree::not_utf8()).to_vec()));
    assert!(first.contains(&tree::longest().into_bytes()));
    assert_eq!(read(), first);
}
