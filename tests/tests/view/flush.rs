//! `pkgfs flush`: the next read asks origin again, and open files go on.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use pkgfs_tests::standin::Options;
use pkgfs_tests::{MountOptions, Mounted, Scene};

use crate::tree;

const SIZE: usize = 3_000_000;
const PACKAGES: [&str; 2] = ["first", "second"];

fn scene() -> (Scene, Mounted) {
    let scene = Scene::behind_standin(&Options::uncached());
    for name in PACKAGES {
        scene.repository().release(name, "1.0", |root| {
            fs::write(root.join("file"), tree::content(SIZE)).unwrap();
        });
    }
    scene.standin().control().watch(PACKAGES.map(|name| format!("{name}/1.0/file"))).unwrap();
    let mounted = scene.mount(&MountOptions::default());
    (scene, mounted)
}

fn flush(mounted: &Mounted, variants: &[&str]) {
    let mountpoint = mounted.mountpoint();
    let mut arguments = vec![Path::new("flush"), &*mountpoint];
    arguments.extend(variants.iter().map(Path::new));
    let _ = mounted.pkgfs(&arguments).good();
}

/// Opens of each package's file at origin since the last call.
fn opens(scene: &Scene) -> [u64; 2] {
    let control = scene.standin().control();
    let stats = control.stats().unwrap();
    control.reset().unwrap();
    PACKAGES.map(|name| stats.watched[&format!("{name}/1.0/file")].open)
}

fn read_both(mounted: &Mounted) {
    for name in PACKAGES {
        let read = fs::read(mounted.payload(name, "1.0", None).join("file")).unwrap();
        assert!(read == tree::content(SIZE), "{name}");
    }
}

#[test]
fn the_next_read_after_a_flush_asks_origin_again() {
    let (scene, mounted) = scene();
    read_both(&mounted);
    assert_eq!(opens(&scene), [1, 1]);
    read_both(&mounted);
    assert_eq!(opens(&scene), [0, 0]);
    flush(&mounted, &[]);
    read_both(&mounted);
    assert_eq!(opens(&scene), [1, 1]);
    flush(&mounted, &["second-1.0"]);
    read_both(&mounted);
    assert_eq!(opens(&scene), [0, 1]);
    mounted.remount();
    read_both(&mounted);
    assert_eq!(opens(&scene), [0, 0]);
}

#[test]
fn open_files_go_on_reading_the_old_bytes_also_those_not_read_before() {
    let (scene, mounted) = scene();
    read_both(&mounted);
    let shown = mounted.payload("first", "1.0", None).join("file");
    let direct = {
        use std::os::unix::fs::OpenOptionsExt;
        // Past the page cache: each read is answered by the daemon.
        let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        File::options().read(true).custom_flags(flags).open(&shown).unwrap()
    };
    let buffered = File::open(&shown).unwrap();
    let old = tree::content(SIZE);
    let new: Vec<u8> = old.iter().map(|byte| !byte).collect();
    let source = scene.repository().directory("first", "1.0").join("file");
    tree::change(&source, &new);
    scene.standin().control().forget("first").unwrap();
    flush(&mounted, &["first"]);
    assert!(fs::read(&shown).unwrap() == new);
    for file in [&buffered, &direct] {
        assert!(read_in_blocks(file) == old, "an open file changed under its reader");
    }
    assert!(fs::read(&shown).unwrap() == new);
}

/// All of a file, read as a disk wants it past the page cache (open(2), `O_DIRECT`): into whole
/// blocks of memory. In passthrough it is the store's disk that is read.
fn read_in_blocks(file: &File) -> Vec<u8> {
    const BLOCK: usize = 4096;
    let blocks = SIZE.next_multiple_of(BLOCK);
    let mut memory = vec![0; blocks + BLOCK];
    let start = memory.as_ptr().align_offset(BLOCK);
    let buffer = &mut memory[start..start + blocks];
    let mut at = 0;
    loop {
        match file.read_at(&mut buffer[at..], at as u64).unwrap() {
            0 => return buffer[..at].to_vec(),
            read => at += read,
        }
        // The end of the file: what is behind it is no whole block.
        if at % BLOCK != 0 {
            return buffer[..at].to_vec();
        }
    }
}

#[test]
fn a_flush_shows_new_removed_and_changed_names() {
    let (scene, mounted) = scene();
    let payload = mounted.payload("first", "1.0", None);
    let source = scene.repository().directory("first", "1.0");
    assert!(payload.join("file").exists() && !payload.join("new").exists());
    fs::write(source.join("new"), "new\n").unwrap();
    fs::remove_file(source.join("file")).unwrap();
    scene.standin().control().forget("first").unwrap();
    assert!(payload.join("file").exists(), "nobody has flushed yet");
    flush(&mounted, &[]);
    assert_eq!(fs::read_to_string(payload.join("new")).unwrap(), "new\n");
    assert!(!payload.join("file").exists());
    let names = fs::read_dir(&payload).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["new", "package.py"]);
}
