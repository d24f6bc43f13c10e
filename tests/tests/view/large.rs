//! Large things: a long file by reads and by mmap, and a directory of 50,000 entries.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use pkgfs_tests::{MountOptions, Ran, Scene};

use crate::{programs, tree};

const BLOCK: usize = 1 << 20;
const PAGE: usize = 4096;
/// Blocks of the long file; not all are written.
const BLOCKS: u64 = 300;
/// A hole in the middle of it.
const HOLE: std::ops::Range<u64> = 120..170;
/// And this many bytes more, so that it ends within a page.
const REST: usize = 1234;

/// Every page of the file begins with its number and holds the same noise after it.
fn block(number: u64, noise: &[u8]) -> Vec<u8> {
    if HOLE.contains(&number) {
        return vec![0; BLOCK];
    }
    let mut block = noise.to_vec();
    for (page, bytes) in (0_u64..).zip(block.chunks_mut(PAGE)) {
        let number = number * (BLOCK / PAGE) as u64 + page;
        bytes[..8].copy_from_slice(&number.to_le_bytes());
    }
    block
}

fn write_long(path: &Path, noise: &[u8]) {
    let mut file = File::create(path).unwrap();
    for number in 0..BLOCKS {
        if HOLE.contains(&number) {
            file.seek(SeekFrom::Current(BLOCK as i64)).unwrap();
        } else {
            file.write_all(&block(number, noise)).unwrap();
        }
    }
    file.write_all(&block(BLOCKS, noise)[..REST]).unwrap();
}

fn long_file() -> (Scene, Vec<u8>) {
    let scene = Scene::new();
    let noise = tree::content(BLOCK);
    scene.repository().release("long", "1.0", |root| write_long(&root.join("file"), &noise));
    (scene, noise)
}

#[test]
fn a_long_file_reads_from_front_to_end() {
    let (scene, noise) = long_file();
    let mounted = scene.mount(&MountOptions::default());
    let path = mounted.payload("long", "1.0", None).join("file");
    // Cold, then from the store.
    for _ in 0..2 {
        let mut file = File::open(&path).unwrap();
        let mut read = vec![0; BLOCK];
        for number in 0..BLOCKS {
            file.read_exact(&mut read).unwrap();
            assert!(read == block(number, &noise), "block {number} differs");
        }
        let mut rest = Vec::new();
        file.read_to_end(&mut rest).unwrap();
        assert!(rest == block(BLOCKS, &noise)[..REST], "the end differs");
        drop(file);
        mounted.remount();
    }
}

#[test]
fn a_long_file_reads_at_random_by_mmap_and_by_pread() {
    let (scene, noise) = long_file();
    let sampler = programs::compile(&scene.path("sampler"), "sampler.c", &[]);
    let mounted = scene.mount(&MountOptions::default());
    let path = mounted.payload("long", "1.0", None).join("file");
    // A cold file, from its end: the first page asked for is the last there is.
    let file = File::open(&path).unwrap();
    let mut end = vec![0; REST];
    file.read_exact_at(&mut end, BLOCKS * BLOCK as u64).unwrap();
    assert!(end == block(BLOCKS, &noise)[..REST], "the end differs");
    let hole = format!("{}", HOLE.start * BLOCK as u64);
    let hole_end = format!("{}", HOLE.end * BLOCK as u64);
    for seed in ["1", "2"] {
        let mut command = std::process::Command::new(&sampler);
        let said = Ran::new(command.arg(&path).args([seed, "20000", &hole, &hole_end])).good().out;
        assert_eq!(said.trim(), "20000 pages are as they should be");
    }
}

#[test]
fn a_directory_of_50_000_entries_is_listed_and_found_in_full() {
    const ENTRIES: usize = 50_000;
    let scene = Scene::new();
    let name = |number: usize| format!("entry-{number:05}.with-a-name-of-some-length");
    scene.repository().release("many", "1.0", |root| {
        let directory = root.join("directory");
        fs::create_dir(&directory).unwrap();
        for number in 0..ENTRIES {
            // Some with content, most without: all sizes must come out right.
            let content = &tree::content(number % 100 / 97 * number)[..];
            fs::write(directory.join(name(number)), content).unwrap();
        }
    });
    let mounted = scene.mount(&MountOptions::default());
    let directory = mounted.payload("many", "1.0", None).join("directory");
    let source = scene.repository().directory("many", "1.0").join("directory");
    for _ in 0..2 {
        let mut seen = BTreeSet::new();
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let size = entry.metadata().unwrap().len();
            assert!(seen.insert((entry.file_name(), size)), "{:?} twice", entry.file_name());
        }
        let expected: BTreeSet<_> = (0..ENTRIES)
            .map(|number| (name(number).into(), (number % 100 / 97 * number) as u64))
            .collect();
        assert!(seen == expected, "{} of {ENTRIES} entries are as they should be", seen.len());
        mounted.remount();
    }
    for number in [0, 1, 97, 24_998, 49_998, ENTRIES - 1] {
        let (ours, theirs) = (source.join(name(number)), directory.join(name(number)));
        assert_eq!(fs::read(&ours).unwrap(), fs::read(&theirs).unwrap(), "{number}");
        let of = |path| fs::metadata(path).map(|of| (of.mtime(), of.mtime_nsec())).unwrap();
        assert_eq!(of(&ours), of(&theirs), "{number}");
    }
    assert!(!directory.join(name(ENTRIES)).exists());
}
